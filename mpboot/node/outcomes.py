"""What comes of a node's launches: a Launcher reports it here, and the state machine hears of it."""

from __future__ import annotations

from time import monotonic

from mpboot.net.link import SCARCE
from mpboot.net.work import Verdict
from mpboot.node.pace import room_for_children
from mpboot.tree import causes, ledger
from mpboot.tree.orders import Dismiss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, List, Sized

    from mpboot.net.link import Link
    from mpboot.net.messages import BootSettings
    from mpboot.node.uplink import Uplink
    from mpboot.node.verdicts import Verdicts
    from mpboot.tree.orders import Order
    from mpboot.tree.state import BootState

HERE = "its name means the launching machine itself, where it was looked up"
LEAST_PACE = 0.002  # seconds per launch: less is not believed
KNOWN = 32  # launches whose rsh is remembered, to find one that still runs
FIRST_LOOK = 16  # launches under way at which memory is looked at first, and again whenever they are twice as many


class Outcomes:
    """A launcher.Employer. ``start``: the boot's, on the monotonic clock; ``do`` carries out the orders that follow."""

    def __init__(
        self,
        state: BootState,
        boot: BootSettings,
        start: float,
        uplink: Uplink,
        verdicts: Verdicts,
        children: Sized,
        do: Callable[[Iterable[Order]], None],
        no_psutil: Callable[[], None],
        waits: Callable[[int, Callable[[], None]], bool] = lambda *_: False,
        over: Callable[[int], object] = lambda _: None,
    ) -> None:
        """``no_psutil()`` is called when the watcher has none; ``over(rank)`` ends what is left of a launch.

        ``waits(rank, call)``: may the host's agent be at the door? Then ``call`` follows a little later.
        """
        self._state = state
        self._boot = boot
        self._start = start
        self._uplink = uplink
        self._verdicts = verdicts
        self._children = children
        self._do = do
        self._rsh: List[int] = []  # pids of the first
        self._look_at = FIRST_LOOK
        self.no_psutil = no_psutil
        self._waits = waits
        self._over = over

    def started(self, label: str, pid: int) -> None:
        """The rsh of a launch has been started."""
        if len(self._rsh) < KNOWN:
            self._rsh.append(pid)
        self.log(monotonic(), label, "started, pid %d" % pid)

    def connected(self, link: Link, rank: int) -> List[Order]:
        """An agent has connected. One that was reached by a loopback address is this machine's own, not the host's.

        So the host is the head's to launch. Where a parent is reached so itself all hosts are, as with --rsh local.
        """
        if link.is_local and self._uplink.is_local is False:
            self._over(rank)
            self.launch_failed(rank, Verdict(causes.RESOLVE, "agent", HERE, [], ""))
            return [Dismiss(rank)]
        self._state.narrow(monotonic())
        return self._state.connected(rank)

    def launch_failed(self, rank: int, verdict: Verdict) -> None:
        """A launch has failed: by itself, or since the host is busy or still starting."""
        attempts = self._state.attempts[rank]
        if verdict.cause == causes.LOST and self._waits(rank, lambda: self._said_nothing(rank, attempts, verdict)):
            return  # it has let go of rsh, and gets no processor to say HELLO
        self._verdicts.keep(rank, verdict)
        try:
            from mpboot.workers.diagnosis import BUSY_TRIES, is_busy, is_own  # not needed where all goes well

            busy = is_busy(verdict.cause, verdict.stderr) and attempts <= self._boot.retries + BUSY_TRIES
            own = is_own(verdict.cause, verdict.detail)
        except SCARCE:
            busy = own = False  # no descriptor is left to load that
        waits = verdict.cause in causes.PASSING and monotonic() - self._start < self._boot.wait_for
        self._state.narrow(monotonic())
        self._do(self._state.launch_failed(rank, verdict.cause, busy, waits, own))

    def _said_nothing(self, rank: int, attempts: int, verdict: Verdict) -> None:
        if self._state.place.get(rank) == ledger.LAUNCHING and self._state.attempts[rank] == attempts:
            self.launch_failed(rank, verdict)

    def launch_late(self, rank: int) -> None:
        """A launch takes much longer than the others."""
        self._do(self._state.is_late(rank))

    def no_room(self, rank: int) -> None:
        """This machine can't carry a launch now."""
        self._do(self._state.not_launched(rank))

    def room_again(self) -> None:
        """It may be that it can, by now."""
        self._do(self._state.widen(1))

    def has_room(self, workers: int) -> bool:
        """Are there descriptors for so many workers beside the children?"""
        return room_for_children(workers) > len(self._children)

    def wants_more(self) -> bool:
        """Would more launches be begun if this machine keeps up?"""
        return self._state.policy.adaptive and self._state.counts[ledger.PENDING] > 0

    def keeps_up(self, count: int, begun: int, first: float) -> None:
        """This machine could begin so many launches more: an adaptive node widens."""
        known, policy = self._state, self._state.policy
        if not self.wants_more():
            return
        fresh = known.counts[ledger.LAUNCHING] - len(known.late)
        policy.fanout = max(1, room_for_children(fresh))
        policy.now = monotonic()
        if begun:
            policy.pace = policy.measured = max(LEAST_PACE, (policy.now - first) / begun)
        if fresh >= self._look_at:
            self._look_at = 2 * fresh
            self._look(fresh)
        self._do(known.widen(fresh + (0 if self._boot.children else count)))

    def _look(self, launching: int) -> None:
        """See what memory is left, and what a launch takes."""
        try:
            from mpboot.node.memory import of_launches  # not needed by who launches few
        except SCARCE:
            return
        left, each = of_launches(self._rsh)  # the first of them has had most time to grow
        if left and each:
            self._state.policy.bears(left, each, launching)

    def log(self, when: float, label: str, text: str) -> None:
        """A line for the person who watches; ``when`` on the monotonic clock."""
        if self._boot.verbose:
            self._uplink.log("%8.3f %s %s" % (when - self._start, label, text))
