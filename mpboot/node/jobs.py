"""The commands of an agent's own host, by job: begun, fed, signalled, held, ended, as its parent says."""

from __future__ import annotations

import posix
from _signal import SIGTERM  # type: ignore[import-not-found]
from time import monotonic

from mpboot.net import wire
from mpboot.net.jobs import (
    FIRST,
    GAP,
    HELD,
    LET_GO_OF,
    STDIN_WINDOW,
    Run,
    job_of,
    packed,
    unpack_hold,
    unpack_signal,
    unpack_stdin,
)
from mpboot.net.outlet import STDERR, STDOUT, pack_out
from mpboot.node.command import Command
from mpboot.node.feed import Feed
from mpboot.node.guard import KILL_AFTER, Guard
from mpboot.node.program import NOT_RUN, Program, encoded, keep_to_ourselves, refused
from mpboot.node.vfork import Vfork
from mpboot.workers.family import Census

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Sequence

    from mpboot.net.loop import Loop, Timer
    from mpboot.node.uplink import Uplink

MOST_TOLD = 1 << 12  # bytes of a complaint about a command


class Commands:
    """What runs here. ``changed()`` is called when one has ended."""

    def __init__(
        self, loop: Loop, uplink: Uplink, rank: int, host: str, ignored: Sequence[int], changed: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._uplink = uplink
        self._rank, self._host = rank, host
        self._ignored = ignored
        self._changed = changed
        self._guard = Guard()
        self._vfork = Vfork()
        keep_to_ourselves()
        self._commands: Dict[int, Command] = {}
        self._feeds: Dict[int, Feed] = {}
        self._limits: Dict[int, Timer] = {}
        self._owed: Dict[int, int] = {}  # bytes of a job's stdin that were taken, and the parent was not told so
        self._census: Optional[Census] = None
        self.passing_on: Optional[Callable[[int, int], bool]] = (
            None  # a parent's: (job, bytes of stdin); has it that job?
        )
        uplink.outlet.eased = self._eased

    def run(self, order: Run) -> None:
        """Begin a job. A job that is known is not begun again, but its end is reported again."""
        job = order.job
        if job in self._commands:
            if order.again and job in self._feeds and not self._feeds[job].ended:
                self._cut(job)
            return
        if self._uplink.has_exited(self._rank, job):
            self._uplink.tell_again(self._rank, job)
            return
        if order.again and order.stdin:
            self._note("output", GAP)
            self._tell(job, NOT_RUN, 0, monotonic(), 0)
            return
        begun = monotonic()
        feed = program = None
        try:
            program = self._program(order)
            if program is None:
                return
            if order.stdin:
                feed = self._feeds[job] = Feed(self._loop, self._taker(job), program.terminal)
            command = self._commands[job] = Command(
                self._loop, self._uplink.outlet, self._rank, job, program, self._guard,
                lambda code: self._ended(job, begun, code), self._note, self._look_round,
                feed.end if feed is not None else None,
            )  # fmt: skip
        except OSError as error:
            told = encoded("mpboot: " + refused(order.argv[0], self._host, error))[:MOST_TOLD] + b"\n"
            if feed is not None:
                self._feeds.pop(job).close()
            if program is not None and program.terminal[0] >= 0:
                posix.close(program.terminal[0])
            self._say(job, STDERR, told, NOT_RUN, begun)
            return
        finally:
            if feed is not None:
                feed.close_end()
        if order.limit:
            self._limits[job] = self._loop.later(order.limit, command.late)

    def _program(self, order: Run) -> Optional[Program]:
        """What is to be run; None for a question that is answered here. OSError, ValueError."""
        if not order.login:
            variables = [*order.env, ("MPBOOT_RANK", "%d" % self._rank), ("MPBOOT_HOST", self._host)]
            return Program(order.argv, variables, self._host, self._ignored, order.cwd, self._vfork)
        from mpboot.net.login import ABOUT, Login
        from mpboot.node.login import LoginProgram, about

        login = Login.unpack(order.argv)
        if login.kind == ABOUT:
            self._say(order.job, STDOUT, encoded(about()), 0, monotonic())
            return None
        program = LoginProgram(login, order.env, self._host, self._ignored, order.cwd)
        if login.term and order.stdin:
            program.open_terminal()
        return program

    def signal(self, body: bytes) -> None:
        """SIGNAL for a job, whether it runs here or not."""
        number, last = unpack_signal(body)
        command = self._commands.get(job_of(body))
        if command is not None:
            command.stop(number) if last else command.send(number)

    def stdin(self, body: bytes) -> None:
        """STDIN for a job."""
        offset, data = unpack_stdin(body)
        job = job_of(body)
        feed = self._feeds.get(job)
        if feed is None:
            self._take(job, len(data))  # it has ended, or could not be begun
        elif not feed.put(offset, data):
            self._cut(job)
            self._take(job, len(data))

    def hold(self, body: bytes) -> None:
        """HOLD for a job."""
        command, how = self._commands.get(job_of(body)), unpack_hold(body)
        if command is not None:
            command.unread(how - LET_GO_OF) if how > LET_GO_OF else command.hold(how == HELD)

    def window(self, body: bytes) -> None:
        """WINDOW for a job."""
        from mpboot.net.login import unpack_window

        size, feed = unpack_window(body), self._feeds.get(job_of(body))
        if feed is not None and feed.open and feed.terminal >= 0:
            from mpboot.node.login import resize

            resize(feed.terminal, size)

    def child_changed(self) -> None:
        """A SIGCHLD came."""
        for command in list(self._commands.values()):
            command.child_changed()
        self._guard.look()

    def stop(self, number: int) -> None:
        """End all; 0, when all has ended well: what detached itself stays."""
        for command in self._commands.values():
            command.stop(number)

    def kill(self) -> None:
        """Kill all."""
        for command in self._commands.values():
            command.kill()

    def give_up(self) -> None:
        """Kill all, and wait for nothing."""
        self.kill()
        for command in list(self._commands.values()):
            command.give_up()
            command.close()
        self._guard.close()
        self._vfork.close()

    @property
    def ended(self) -> bool:
        """Have all commands ended, and does the parent know?"""
        return all(command.told and not command.running for command in self._commands.values())

    @property
    def idle(self) -> bool:
        """Does nothing run?"""
        return all(command.told for command in self._commands.values())

    # -- inside ------------------------------------------------------------------------------------

    def _look_round(self) -> Census:
        """All processes here: looked at once for all commands that ask in this round of the loop."""
        if self._census is None:
            self._census = Census()
            self._loop.soon(self._forget_census)
        return self._census

    def _forget_census(self) -> None:
        self._census = None

    def _eased(self) -> None:
        for command in list(self._commands.values()):
            command.watch_streams()

    def _note(self, what: str, text: str) -> None:
        from mpboot.net import commands

        self._uplink.send(wire.NOTE, commands.Note(self._rank, what, text).pack())

    def _ended(self, job: int, begun: float, code: Optional[int]) -> None:
        command = self._commands[job]
        if job in self._limits:
            self._limits.pop(job).cancel()
        feed = self._feeds.pop(job, None)
        if feed is not None:
            feed.close()
            self._take(job, 0)  # what was owed
        self._tell(job, code, command.signal, begun, command.sent)
        if job != FIRST:  # what a boot's own command has left ends with the boot
            if command.stopping:
                self._loop.later(KILL_AFTER, lambda: self._forget(job))
            else:
                self._forget(job)
        self._changed()

    def _cut(self, job: int) -> None:
        """Part of its standard input is lost: it must not take what it has for all."""
        if self._feeds[job].is_cut:
            return
        self._feeds[job].cut()
        self._note("output", GAP)
        self._commands[job].stop(SIGTERM)

    def _forget(self, job: int) -> None:
        command = self._commands.pop(job, None)
        if command is not None:
            command.close()

    def _say(self, job: int, stream: int, text: bytes, code: int, begun: float) -> None:
        """All there is to a job that no program ran for: its output, and its end."""
        self._uplink.outlet.put(pack_out(self._rank, job, stream, text))
        self._tell(job, code, 0, begun, len(text))

    def _tell(self, job: int, code: Optional[int], signal: int, begun: float, sent: int) -> None:
        self._uplink.tell_exits([(self._rank, job, code, signal, monotonic() - begun, sent)])

    def _taker(self, job: int) -> Callable[[int], None]:
        return lambda count: self._take(job, count)

    def _take(self, job: int, count: int) -> None:
        if self.passing_on is not None and self.passing_on(job, count):
            return
        owed = self._owed.pop(job, 0) + count
        if job in self._feeds and owed * 4 < STDIN_WINDOW:
            self._owed[job] = owed
        elif owed:
            self._uplink.send(wire.TAKEN, packed(job) + packed(owed))
