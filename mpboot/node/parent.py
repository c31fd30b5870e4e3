"""The part of an agent that launches others: its children, and BootState's orders.

What to do is decided in tree/state.py; here it is done, by the launcher and over the children's links, and what
comes of it is told to the state, and upward.
"""

from __future__ import annotations

import os
from time import monotonic

from mpboot.net import commands, keys, messages, wire
from mpboot.net.fields import number
from mpboot.net.hello import Hello
from mpboot.net.work import Verdict
from mpboot.node.address import own_addresses
from mpboot.node.care import Care, Limits
from mpboot.node.dispatch import Dispatch
from mpboot.node.door import Door
from mpboot.node.from_child import FromChild
from mpboot.node.heartbeat import SILENT, Heartbeat
from mpboot.node.keyring import Keyring
from mpboot.node.launcher import Launcher
from mpboot.node.news import News
from mpboot.node.offspring import Offspring
from mpboot.node.orphanage import Orphanage
from mpboot.node.outcomes import Outcomes
from mpboot.node.pace import room_for_children
from mpboot.node.supply import PsutilSupply
from mpboot.node.survey import Survey
from mpboot.node.verdicts import Verdicts
from mpboot.tree import causes, state
from mpboot.tree.ledger import ORPHANED
from mpboot.tree.orders import Dismiss, perform
from mpboot.tree.policy import Policy
from mpboot.workers.commandline import LOCAL
from mpboot.workers.forker import ForkServer
from mpboot.workers.settings import launch_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Sequence, Tuple

    from mpboot.net.answer import Answer
    from mpboot.net.link import Link
    from mpboot.net.loop import Loop
    from mpboot.node.uplink import Uplink
    from mpboot.tree import orders
    from mpboot.tree.orders import Order


class Parent:
    """Boots what its agent is given: carries out the state's orders (tree/orders.Performer), tells it of children."""

    def __init__(
        self,
        loop: Loop,
        config: wire.AgentConfig,
        uplink: Uplink,
        store: Any,
        share: messages.Share,
        server: Tuple[int, int],
        child_gone: Callable[[], None],
        own: Callable[[int, bytes], None],
    ) -> None:
        """``share``: the first, with the boot's settings; ``server``: what forkserver.start() gave.

        ``child_gone()``: a child has gone while the agent ends; ``own(kind, body)`` gets what is for this host too.
        """
        self.children: Dict[int, Offspring] = {}
        self._loop = loop
        self._config = config
        self._uplink = uplink
        self._store = store
        self._boot = share.boot
        self._child_gone = child_gone
        self._is_root = config.fd is not None
        self._level = share.level
        self._start = uplink.heard - share.clock
        self._hosts: Dict[int, messages.HostOrder] = {}
        self._verdicts = Verdicts(config.rank)
        self._disabled = False  # and told so: this node can't launch
        self._stopped = 0.0  # when, on the monotonic clock
        policy = Policy(share.boot.topology, share.boot.children)
        if policy.adaptive:
            policy.fanout = max(1, room_for_children(policy.width))
        self._state = state.BootState(policy, self._boot.retries, self._is_root, not self._boot.command, config.shares)
        self._news = News(loop, uplink)
        uplink.speak_for(self._family, self._news.again)
        self._keys = Keyring(config.rank)
        self._secret = os.urandom(wire.KEY_BYTES)  # of the boot, where this is the root
        self._door = Door(
            loop, self._keys.find, self._hello, self._news.stranger, lambda: len(self._hosts),
            lambda: not self._state.finished,
        )  # fmt: skip
        self._orphans = Orphanage(self._state, self._keys, self._news, self.children, self._hello)
        self._outcomes = Outcomes(
            self._state, self._boot, self._start, uplink, self._verdicts, self.children, self._do,
            lambda: self._psutil.missing(), self._door.after_calling,  # noqa: PLW0108  # there is none yet
            lambda rank: self._launcher.connected(rank, monotonic()),
        )  # fmt: skip
        searched = share.boot.psutil if self._is_root else []
        self._launcher = self._new_launcher(share, ForkServer(server), searched)
        self._survey = Survey(self._launcher, uplink.send)
        self._psutil = PsutilSupply(self._launcher.lookout, uplink.send, self._note, self._is_root, searched)
        self.dispatch = Dispatch(config.rank, self._hosts, self.children, self._state, uplink, own)
        care = Care(self._state, self.dispatch.runs, uplink.has_exited)
        self._limits = Limits(share.boot, share.level)
        self._heartbeat = Heartbeat(self._state, self.children, self._limits, uplink.send, self._do)
        self._said = FromChild(
            self._state, self._news, uplink, self._psutil, self._verdicts, care, self._limits, self._keys,
            self.dispatch, self._do,
        ).handlers()  # fmt: skip

    def _new_launcher(self, share: messages.Share, server: ForkServer, searched: Sequence[str]) -> Launcher:
        config, boot = self._config, share.boot
        route = (self._door.port, tuple(own_addresses(self._door.families, boot.rsh == LOCAL)))
        routes = (route,) if self._is_root else (route, *config.routes)
        # Lists, since leaf.py writes them as JSON without json. A rank may be a later agent's: the pid tells.
        lineage = [[config.rank, os.getpid()], *config.lineage]
        agent = messages.agent_common(routes, lineage, config.silence, boot)
        names = (host.name for host in share.hosts)
        settings = launch_settings(boot, config.kit, agent, self._door.port, [*names], self._is_root)
        return Launcher(self._loop, server, settings, self._outcomes, config.rank, searched, share.slowest)

    # -- from above --------------------------------------------------------------------------------

    def handlers(self) -> Dict[int, Callable[[bytes], None]]:
        """What the agent's parent may say to a parent, by kind."""
        return {
            wire.SHARE: lambda body: self.take_share(messages.Share.unpack(body) if body else None),
            wire.RECLAIM: lambda body: self._do(self._state.reclaim(number(body))),
            wire.PSUTIL: self._psutil.take,
            wire.TELL: lambda body: self._survey.tell(self.children.values(), body),
            wire.GO: lambda _: self._tell_children(wire.GO),
            wire.TO: self.dispatch.take,
        }

    def take_share(self, share: messages.Share | None) -> None:
        """Hosts to boot; None: no more of them."""
        hosts = list(share.each()) if share is not None else []
        for host, way in hosts:
            self._hosts[host.rank] = host
            handed = keys.of_host(self._secret, host.rank) if self._is_root else None
            key = handed or keys.veiled(self._config.key, bytes.fromhex(host.key), way[-1], host.rank)
            self._keys.take(host.rank, key, tuple(way))
        self._state.keep(host.rank for host, _ in hosts if host.alone)
        self._do(self._state.add([host.rank for host, _ in hosts], {host.rank: host.attempts for host, _ in hosts}))

    def stop(self, number: int, moves: bool = False) -> None:
        """Stop launching and end the children; or have each move to another ancestor."""
        self._stopped = monotonic()
        self._door.close()
        self._orphans.close()
        self._tell_children(wire.MOVE if moves else wire.STOP, b"" if moves else b"%d" % number)
        self._tell_children(wire.PING)
        self._state.stop(causes.INTERRUPTED)
        self._launcher.halt()

    def end(self) -> None:
        """All children are gone, or given up: end the workers, and not before: an rsh may carry a child's words."""
        self._launcher.stop()

    @property
    def is_idle(self) -> bool:
        """Is all booted that is in its care, and is there no command that begins with the boot?"""
        return self._state.finished and not self._boot.command

    def beat(self, silence: float, missed: float = 0.0) -> None:
        """See which children live, see heartbeat.py; while all ends ``silence`` is all that they have."""
        if self._stopped:
            self._heartbeat.hurry(silence, self._stopped)
        else:
            self._heartbeat.beat(silence, missed)
        self._orphans.beat()

    def _tell_children(self, kind: int, body: bytes = b"") -> None:
        for child in self.children.values():
            child.link.send(kind, body)

    def _family(self, ancestor: int) -> Dict[str, Any]:
        """What an adopting ancestor has to know."""
        below, left, failed = self._state.new_parent(self._news.parents())
        family = self._news.keep(self._config.rank, [*below, *left, *failed])
        return Hello.about_family(below, left, failed, *self._keys.prove(self._config.key, ancestor, family))

    # -- the state's orders ------------------------------------------------------------------------

    def _do(self, orders: Iterable[Order]) -> None:
        if not self._stopped:
            perform(orders, self)

    def launch(self, order: orders.Launch) -> None:
        """Begin a launch."""
        self._news.count(launched=1)
        self._launcher.launch(self._hosts[order.rank], order.attempt, *self._keys.launch(order.rank))

    def kill(self, order: orders.Kill) -> None:
        """End a launch."""
        self._launcher.cancel(order.rank)

    def pause(self, order: orders.Pause) -> None:
        """Wait, then resume."""
        orphaned = any(self._state.place.get(rank) == ORPHANED for rank in order.ranks)
        wait = self._door.after_orphans if orphaned else self._loop.later
        wait(order.delay, lambda: self._do(self._state.resume(order.ranks)))

    def share(self, order: orders.Share) -> None:
        """Hand hosts to a child."""
        child, known = self.children[order.child], self._state.attempts
        if not order.ranks:
            child.be_leaf()
            return
        number, given = self._keys.share(order.ranks)
        by_way = self._keys.by_way(order.ranks)
        step = (self._config.rank, number)
        veiled = {rank: keys.veiled(child.key, key, step, rank).hex() for rank, key in given.items()}
        hosts = [self._hosts[rank].after(known[rank], veiled[rank]) for ranks in by_way.values() for rank in ranks]
        ways = [((*way, step), len(ranks)) for way, ranks in by_way.items()]
        share = self._boot, self._level + 1, monotonic() - self._start, self._launcher.lateness.slowest, ways, hosts
        child.share(messages.Share(*share), self._state.children.given(order.child))

    def fail(self, order: orders.Fail) -> None:
        """Tell that a host failed."""
        self._news.failed(self._verdicts.failed(order, self._state.attempts[order.rank]))

    def give_back(self, order: orders.Return) -> None:
        """Give hosts back to the parent."""
        self._news.part_with(order.ranks)
        if order.disabled and not self._disabled and (why := self._verdicts.why_disabled(order, self._hosts)):
            self._disabled = True
            self._note("leaf", why)
        for part in self._verdicts.returned(order, self._state.attempts):
            self._uplink.send(wire.RETURN, part.pack())

    def dismiss(self, order: orders.Dismiss) -> None:
        """Nothing to do: an agent that is dismissed has just said HELLO, and is sent away there."""

    def done(self, order: orders.Done) -> None:
        """Tell that all is finished, after all news."""
        self._news.send()
        self._uplink.done(order.shares)

    def reclaim(self, order: orders.Reclaim) -> None:
        """Ask a child for hosts."""
        self.children[order.child].link.send(wire.RECLAIM, b"%d" % order.count)

    def _note(self, what: str, text: str) -> None:
        """Tell upward what this node can't do, or does otherwise; once, for the report."""
        self._uplink.send(wire.NOTE, commands.Note(self._config.rank, what, text).pack())

    # -- children ----------------------------------------------------------------------------------

    def _hello(self, link: Link, hello: Hello, session: Answer) -> None:
        """An agent has proved its key; its family, if it has one, is still to be proved."""
        if hello.orphan:
            orders = self._orphans.judge(link, hello, session)
        else:
            orders = self._outcomes.connected(link, hello.rank)
        if orders is None:
            return  # it waits
        if any(isinstance(order, Dismiss) for order in orders):
            self._keys.refused(hello.rank, session.numbers)
            self._door.send_away(link, session)
            return
        self._keys.arrived(hello.rank, session.numbers)
        child = self.children[hello.rank] = Offspring(hello, link, self._store.bundles, session.key)
        link.got = lambda kind, body: self._heard(child, kind, body)
        link.lost = lambda reason: self._child_lost(child, reason)
        link.listen()
        self._tell_up(hello)
        self.dispatch.tell(child)
        self._do(orders)

    def _tell_up(self, hello: Hello) -> None:
        """News of an orphan is told as well: its first parent may have died before it could tell."""
        rank, now = hello.rank, monotonic()
        # Of an orphan a launch may be under way; it is not what brought the orphan, and an order ends it.
        begun = now if hello.orphan else self._launcher.connected(rank, now)
        self._news.count(launched=int(hello.orphan))  # an attempt here as well; and those above hear that this goes on
        self._outcomes.log(now, self._hosts[rank].label, "up")
        times = round(begun - self._start, 4), round(now - self._start, 4)
        attempts = self._state.attempts.get(rank, 0)
        self._news.up(messages.Up(rank, self._config.rank, self._level + 1, *times, hello.pid, attempts, hello.python))

    def _heard(self, child: Offspring, kind: int, body: bytes) -> None:
        if kind not in self._said:
            raise ValueError("unexpected")
        self._said[kind](child, body)

    def _child_lost(self, child: Offspring, reason: str) -> None:
        self.children.pop(child.rank, None)
        self.dispatch.lost(child.rank)
        if self._stopped:
            self._child_gone()
            return
        self._outcomes.log(monotonic(), self._hosts[child.rank].label, "%s: %s" % (causes.LOST, reason))
        self._verdicts.keep(child.rank, Verdict(causes.LOST, "up", "the agent was up, then gone: " + reason, [], ""))
        self._do(self._state.child_lost(child.rank, silent=reason.startswith(SILENT)))
        self._orphans.child_lost()
