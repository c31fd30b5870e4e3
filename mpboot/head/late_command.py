"""A boot's command that begins only when all hosts are up or have failed: with a barrier, or with a standard input."""

from __future__ import annotations

from collections.abc import Sequence
from signal import SIGTERM

from mpboot.head.input import Input
from mpboot.head.jobs import End, Job, Jobs
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.head.recorder import Recorder
from mpboot.head.root import variables, words
from mpboot.net.loop import Loop
from mpboot.text import as_typed


class LateCommand:
    """The listener of its job. ``stdin``: a descriptor that is read for it, or -1."""

    def __init__(
        self, loop: Loop, jobs: Jobs, recorder: Recorder, observer: Observer, options: Options, stdin: int
    ) -> None:
        self._loop = loop
        self._jobs = jobs
        self._recorder = recorder
        self._observer = observer
        self._options = options
        self._stdin = stdin
        self._job: Job | None = None
        self._input: Input | None = None
        recorder.later()

    @property
    def begun(self) -> bool:
        """Has it begun?"""
        return self._job is not None

    def begin(self, ranks: Sequence[int], size: int) -> None:
        """Begin it on these hosts; ``size``: how many the boot has."""
        options, stdin = self._options, self._stdin >= 0
        job = self._job = self._jobs.prepare(
            words(options), variables(options, size), ranks, self, as_typed(options.cwd), options.command_timeout, stdin
        )
        self._recorder.begin(ranks)
        self._jobs.begin(job)
        if stdin:
            self._input = Input(self._loop, self._stdin, lambda: job.room, self._feed, self._cut)
            self._input.go_on()

    def eased(self) -> None:
        """There is room for output again."""
        if self._job is not None:
            self._jobs.hold(self._job, False)

    # -- what the tree says ------------------------------------------------------------------------

    def output(self, rank: int, stream: int, data: bytes) -> None:
        """A piece of output."""
        self._recorder.piece(rank, stream, data)
        if self._job is not None and self._observer.full:
            self._jobs.hold(self._job, True)

    def ended(self, rank: int, end: End) -> None:
        """It has ended on a host; of one that is lost the recorder hears otherwise."""
        if not end.cause:
            self._recorder.ended(rank, end.code, end.signal, end.missing)

    def noted(self, rank: int, text: str) -> None:
        """The recorder hears of that itself."""

    def wants(self, count: int) -> None:  # noqa: ARG002
        """There is room for more of its input."""
        if self._input is not None:
            self._input.go_on()

    def over(self) -> None:
        """It has ended everywhere."""
        if self._input is not None:
            self._input.close()

    def broken(self) -> None:
        """A fault in this program: the command is killed, and its ends are reported."""
        self._observer.log("the command is ended: its output can't be passed on, by a fault of mpboot's own")

    def _cut(self, why: str) -> None:
        """Its input can't be read to its end: nobody is to take a part for all."""
        self._observer.log(why)
        if self._job is not None:
            self._jobs.signal(self._job, SIGTERM, True)

    def _feed(self, data: bytes) -> None:
        assert self._job is not None
        if data:
            self._jobs.feed(self._job, data)
        else:
            self._jobs.feed_end(self._job)
