"""A job as a client has it: its output and ends go to the client, and the client's signals and input to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol

from mpboot.head.jobs import End, Job, Jobs
from mpboot.session import frames
from mpboot.session.guest import Guest

FULL = 1 << 20  # bytes that wait for a client: its job's output is held, until all are written
GONE = 15  # the signal to a job when its client has gone


class Running(Protocol):
    """A job as ``mpboot jobs`` shows it and ``mpboot kill`` ends it: a client's, or an ssh's."""

    argv: list[str]
    begun: float
    job: Job | None

    @property
    def detached(self) -> bool:
        """Does it go on without a client?"""

    def signal(self, number: int, last: bool) -> None:
        """Send a signal to all of it."""


class Task:
    """Listens to one job. ``places``: the hosts of the job by rank, and their number in the client's list."""

    def __init__(
        self,
        jobs: Jobs,
        guest: Guest | None,
        places: dict[int, int],
        argv: Sequence[str],
        finished: Callable[[Task], None],
    ) -> None:
        """``guest`` is None for a job that nobody waits for. ``finished`` is called when it has ended everywhere."""
        self.argv = list(argv)
        self._finished = finished
        self.begun = monotonic()
        self.job: Job | None = None
        self._jobs = jobs
        self._guest = guest
        self._is_detached = guest is None
        self._places = places
        if guest is not None:
            guest.drained = self._drained

    @property
    def detached(self) -> bool:
        """Was it begun to go on without a client?"""
        return self._is_detached

    # -- what the client says ----------------------------------------------------------------------

    def signal(self, number: int, last: bool) -> None:
        """Send a signal to all of it."""
        if self.job is not None:
            self._jobs.signal(self.job, number, last)

    def stdin(self, data: bytes) -> None:
        """More of its input; nothing: that was all. ValueError for more than it was asked for."""
        job = self.job
        if job is None or job.fed_all:
            return
        if not data:
            self._jobs.feed_end(job)
        elif len(data) > job.room:
            raise ValueError("more of a standard input than was asked for")
        else:
            self._jobs.feed(job, data)

    def gone(self) -> None:
        """Its client has gone: it ends, too."""
        self._guest = None
        if self.job is not None and self.job.left:
            self._jobs.signal(self.job, GONE, True)
            self._jobs.hold(self.job, False)

    # -- what the tree says ------------------------------------------------------------------------

    def output(self, rank: int, stream: int, data: bytes) -> None:
        """A piece of output."""
        if self._guest is None:
            return
        self._guest.send(frames.pack_output(self._places[rank], stream, data))
        if self._guest.waiting > FULL and self.job is not None:
            self._jobs.hold(self.job, True)

    def ended(self, rank: int, end: End) -> None:
        """It has ended on a host."""
        self._tell(
            ended=self._places[rank], exit=end.code, signal=end.signal, seconds=round(end.seconds, 4), cause=end.cause,
            detail=end.detail, missing=end.missing,
        )  # fmt: skip

    def noted(self, rank: int, text: str) -> None:
        """There is more to say of its end there."""
        self._tell(note=text, of=self._places[rank])

    def wants(self, count: int) -> None:
        """There is room for so many bytes more of its input."""
        self._tell(room=count)

    def over(self) -> None:
        """It has ended everywhere."""
        self._tell(over=round(monotonic() - self.begun, 4))
        self._finished(self)

    def broken(self) -> None:
        """A fault of ours: the client is let go, and says that the connection was lost."""
        if self._guest is not None:
            self._guest.close()

    # -- inside ------------------------------------------------------------------------------------

    def _tell(self, **told: Any) -> None:
        if self._guest is not None:
            self._guest.tell(**told)

    def _drained(self) -> None:
        if self.job is not None:
            self._jobs.hold(self.job, False)
