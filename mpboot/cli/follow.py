"""A session's job on the command line: its output shown, its input sent, signals passed on, until it has ended."""

from __future__ import annotations

import signal
from collections.abc import Callable
from time import monotonic

from mpboot.cli.counts import Counts
from mpboot.cli.display import BEAT as FRAME_BEAT
from mpboot.cli.display import Display
from mpboot.cli.output import Output
from mpboot.cli.sink import Sink
from mpboot.head.exits import outstanding
from mpboot.head.input import Input
from mpboot.head.signals import signals_into
from mpboot.net.loop import READ, Loop
from mpboot.net.outlet import STDERR, STDOUT
from mpboot.session import run as events
from mpboot.session.connection import LIFE, SessionLost
from mpboot.session.run import LOST_CODE, Run
from mpboot.text import Lines, fold
from mpboot.tree import causes

FIRST_FRAME = 0.5  # seconds until a display is drawn: most commands need less
FIRST_WORD = (
    10.0  # seconds until it is said, where there is none, how far a job is; then after twice as long, and so on
)
HEEDED = 4.0  # seconds of silence until a job that was interrupted is left alone: what it runs is killed after 1.5
BEAT = 2.0  # seconds between two looks whether the daemon lives


class Follow:
    """Follows ``job``. ``stdin``: a descriptor to read its input from, or -1. ``code``: the exit code at its end."""

    def __init__(self, job: Run, out: Sink, err: Sink, output: Output, stdin: int = -1) -> None:
        self.signal = 0  # that interrupted it
        self.why = ""  # the daemon has gone, or does not answer
        self._job = job
        self._out, self._err = out, err
        self._output = output
        self._display = Display(out, err)
        self._display.leave_off(stdin)
        self._counts = Counts(len(job.hosts), command=True)
        self._counts.is_job = self._counts.booted = True
        self._counts.up = len(job.hosts)
        self._counts.running = dict.fromkeys(job.hosts)
        self._drawing = False
        self._loop = Loop()
        self._input = Input(self._loop, stdin, lambda: job.room, self._feed, self._cut)
        self._lines: dict[tuple[str, int], Lines] = {}
        self._begun = monotonic()
        self._heard = monotonic()
        self._asked = 0.0  # when the daemon was last asked whether it lives; 0: never
        self._reading = True
        self.notes: dict[str, list[str]] = {}  # what there is to say of its end, and the hosts of which

    def run(self) -> None:
        """Until it has ended everywhere, or nobody knows any more."""
        job, loop = self._job, self._loop
        try:
            with signals_into(loop, self._signalled):
                for sink in (self._out, self._err):
                    sink.attach(loop)
                    sink.drained = self._drained
                self._out.broke = lambda: self._tell(lambda: job.signal(signal.SIGTERM))
                self._output.attach(loop)
                self._output.clear, self._output.say = self._display.cover, self.say
                self._display.begin(loop, True, self._redraw)
                loop.later(FIRST_FRAME, self._draw_on)
                for host in job.hosts:
                    if host not in job.down:
                        self._output.started(host)
                loop.watch(job.connection.fileno(), READ, lambda _: self._ready())
                loop.later(BEAT, self._beat)
                loop.later(FIRST_WORD, lambda: self._tell_progress(FIRST_WORD))
                self._take()
                self._input.go_on()
                if not job.over:
                    loop.run()
        finally:
            self._display.end()
            for sink in (self._out, self._err):
                sink.attach(None)
            self._output.attach(None)
            loop.close()

    @property
    def code(self) -> int:
        """The exit code."""
        if self.signal:
            return 128 + self.signal
        return LOST_CODE if self.why else self._job.exit_code

    def say(self, line: str) -> None:
        """A line of mpboot's own."""
        self._display.say(line)

    def progress(self) -> str:
        """How far it is, in a line."""
        job = self._job
        return outstanding(job.left, len(job.ends), len(job.hosts))

    # -- what comes --------------------------------------------------------------------------------

    def _ready(self) -> None:
        try:
            self._job.connection.receive()
        except SessionLost as error:
            self._take()
            self._lost(str(error))
            return
        self._heard = monotonic()
        self._take()

    def _take(self) -> None:
        for message in self._job.connection.taken():
            try:
                event = self._job.take(message)
            except SessionLost as error:
                self._lost(str(error))
                return
            if isinstance(event, events.Output):
                for line, whole in self._lines.setdefault((event.host, event.stream), Lines()).cut(event.data):
                    self._output.line(event.host, event.stream, line, whole)
            elif isinstance(event, events.Ended):
                self._ended(event.host, event.end.exit)
            elif isinstance(event, events.Noted):
                self.notes.setdefault(event.text, []).append(event.host)
            elif isinstance(event, events.Room):
                self._input.go_on()
        if self._display.uncovered():
            self._show()
        if self._job.over:
            self._loop.stop()
        elif self._output.full and self._reading:
            self._reading = False
            self._loop.forget(self._job.connection.fileno())

    def _ended(self, host: str, code: int | None) -> None:
        for stream in (STDOUT, STDERR):
            lines = self._lines.pop((host, stream), None)
            if lines is not None and lines.rest:
                self._output.line(host, stream, lines.rest, False)
        if host not in self._job.down:
            self._output.ended(host, code)
        self._counts.exited(host, code)
        self._show()

    # -- what is drawn -----------------------------------------------------------------------------

    def _draw_on(self) -> None:
        """Draw a frame now and then from now on."""
        self._drawing = True
        self._loop.later(FRAME_BEAT, self._draw_on)
        self._show(at_once=True)

    def _redraw(self) -> None:
        self._show(at_once=True)

    def _show(self, at_once: bool = False) -> None:
        if self._drawing:
            self._counts.seconds = monotonic() - self._begun
            self._display.draw(self._counts, at_once)

    def _drained(self) -> None:
        """The reader has taken all that waited."""
        if not self._reading and not self._output.full:
            self._reading = True
            self._heard = monotonic()
            self._loop.watch(self._job.connection.fileno(), READ, lambda _: self._ready())

    def _lost(self, why: str, cause: str = causes.LOST) -> None:
        self.why = why
        for host in self._job.left:
            self._ended(host, None)
        self._job.lost(why, cause)
        self._loop.stop()

    def _beat(self) -> None:
        """Does the daemon live? It is asked when it has been silent."""
        self._loop.later(BEAT, self._beat)
        now = monotonic()
        if not self._reading or now - self._heard < LIFE:
            return
        if self._asked < self._heard:
            self._asked = now
            self._tell(lambda: self._job.connection.ask("ping"))
        elif now - self._asked > LIFE:
            self._lost(self._job.connection.silent())

    def _tell_progress(self, pause: float) -> None:
        if not self._display.is_live:
            self.say(f"{self.progress()}, {monotonic() - self._begun:.0f} s")
        self._loop.later(2 * pause, lambda: self._tell_progress(2 * pause))

    # -- what goes ---------------------------------------------------------------------------------

    def _cut(self, why: str) -> None:
        """Its input can't be read to its end: nobody is to take a part for all."""
        self.say(why)
        self._tell(lambda: self._job.signal(signal.SIGTERM))

    def _feed(self, data: bytes) -> None:
        self._tell(lambda: self._job.feed(data))

    def _signalled(self, number: int) -> None:
        if number == signal.SIGUSR1:
            self.say(self.progress())
        else:
            self._end(number)

    def _end(self, number: int) -> None:
        """The job is to end; the second time, it is not waited for."""
        if self.signal:
            why = f"{fold(self._job.left)}: mpboot did not wait: how the command ends there is not known"
            self._lost(why, causes.INTERRUPTED)
            return
        self.signal = number
        if number == signal.SIGINT:
            self.say(self.progress())
        self._heard = monotonic()
        self._loop.later(HEEDED, self._leave)
        self._tell(lambda: self._job.signal(number))

    def _leave(self) -> None:
        """Wait no more for hosts that do not answer, now that the job is to end."""
        left = self._heard + HEEDED - monotonic() if self._reading else HEEDED
        if left > 0:
            self._loop.later(left, self._leave)
        elif self._job.left:
            why = "no answer: whether the command has ended there is not known; it ends when the host answers again"
            self._lost(f"{fold(self._job.left)}: {why}")

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except SessionLost as error:
            self._lost(str(error))
