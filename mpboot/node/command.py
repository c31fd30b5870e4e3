"""The user's command on one host: its output within the credit there is, its exit code, its end.

It is a child of its agent; see program.py and guard.py.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import posix
from time import monotonic, sleep

from mpboot.net.jobs import FIRST
from mpboot.net.loop import READ
from mpboot.net.outlet import STDERR, STDOUT, Outlet, pack_out
from mpboot.node.guard import KILL_AFTER, end, variable
from mpboot.workers.family import Census, none_left, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional

    from mpboot.net.loop import Loop
    from mpboot.node.guard import Guard
    from mpboot.node.program import Program
    from mpboot.workers.family import Process

CHUNK = 1 << 13
DRAIN = 1.0  # seconds without output after which who holds the pipes of one that has ended is waited for no more
ENDS, LOOK = 1.0, 0.002  # seconds that one that was killed may take to end; and between two looks
OUT_OF_TIME = 124  # exit code, as timeout(1) has it


class Command:
    """One command. ``ended(code)`` is called once, when it and its output have ended; None: nobody knows the code.

    ``note(what, text)`` tells what else there is to say of its end. ``signal``: which one of mpboot's it had been sent
    before it ended; 0: it has ended by itself. ``sent``: bytes of its output so far. ``census()`` shows all processes.
    """

    def __init__(
        self,
        loop: Loop,
        outlet: Outlet,
        rank: int,
        job: int,
        program: Program,
        guard: Guard,
        ended: Callable[[Optional[int]], None],
        note: Callable[[str, str], None],
        census: Callable[[], Census],
        stdin: Optional[int] = None,
    ) -> None:
        """Start it, in a session of its own. OSError if there is no room. ``stdin``: None for /dev/null."""
        self._loop = loop
        self._outlet = outlet
        self._rank, self._job, self._begun = rank, job, monotonic()
        self._ended = ended
        self._note, self._census = note, census
        self._code: Optional[int] = None
        self._exited = self._stopping = self._late = False
        self._held = False  # its output is not to be read now
        self._over = False  # nothing is left of it, so nothing can come of it any more
        self._spares = False  # what has detached itself is to stay
        self._moved = False  # output has come since we looked
        self._owed: Dict[int, int] = {}  # bytes that the command itself had left in its pipes
        self.told = False  # ``ended`` was called
        self.signal = self.sent = self._start = 0
        self._guard = guard
        self._token = program.token  # finds even what has become a daemon
        self._code_of, self._patient = program.code_of, program.is_patient
        null, given = -1, stdin
        if given is None:
            null = given = posix.open("/dev/null", posix.O_RDONLY)
        try:
            self.pid, out, err = program.start(guard, given)
        finally:
            if null >= 0:
                posix.close(null)
        self._streams = {out: STDOUT} if err < 0 else {out: STDOUT, err: STDERR}
        self.watch_streams()

    def child_changed(self) -> None:
        """A SIGCHLD came: perhaps it has ended. It is not reaped, so its number and its group's are nobody else's."""
        if self._exited:
            return
        try:
            ended = posix.waitid(posix.P_PID, self.pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
        except ChildProcessError:
            self._has_exited(None)  # somebody else has reaped it
            return
        if ended is not None:
            self._has_exited(self._code_of(ended.si_status, ended.si_code == posix.CLD_EXITED))

    def hold(self, held: bool) -> None:
        """Read no more of its output for now, or go on."""
        self._held = held
        for fd in self._streams if held else ():
            self._loop.forget(fd)
        self.watch_streams()

    def unread(self, stream: int) -> None:
        """Nobody reads this stream of it any more: who writes there gets SIGPIPE."""
        for fd in [fd for fd, one in self._streams.items() if one == stream]:
            self._close(fd)
        self._finish()

    def late(self) -> None:
        """Its time is over: it ends as by ``stop``, and its code says why."""
        if not (self._exited or self._stopping):
            self._late = True
            self.stop(signal.SIGTERM)

    def send(self, number: int) -> None:
        """Send a signal to every process of it."""
        self._signal(number)

    def stop(self, number: int) -> None:
        """Send a signal to every process of it, and KILL what is left a little later.

        0, when it has ended by itself: what has detached itself stays, and TERM is for the rest.
        """
        if self._stopping:
            return
        self._stopping = True
        self.child_changed()
        self._spares = not number and self._exited
        if self._patient and self._exited:
            self._loop.later(DRAIN, self._look_who_holds)
        self._signal(number or signal.SIGTERM)
        self._loop.later(KILL_AFTER, self.kill)

    def kill(self) -> None:
        """Kill every process of it."""
        self._signal(signal.SIGKILL)

    def give_up(self) -> None:
        """Kill the command, and report what is known of its end, without waiting."""
        self.kill()
        if not self._exited:
            self._wait_for_end()
        if not self.told and self._streams:
            from mpboot.node import remains

            if any(map(remains.waiting, self._streams)):
                self._note(remains.OUTPUT, remains.CUT)
        for fd in list(self._streams):
            self._close(fd)
        self._exited = True
        self._finish()
        self._tell_who_stays()

    def _tell_who_stays(self) -> None:
        found = [] if self._over else self._family(Census())  # an older look has those that were just killed
        if not found:
            return
        from mpboot.node import remains

        stays = self._staying(found)
        if stays:
            self._note(remains.LEFT, remains.run_on(stays))
        others = remains.foreign([one for one in found if one not in stays])
        if others:
            self._note(remains.LEFT, "can't be ended, since it is another user's: " + remains.with_numbers(others))

    def close(self) -> None:
        """It has ended, and what it has left is nobody's business any more: its number is free."""
        self._over = True
        self._guard.ended(self._token)
        try:
            posix.waitpid(self.pid, posix.WNOHANG)
        except ChildProcessError:
            pass  # somebody else has

    def _wait_for_end(self) -> None:
        """It was killed: what it was is known in a moment, unless it hangs in the kernel."""
        until = monotonic() + ENDS
        while not self._exited and monotonic() < until:
            self.child_changed()
            if not self._exited:
                sleep(LOOK)

    @property
    def stopping(self) -> bool:
        """Has the command got a signal to end, so that what is left of it will be killed?"""
        return self._stopping

    @property
    def running(self) -> bool:
        """Is any process of it left?"""
        return not self._exited or bool(self._victims())

    def watch_streams(self) -> None:
        """There is room for output."""
        for fd in self._streams if not self._held else ():
            self._loop.watch(fd, READ, lambda _, fd=fd: self._read(fd))  # type: ignore[misc, arg-type]

    # -- inside ------------------------------------------------------------------------------------

    def _has_exited(self, code: Optional[int]) -> None:
        self._exited, self._code = True, code
        if self._job == FIRST and code is not None:  # it will be looked for at the boot's end; that costs much then
            self._over = none_left(self.pid, variable(self._token), monotonic() - self._begun)
        for fd in list(self._streams):
            while self._read(fd) and fd in self._streams:
                continue
        if self._streams:
            from mpboot.node import remains

            self._owed = {fd: remains.waiting(fd) for fd in self._streams}
            self._moved = False
            self._loop.later(DRAIN, self._look_who_holds)
        self._finish()

    def _read(self, fd: int) -> bool:
        """Pass on a piece; is there perhaps more, and room for it?"""
        room = 0 if self._held else self._outlet.room
        if not room:
            for each in self._streams:
                self._loop.forget(each)  # until the outlet is eased
            return False
        try:
            data = posix.read(fd, min(CHUNK, room))
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._moved = True
            self._owed[fd] = self._owed.get(fd, 0) - len(data)
            self.sent += len(data)
            self._outlet.put(pack_out(self._rank, self._job, self._streams[fd], data))
            return True
        self._close(fd)
        self._finish()
        return False

    def _close(self, fd: int) -> None:
        del self._streams[fd]
        self._loop.forget(fd)
        posix.close(fd)

    def _look_who_holds(self) -> None:
        """The command has ended, its output has not: is anybody still at it?

        All that the command wrote itself is read, and all that comes of its own session without a pause. What has
        detached itself is not waited for, though it may write for ever, nor is who holds the pipes and is silent.
        """
        for fd in list(self._streams):
            while self._read(fd) and fd in self._streams:
                continue
        if not self._streams or (self._patient and not self._stopping):
            return
        from mpboot.node import remains

        left = self._family()
        waits = self._moved and len(remains.detached(left, self.pid)) < len(left)
        if waits or self._held or not self._outlet.room or any(self._owed.get(fd, 0) > 0 for fd in self._streams):
            self._moved = False
            self._loop.later(DRAIN, self._look_who_holds)
            return
        who = remains.named(remains.holders(left, self._streams))
        self._note(remains.OUTPUT, "%s, left by the command, holds its output: not read any further" % who)
        for fd in list(self._streams):
            self._close(fd)
        self._finish()

    def _finish(self) -> None:
        if self._exited and not self._streams and not self.told:
            self.told = True
            self._ended(OUT_OF_TIME if self._late else self._code)

    def _family(self, census: Optional[Census] = None) -> List[Process]:
        """Its processes that live."""
        if self._over:
            return []
        self._start = self._start or start_of(self.pid)
        found = (census or self._census()).family(self.pid, self._start, variable(self._token))
        self._over = self._exited and not found and bool(self._start)  # 0: there is no /proc to find any in
        return found

    def _victims(self) -> List[Process]:
        """Those of its processes that are to end with it."""
        found = self._family()
        stays = self._staying(found)
        return [process for process in found if process not in stays]

    def _staying(self, found: List[Process]) -> List[Process]:
        if not (self._spares and found):
            return []
        from mpboot.node import remains

        return remains.detached(found, self.pid)

    def _signal(self, number: int) -> None:
        self.child_changed()  # who has ended by himself was ended by nobody
        if not self._exited:
            self.signal = number
        victims = self._victims()
        if not self._over:
            end(self.pid, self._start, victims, number)
