"""An agent's link to its present parent, and what the agent says over it.

When the parent is gone, the nearest ancestor that answers takes its place. What else an agent is, is not known here.
"""

from __future__ import annotations

from time import monotonic

from mpboot.net import patience, wire
from mpboot.net.jobs import FIRST, pack_exits
from mpboot.net.link import Link
from mpboot.net.outlet import Outlet
from mpboot.node import leaf, lost_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

    from mpboot.net.jobs import Exited
    from mpboot.net.loop import Loop

    Family = Dict[str, Any]


def _no_family(_: int) -> Family:
    return {}


def _nothing() -> None:
    pass


EXITS = 1000  # that are told in a frame
LONGEST_LINE = 8000  # characters of a line for the person who watches; of a traceback the end


class Uplink:
    """Carries messages to and from the current parent.

    ``got(kind, body)`` gets each message; ``alone()`` is called when the parent is gone and no ancestor answers.
    """

    def __init__(
        self,
        loop: Loop,
        line: leaf.Line,
        config: wire.AgentConfig,
        got: Callable[[int, bytes], None],
        alone: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._config = config
        self._got = got
        self._alone = alone
        self._last = False  # this parent is the last: no other is looked for
        self._family: Callable[[int], Family] = _no_family
        self._tell_again: Callable[[], None] = _nothing
        self._exits: Dict[Tuple[int, int], Exited] = {}  # of commands that have ended, here and below, by rank and job
        self._fresh: List[Exited] = []  # those of them that are told at the end of this round
        self._link = self._join(line)
        self.outlet = Outlet(self.send)

    @property
    def heard(self) -> float:
        """When the parent was heard last, on the monotonic clock."""
        return self._link.heard

    @property
    def is_local(self) -> Optional[bool]:
        """Is the parent reached by an address that is this machine's alone? None where nobody can tell."""
        return self._link.is_local

    def send(self, kind: int, body: bytes = b"") -> None:
        """Queue a message to the parent."""
        self._link.send(kind, body)

    def speak_for(self, family: Callable[[int], Family], tell_again: Callable[[], None]) -> None:
        """From now on the agent is a parent.

        A new parent is told ``family(its rank)`` in HELLO (see Hello), and what ``tell_again()`` sends: the
        old one may have died before it passed that on.
        """
        self._family = family
        self._tell_again = tell_again

    def tell_exits(self, exits: List[Exited]) -> None:
        """Tell that commands have ended, here or below; after their output, and those of a round at once."""
        self._exits.update((one[:2], one) for one in exits)
        if not self._fresh:
            self._loop.soon(self._tell_fresh)
        self._fresh += exits

    def has_exited(self, rank: int, job: int) -> bool:
        """Does the parent know that this job has ended on this host?"""
        return (rank, job) in self._exits

    def tell_again(self, rank: int, job: int) -> None:
        """Report again how a job has ended on a host: the first report may have been lost."""
        self.tell_exits([self._exits[rank, job]])

    def forget(self, oldest: int) -> None:
        """Nobody asks for the end of a job any more that is older than this one, but for the first."""
        if any(FIRST < job < oldest for _, job in self._exits):
            self._exits = {name: one for name, one in self._exits.items() if not FIRST < name[1] < oldest}

    def keep(self, ranks: Iterable[int]) -> None:
        """These hosts, this one among them, are all in the agent's care: how jobs ended on others is told no more."""
        kept = {*ranks}
        self._exits = {name: one for name, one in self._exits.items() if name[0] in kept}

    def cut(self) -> List[int]:
        """The agent leaves: output that waits for credit is lost, exit codes are sent. The ranks whose it was."""
        self._tell_fresh()
        return self.outlet.cut()

    def log(self, line: str) -> None:
        """Send a line to the person who watches."""
        self.send(wire.LOG, line[-LONGEST_LINE:].encode("utf-8", "replace"))

    def done(self, shares: int) -> None:
        """Tell that everything of the first ``shares`` shares is finished."""
        self.send(wire.DONE, b"%d" % shares)

    def beat(self, silence: float, missed: float) -> None:
        """See whether the parent lives; who says nothing for long is asked, for its kernel to answer.

        ``missed``: seconds since the last time in which we have not listened.
        """
        link = self._link
        if link.judge(silence, missed) == patience.DEAD:
            link.fail("silent for %.0f s" % (monotonic() - link.heard))
        elif monotonic() - link.heard > silence * patience.ASK:
            link.send(wire.PONG)

    def seek_no_other(self) -> None:
        """The agent ends: when this parent is gone there is no other."""
        self._last = True

    def move(self) -> None:
        """The parent goes: turn to another ancestor when it has got all that is queued."""
        self.outlet.wait()
        self._link.finish(self._lost)

    def close(self) -> None:
        """Close the connection; what is still queued is tried once."""
        self._link.close()

    def finish(self, done: Callable[[], None]) -> None:
        """Close the connection when the parent has got all that is queued; then ``done()``."""
        self._tell_fresh()
        self._link.finish(done)

    # -- inside ------------------------------------------------------------------------------------

    def _tell_fresh(self) -> None:
        exits, self._fresh = self._fresh, []
        for at in range(0, len(exits), EXITS):
            self.outlet.put_exit(pack_exits(exits[at : at + EXITS]))

    def _join(self, line: leaf.Line) -> Link:
        link = Link(self._loop, line.session, line.read_fd, line.write_fd, self._got, lambda _: self._lost())
        link.heard = line.heard
        return link

    def _lost(self) -> None:
        config = self._config
        found = None if self._last or config.fd is not None else lost_parent.find_ancestor(config, leaf.reach)
        if found is None:
            self._alone()
            return
        line, received = found
        self._link = self._join(line)
        from mpboot.net import plain

        about = {"orphan": True, "lost": config.lost, **self._family(config.lineage[0][0])}
        self.send(wire.HELLO, leaf.hello(config, "," + plain.dumps(about).decode("ascii")[1:-1]))
        self.outlet.renew(self.send)
        self._tell_again()
        if self._exits:  # the old parent may have died with them
            self._fresh = []
            self.tell_exits(list(self._exits.values()))
        for kind, body in received:
            self._got(kind, body)
