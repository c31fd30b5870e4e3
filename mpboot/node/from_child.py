"""What a child says: it is unpacked, taken for hosts in its care alone, given to the state, and passed on."""

from __future__ import annotations

from time import monotonic

from mpboot.net import commands, messages, wire
from mpboot.net.fields import number
from mpboot.net.outlet import unpack_out
from mpboot.tree import causes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Iterable

    from mpboot.node.care import Care, Limits
    from mpboot.node.dispatch import Dispatch
    from mpboot.node.keyring import Keyring
    from mpboot.node.news import News
    from mpboot.node.offspring import Offspring
    from mpboot.node.supply import PsutilSupply
    from mpboot.node.uplink import Uplink
    from mpboot.node.verdicts import Verdicts
    from mpboot.tree.orders import Order
    from mpboot.tree.state import BootState

MOST_TRIED = messages.MOST_ATTEMPTS >> 1  # attempts that are believed: those to come must fit above as well


class FromChild:
    """Takes the messages of one node's children; ``do`` carries out the orders that follow."""

    def __init__(
        self,
        state: BootState,
        news: News,
        uplink: Uplink,
        psutil: PsutilSupply,
        verdicts: Verdicts,
        care: Care,
        limits: Limits,
        keys: Keyring,
        dispatch: Dispatch,
        do: Callable[[Iterable[Order]], None],
    ) -> None:
        self._state = state
        self._news = news
        self._uplink = uplink
        self._psutil = psutil
        self._verdicts = verdicts
        self._care = care
        self._limits = limits
        self._keys = keys
        self._dispatch = dispatch
        self._do = do

    def handlers(self) -> Dict[int, Callable[[Offspring, bytes], None]]:
        """What a child may say, by kind: each raises ValueError, before anything has changed, for what may not be."""
        return {
            wire.PONG: lambda _child, _body: None,
            wire.OUT: self._output,
            wire.EXIT: self._exits,
            wire.TAKEN: lambda child, body: self._dispatch.taken(child.rank, body),
            wire.WANT: self._want,
            wire.LOG: self._log,
            wire.TOLD: self._told,
            wire.NOTE: self._note,
            wire.LAUNCHED: self._launched,
            wire.UP: self._up,
            wire.FAILED: self._failed,
            wire.RETURN: self._returned,
            wire.DONE: self._done,
        }

    # -- the command -------------------------------------------------------------------------------

    def _output(self, child: Offspring, body: bytes) -> None:
        rank, job, stream, _ = unpack_out(body)
        if stream not in (1, 2):
            raise ValueError("no such stream")
        counts = not self._dispatch.is_over(job) and self._care.writes(child.rank, rank, job)
        child.credits.taken(len(body))
        if counts:
            self._uplink.outlet.put(body, child.credits)
        else:  # that host has another parent by now
            child.credits.passed_on(len(body))

    def _exits(self, child: Offspring, body: bytes) -> None:
        exits = [one for one in commands.Exit.unpack_all(body) if not self._dispatch.is_over(one.job)]
        counted = [one for one in exits if self._care.runs(child.rank, one.rank, one.job)]
        # Each waits for output: never twice.
        fresh = [one for one in counted if not self._uplink.has_exited(one.rank, one.job)]
        if fresh:
            self._uplink.tell_exits([(one.rank, one.job, one.code, one.signal, one.seconds, one.sent) for one in fresh])

    # -- what is passed on for people --------------------------------------------------------------

    def _log(self, child: Offspring, body: bytes) -> None:
        self._say(child, wire.LOG, body)

    def _note(self, child: Offspring, body: bytes) -> None:
        note = commands.Note.unpack(body)
        if note.rank != child.rank:
            self._care.has(child.rank, note.rank)
        self._say(child, wire.NOTE, note.pack())

    def _told(self, child: Offspring, body: bytes) -> None:
        said = messages.UnderWay.unpack(body)
        for launch in said.launches:
            self._care.has(child.rank, launch.rank)
            if launch.launcher != child.rank:
                self._care.has(child.rank, launch.launcher)
        self._say(child, wire.TOLD, said.pack())

    def _say(self, child: Offspring, kind: int, body: bytes) -> None:
        if self._may_say(child, body):
            self._uplink.send(kind, body)

    def _may_say(self, child: Offspring, body: bytes) -> bool:
        return self._limits.words(child, self._state.children.given(child.rank), len(body))

    def _want(self, child: Offspring, body: bytes) -> None:
        want = messages.Want.unpack(body)
        if child.wanted:
            raise ValueError("it asks again")
        child.wanted = True
        self._psutil.wanted(child.link, want)

    # -- hosts -------------------------------------------------------------------------------------

    def _launched(self, child: Offspring, body: bytes) -> None:
        more = messages.Launched.unpack(body)
        launched = self._limits.launches(child, self._state.children.given(child.rank), more.launched)
        if launched:
            child.begins(self._limits.launching)
        self._news.count(launched, more.strangers)
        self._state.policy.now = monotonic()
        self._do(self._state.child_launched(child.rank, launched))

    def _up(self, child: Offspring, body: bytes) -> None:
        records = messages.Up.unpack_all(body)
        for record in records:
            self._care.has(child.rank, record.rank)
            if record.parent != child.rank:
                self._care.has(child.rank, record.parent)
        left = self._state.children[child.rank].left
        if left.isdisjoint(record.rank for record in records):
            if not self._may_say(child, body):
                return
        else:
            child.moves()
        for record in records:
            if self._state.believes(child.rank, record.rank):
                self._do(self._state.child_up(child.rank, record.rank))
                self._news.up(record)

    def _failed(self, child: Offspring, body: bytes) -> None:
        records = messages.Failed.unpack_all(body)
        for record in records:
            self._care.has(child.rank, record.rank)
            if record.launcher != child.rank:
                self._care.has(child.rank, record.launcher)
            self._check(record.cause)
        known = self._state.children[child.rank]
        if all(record.rank not in known.left and record.rank not in known.below for record in records):
            if not self._may_say(child, body):
                return
        else:
            child.moves()
        for record in records:
            if self._state.believes(child.rank, record.rank):
                self._do(self._state.child_failed(child.rank, record.rank))
                self._news.failed(record)

    def _returned(self, child: Offspring, body: bytes) -> None:
        said = messages.Returned.unpack(body)
        back = []
        for host in said.hosts:
            if host.why is not None:
                self._check(host.why.cause)
            if self._care.has(child.rank, host.rank):
                back.append(host)
        known = self._state.children[child.rank]
        if not (said.hosts or known.asked):
            # Hosts that it gave back unasked, since it can launch none, may have crossed what it was asked.
            if not (said.disabled and known.owes):
                raise ValueError("it gives nothing back, unasked")
            known.owes = 0
        if not said.tried and not said.disabled:
            if len(back) > known.owes:
                raise ValueError("it gives hosts back unasked")
            known.owes -= len(back)
        for host in back:
            self._verdicts.take_back(host)
            child.moves()
        # An orphan may know of fewer than there were here since, and nobody counts backwards.
        attempts = {one.rank: max(min(one.attempts, MOST_TRIED), self._state.attempts[one.rank]) for one in back}
        self._keys.returned(attempts)
        self._do(self._state.child_returned(child.rank, attempts, said.tried, said.disabled))

    def _check(self, cause: str) -> None:
        if cause not in causes.ALL:
            raise ValueError("no such cause")

    def _done(self, child: Offspring, body: bytes) -> None:
        shares = number(body)
        known = self._state.children[child.rank]
        if shares > known.shares:
            raise ValueError("more shares are done than it was given")
        if shares == known.shares and known.left:  # of which it has said nothing: it might get them again and again
            self._state.children.disable(child.rank)
            self._keys.returned(known.left)
        self._do(self._state.child_done(child.rank, shares))
