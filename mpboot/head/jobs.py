"""The jobs of a kept tree, as the head has them: begun on some hosts, fed, signalled, and their ends gathered.

Who wants one, and what becomes of its output, is not known here.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from signal import SIGKILL
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from mpboot.net import commands, wire
from mpboot.net.fields import whole
from mpboot.net.jobs import (
    FIRST,
    LET_GO_OF,
    NUMBER,
    STDIN_WINDOW,
    Run,
    job_of,
    number_at,
    pack_signal,
    pack_stdin,
    packed,
)
from mpboot.net.login import Login, pack_window
from mpboot.net.outlet import unpack_out
from mpboot.node.dispatch import pack_to
from mpboot.tree import causes

if TYPE_CHECKING:
    from mpboot.net.login import Size

PIECE = 1 << 15  # bytes of standard input that travel in a frame
LONGEST = 1 << 24  # bytes of words and variables together


@dataclass
class End:
    """How a job has ended on a host.

    ``code``: its exit code, None where nobody knows it; ``signal``: mpboot's own that ended it, or 0; ``seconds`` that
    it ran there; ``cause`` and ``detail``: why there is no code; ``missing``: bytes of its output that were lost.
    """

    code: int | None
    signal: int = 0
    seconds: float = 0.0
    cause: str = ""
    detail: str = ""
    missing: int = 0


class Listener(Protocol):
    """Who wants to know what becomes of a job."""

    def output(self, rank: int, stream: int, data: bytes) -> None:
        """A piece of its output on a host; stream 1 is stdout, 2 is stderr."""

    def ended(self, rank: int, end: End) -> None:
        """It has ended on a host; no output follows from there."""

    def noted(self, rank: int, text: str) -> None:
        """There is more to say of its end on a host."""

    def wants(self, count: int) -> None:
        """There is room for so many bytes more of its standard input."""

    def over(self) -> None:
        """It has ended everywhere."""

    def broken(self) -> None:
        """One of these calls has failed: the job is being ended, and from now on only its ends are reported."""


class Job:
    """One job. ``left``: the hosts on which it has not ended, by rank."""

    def __init__(self, run: Run, ranks: Collection[int], listener: Listener) -> None:
        self.run = run
        self.ranks = sorted(ranks)
        self.left = set(ranks)
        self.listener = listener
        self.begun = monotonic()
        self.got: dict[int, int] = {}  # bytes of output, by rank
        self.signalled: bytes = b""  # what it was sent last
        self.held = False
        self.fed = 0  # bytes of its standard input that are on their way, or there
        self.room = STDIN_WINDOW  # bytes of it that may be sent
        self.fed_all = not run.stdin
        self.broken = False  # its listener is

    @property
    def number(self) -> int:
        """What people call it by."""
        return self.run.job


class Jobs:
    """All of a tree's but the boot's own. ``send(kind, body)`` is to the root.

    What a listener raises costs its own job, and no other: ``fault(text)`` gets the traceback.
    """

    def __init__(self, send: Callable[[int, bytes], None]) -> None:
        self.fault: Callable[[str], None] = lambda _: None
        self.running: dict[int, Job] = {}
        self._send = send
        self._last = FIRST

    def prepare(
        self,
        argv: Sequence[str],
        env: Sequence[tuple[str, str]],
        ranks: Collection[int],
        listener: Listener,
        cwd: str = "",
        limit: float = 0.0,
        stdin: bool = False,
        login: bool = False,
    ) -> Job:
        """A job for these hosts, which are up; ``begin`` begins it. ``limit``: seconds, 0 for none.

        With ``stdin`` it is to be fed; with ``login`` the words are those of an ssh login. ValueError for what no host
        would take: an agent gives up whoever sends it such a thing.
        """
        if login:
            Login.unpack(argv)
        self._last += 1
        oldest = min(self.running, default=self._last)
        run = Run(self._last, argv, env, True, oldest, cwd, limit, stdin, login=login)
        if len(run.pack()) > LONGEST:
            raise ValueError(f"words and variables of more than {LONGEST} bytes: no kernel takes them")
        return Job(run, ranks, listener)

    def begin(self, job: Job) -> None:
        """Begin it."""
        self.running[job.number] = job
        if job.left:
            self._tell(job, job.ranks, wire.RUN, job.run.pack())
        else:
            self._over(job)

    def signal(self, job: Job, number: int, last: bool) -> None:
        """Send a signal to all its processes; ``last``: what is left a little later is killed."""
        job.signalled = pack_signal(job.number, number, last)
        self._tell(job, job.left, wire.SIGNAL, job.signalled)

    def hold(self, job: Job, held: bool) -> None:
        """Have hosts read no more of its output for now, or read on."""
        if held != job.held:
            job.held = held
            self._tell(job, job.left, wire.HOLD, packed(job.number) + bytes((held,)))

    def unread(self, job: Job, stream: int) -> None:
        """Nobody reads this stream of it any more."""
        self._tell(job, job.left, wire.HOLD, packed(job.number) + bytes((LET_GO_OF + stream,)))

    def resize(self, job: Job, size: Size) -> None:
        """Its terminal has another size."""
        self._tell(job, job.left, wire.WINDOW, pack_window(job.number, size))

    def feed(self, job: Job, data: bytes) -> None:
        """More of its standard input: at most ``job.room`` bytes."""
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            self._tell(job, job.ranks, wire.STDIN, pack_stdin(job.number, job.fed, piece))
            job.fed += len(piece)
            job.room -= len(piece)

    def feed_end(self, job: Job) -> None:
        """Nothing follows of its standard input."""
        job.fed_all = True
        self._tell(job, job.ranks, wire.STDIN, pack_stdin(job.number, job.fed, b""))

    # -- what the tree says ------------------------------------------------------------------------

    def output(self, body: bytes) -> None:
        """OUT of a job."""
        rank, number, stream, data = unpack_out(body)
        job = self.running.get(number)
        if job is not None and rank in job.left:
            job.got[rank] = job.got.get(rank, 0) + len(data)
            self._hear(job, job.listener.output, rank, stream, data)

    def exited(self, one: commands.Exit) -> None:
        """EXIT of a job on a host."""
        job = self.running.get(one.job)
        if job is not None:
            missing = max(0, one.sent - job.got.get(one.rank, 0))
            self._end(job, one.rank, End(one.code, one.signal, one.seconds, missing=missing))

    def taken(self, body: bytes) -> None:
        """TAKEN: so much of a job's standard input is out of the root's hands. ValueError."""
        job = self.running.get(job_of(body))
        count = whole(number_at(body, NUMBER), 0, STDIN_WINDOW)
        if job is not None:
            job.room += count
            self._hear(job, job.listener.wants, count)

    def noted(self, rank: int, text: str) -> None:
        """A remark about what some job has left on a host, or about its output there."""
        for job in list(self.running.values()):
            if rank in job.left:
                self._hear(job, job.listener.noted, rank, text)

    def up_again(self, rank: int) -> None:
        """A host has another parent: what was on its way there may have been lost with the old one."""
        for job in self.running.values():
            if rank in job.left:
                self._tell(job, [rank], wire.RUN, job.run.on(True, again=True).pack())
                if job.signalled:
                    self._tell(job, [rank], wire.SIGNAL, job.signalled)
                self._tell(job, [rank], wire.HOLD, packed(job.number) + bytes((job.held,)))

    def lost(self, rank: int, detail: str) -> None:
        """A host is lost, and what ran there."""
        for job in list(self.running.values()):
            self._end(job, rank, End(None, cause=causes.LOST, detail=detail, seconds=monotonic() - job.begun))

    def all_lost(self, detail: str) -> None:
        """The tree has ended."""
        for job in list(self.running.values()):
            for rank in sorted(job.left):
                self._end(job, rank, End(None, cause=causes.LOST, detail=detail, seconds=monotonic() - job.begun))

    # -- inside ------------------------------------------------------------------------------------

    def _tell(self, job: Job, ranks: Collection[int], kind: int, body: bytes) -> None:
        if job.left and ranks:
            self._send(wire.TO, pack_to(sorted(ranks), kind, body))

    def _end(self, job: Job, rank: int, end: End) -> None:
        if rank in job.left:
            job.left.discard(rank)
            self._hear(job, job.listener.ended, rank, end, end=True)
            if not job.left:
                self._over(job)

    def _over(self, job: Job) -> None:
        self.running.pop(job.number, None)
        self._hear(job, job.listener.over, end=True)

    def _hear(self, job: Job, hear: Callable[..., None], *what: object, end: bool = False) -> None:
        """Tell its listener, who may fail; an ``end`` is told also to one who has."""
        if job.broken and not end:
            return
        try:
            hear(*what)
        except Exception:
            self.fault(traceback.format_exc())
            if not job.broken:
                job.broken = True
                self.signal(job, SIGKILL, True)
                self.hold(job, False)
                self._hear(job, job.listener.broken, end=True)
