"""The user's command on one host: its output within the credit there is, its exit code, its end.

It is a child of its keeper, who starts it; see keeper.py.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import posix

from mpboot.net.loop import READ
from mpboot.net.outlet import STDERR, STDOUT, Outlet, pack_out
from mpboot.node.keeper import ENDED, KILL_AFTER, STARTED, Kept, end
from mpboot.workers.family import family, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional

    from mpboot.net.loop import Loop
    from mpboot.node.keeper import Program
    from mpboot.workers.family import Process

CHUNK = 1 << 13
DRAIN = (
    1.0  # seconds without output after which, when the command has ended, what holds its pipes is waited for no more
)


class Command:
    """One command. ``ended(code)`` is called once, when it and its output have ended; None: nobody knows the code.

    ``note(what, text)`` tells what else there is to say of its end. ``signal``: which one of mpboot's it had been sent
    before it ended; 0: it has ended by itself.
    """

    def __init__(
        self,
        loop: Loop,
        outlet: Outlet,
        rank: int,
        job: int,
        program: Program,
        ended: Callable[[Optional[int]], None],
        note: Callable[[str, str], None],
    ) -> None:
        """Start it, in a session of its own, stdin on /dev/null. OSError if there is no room."""
        self._loop = loop
        self._outlet = outlet
        self._rank, self._job = rank, job
        self._ended = ended
        self._note = note
        self._code: Optional[int] = None
        self._exited = self._stopping = self._killed = False
        self._over = False  # nothing is left of it, so nothing can come of it any more
        self._spares = False  # what has detached itself is to stay
        self._moved = False  # output has come since we looked
        self._owed: Dict[int, int] = {}  # bytes that the command itself had left in its pipes
        self.told = False  # ``ended`` was called
        self.signal = 0
        self.pid, self._start = 0, 0
        self._token = program.token  # finds even what has become a daemon
        out, out_end = posix.pipe()
        try:
            err, err_end = posix.pipe()
            try:
                self._kept: Optional[Kept] = Kept(program, out_end, err_end)
            except OSError:
                posix.close(err)
                raise
            finally:
                posix.close(err_end)
        except OSError:
            posix.close(out)
            raise
        finally:
            posix.close(out_end)
        self._streams = {out: STDOUT, err: STDERR}
        for fd in self._streams:
            posix.set_blocking(fd, False)
        loop.watch(self._kept.fd, READ, lambda _: self.listen())
        outlet.eased = self._watch_streams
        self._watch_streams()

    def child_changed(self) -> None:
        """A SIGCHLD came: see whether somebody has stopped the keeper."""
        if self._kept is not None:
            self._kept.wake()

    def listen(self) -> None:
        """Hear what the keeper has to tell by now."""
        while self._kept is not None:
            try:
                told = self._kept.hear()
            except EOFError:
                self._end_keeper(gone=True)
                if not self._exited:  # somebody has killed the keeper: nobody else would end the command
                    self._signal(signal.SIGKILL)
                    self._has_exited(None)
                return
            if told is None:
                return
            what, one, other = told
            if what == STARTED:
                self.pid, self._start = one, other
                if self._stopping:
                    self._signal(self.signal or signal.SIGTERM)
            elif what == ENDED and not self._exited:
                self._has_exited(one)
                if self._killed:
                    self._end_keeper()

    def stop(self, number: int) -> None:
        """Send a signal to every process of it, and KILL what is left a little later.

        0, when it has ended by itself: what has detached itself stays, and TERM is for the rest.
        """
        if self._stopping:
            return
        self._stopping = True
        self.listen()
        self._spares = not number and self._exited
        self._signal(number or signal.SIGTERM)
        self._loop.later(KILL_AFTER, self.kill)

    def kill(self) -> None:
        """Kill every process of it, and its keeper when that has told how it ended."""
        self._killed = True
        self._signal(signal.SIGKILL)
        self.listen()
        if self._exited:
            self._end_keeper()

    def give_up(self) -> None:
        """Kill it, and wait for nothing: what is known of its end is told."""
        self.kill()
        self._end_keeper()
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
        found = self._family()
        if not found:
            return
        from mpboot.node import remains

        stays = self._staying(found)
        if stays:
            text = "%d process%s, left by the command, run%s on: %s"
            many = ("", "s") if len(stays) == 1 else ("es", "")
            self._note(remains.LEFT, text % (len(stays), *many, remains.named(stays)))
        others = remains.foreign([one for one in found if one not in stays])
        if others:
            self._note(remains.LEFT, "can't be ended, since it is another user's: " + remains.with_numbers(others))

    def _end_keeper(self, gone: bool = False) -> None:
        if self._kept is not None:
            self._loop.forget(self._kept.fd)
            self._kept.end(gone or self._exited)
            self._kept = None

    @property
    def running(self) -> bool:
        """Is any process of it left?"""
        return not self._exited or bool(self._victims())

    # -- inside ------------------------------------------------------------------------------------

    def _has_exited(self, code: Optional[int]) -> None:
        self._exited = True
        self._code = code
        for fd in list(self._streams):
            while self._read(fd) and fd in self._streams:
                continue
        if self._streams:
            from mpboot.node import remains

            self._owed = {fd: remains.waiting(fd) for fd in self._streams}
            self._moved = False
            self._loop.later(DRAIN, self._look_who_holds)
        self._finish()

    def _watch_streams(self) -> None:
        for fd in self._streams:
            self._loop.watch(fd, READ, lambda _, fd=fd: self._ready(fd))  # type: ignore[misc]

    def _ready(self, fd: int) -> None:
        self._read(fd)

    def _read(self, fd: int) -> bool:
        """Pass on a piece; is there perhaps more, and room for it?"""
        room = self._outlet.room
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
        if not self._streams:
            return
        from mpboot.node import remains

        left = self._family()
        waits = self._moved and len(remains.detached(left, self.pid)) < len(left)
        if waits or not self._outlet.room or any(self._owed.get(fd, 0) > 0 for fd in self._streams):
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
            self._ended(self._code)

    def _family(self) -> List[Process]:
        """Its processes that live."""
        if self._over:
            return []
        if not self.pid and self._kept is not None:  # it is being started
            keeper = self._kept.pid, start_of(self._kept.pid)
            return [process for process in family(*keeper, self._token) if process != keeper]
        found = family(self.pid, self._start, self._token)
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
        self.listen()  # who has ended by himself was ended by nobody
        if not self._exited:
            self.signal = number
        victims = self._victims()
        if not self._over:
            end(self.pid, self._start, victims, number)
