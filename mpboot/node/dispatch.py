"""Messages for some hosts of a node's own, on their way down: each goes once over each link that leads there.

Also what a parent has to remember of jobs: where each has begun, and its standard input on its way.
"""

from __future__ import annotations

from mpboot.net import ranges, wire
from mpboot.net.fields import MANY, whole
from mpboot.net.jobs import FIRST, NUMBER, STDIN_WINDOW, Run, job_of, number_at, packed, unpack_stdin
from mpboot.node.flow import Flow
from mpboot.tree.routes import ways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

    from mpboot.net.messages import HostOrder
    from mpboot.node.offspring import Offspring
    from mpboot.node.uplink import Uplink
    from mpboot.tree.state import BootState

# What may be sent to some hosts.
FOR_SOME = (wire.RUN, wire.SIGNAL, wire.STDIN, wire.HOLD, wire.LEAVE, wire.WINDOW)


def pack_to(ranks: Sequence[int], kind: int, body: bytes) -> bytes:
    """TO: a message for these hosts."""
    text = ranges.pack(ranks).encode("ascii")
    return packed(len(text)) + text + bytes((kind,)) + body


def unpack_to(body: bytes) -> Tuple[List[int], int, bytes]:
    """The hosts, the kind and the body of the message in a TO. ValueError."""
    at = NUMBER + number_at(body, 0)
    if len(body) <= at or body[at] not in FOR_SOME:
        raise ValueError("no message for some hosts")
    return ranges.unpack(body[NUMBER:at].decode("ascii", "replace"), MANY), body[at], body[at + 1 :]


class _Job:
    """A session's job, as a node on its way remembers it."""

    def __init__(self, ranks: Sequence[int], owed: List[Tuple[Offspring, int]]) -> None:
        self.ranks: Set[int] = set(ranks)
        self.owed = owed  # bytes that may wait for a child, for this job
        self.ways: Dict[int, List[int]] = {}
        self.flow: Optional[Flow] = None


class Dispatch:
    """What a parent does for jobs. ``own(kind, body)`` gets what is for its own host."""

    def __init__(
        self,
        rank: int,
        hosts: Dict[int, HostOrder],
        children: Dict[int, Offspring],
        state: BootState,
        uplink: Uplink,
        own: Callable[[int, bytes], None],
    ) -> None:
        """``hosts`` and ``children`` are the node's own, by rank."""
        self._rank = rank
        self._hosts = hosts
        self._children = children
        self._state = state
        self._uplink = uplink
        self._own = own
        self._first: Optional[Run] = None  # the boot's own command, for all hosts that are there and that come
        self._jobs: Dict[int, _Job] = {}
        self._oldest = FIRST  # job that is not over

    def pass_on(self, order: Run) -> None:
        """The boot's own command has come: the children get it too, and those that are yet to come."""
        self._first = order
        for child in self._children.values():
            self.tell(child)

    def tell(self, child: Offspring) -> None:
        """Have a child run the boot's own command."""
        if self._first is not None:
            child.run(self._first.on(self._hosts[child.rank].here))

    def runs(self, rank: int, job: int) -> bool:
        """Has the job begun on this host?"""
        if job == FIRST and self._first is not None:
            return self._hosts[rank].here
        return job in self._jobs and rank in self._jobs[job].ranks

    def take(self, body: bytes) -> None:
        """TO: pass the message on, and take it if this host is among them. ValueError."""
        ranks, kind, inner = unpack_to(body)
        if kind == wire.STDIN:
            self._stdin(inner)
            return
        found = ways(ranks, self._state.place, self._rank)
        if kind == wire.RUN:
            self._begin(ranks, found, Run.unpack(inner))
        elif kind == wire.LEAVE:
            self._state.leaving.update(ranks)
        # This host comes last: who leaves has told its children to turn to another.
        for target in sorted(found, key=lambda one: one == self._rank):
            self._send(target, found[target], kind, inner)

    def taken(self, child: int, body: bytes) -> None:
        """TAKEN: a child has passed on so many bytes of a job's standard input. ValueError."""
        job, count = job_of(body), whole(number_at(body, NUMBER), 0, STDIN_WINDOW)
        known = self._jobs.get(job)
        if known is not None and known.flow is not None:
            known.flow.credit(child, count)

    def taken_here(self, job: int, count: int) -> bool:
        """The same of the command on this host; False for a job that came for this host alone."""
        known = self._jobs.get(job)
        if known is None or known.flow is None:
            return False
        known.flow.credit(self._rank, count)
        return True

    def is_over(self, job: int) -> bool:
        """Is this a job that nobody asks about any more? A host that was told so may be below another parent now."""
        return FIRST < job < self._oldest

    def lost(self, child: int) -> None:
        """A child is gone: nobody waits for it."""
        for job in self._jobs.values():
            if job.flow is not None:
                job.flow.drop(child)

    # -- inside ------------------------------------------------------------------------------------

    def _begin(self, ranks: Sequence[int], found: Dict[int, List[int]], order: Run) -> None:
        self._forget(order.oldest)
        known = self._jobs.get(order.job)
        if known is not None:  # again, for hosts that may not have got it
            known.ranks.update(ranks)
            return
        if order.stdin:
            waits = 2 * STDIN_WINDOW
            for target in found:
                if target in self._children:
                    self._children[target].link.most += waits
        else:
            waits = 0
        owed = [(self._children[target], waits) for target in found if target in self._children]
        for child, _ in owed:
            child.words = 0  # what a job leaves is told in words: a tree that lives for days has many
        known = self._jobs[order.job] = _Job(ranks, owed)
        if order.stdin:
            known.ways = found
            known.flow = Flow(found, lambda target, piece: self._pass_on(known, target, piece), self._taker(order.job))

    def _forget(self, oldest: int) -> None:
        self._uplink.forget(oldest)
        self._oldest = max(oldest, self._oldest)
        for job in [job for job in self._jobs if job < oldest]:
            for child, waits in self._jobs.pop(job).owed:
                child.link.most -= waits

    def _stdin(self, piece: bytes) -> None:
        known = self._jobs.get(job_of(piece))
        if known is not None and known.flow is not None:
            known.flow.put(piece, len(unpack_stdin(piece)[1]))

    def _pass_on(self, job: _Job, target: int, piece: bytes) -> None:
        self._send(target, job.ways[target], wire.STDIN, piece)

    def _taker(self, job: int) -> Callable[[int], None]:
        return lambda count: self._uplink.send(wire.TAKEN, packed(job) + packed(count))

    def _send(self, target: int, ranks: List[int], kind: int, inner: bytes) -> None:
        if target == self._rank:
            self._own(kind, inner)
            return
        child = self._children.get(target)
        if child is None:
            return
        if kind == wire.LEAVE and ranks == [target] and not child.is_parent:
            child.link.send(wire.STOP)
        elif ranks == [target]:
            child.tell(kind, inner)
        else:
            child.link.send(wire.TO, pack_to(ranks, kind, inner))
