"""The user's command on one host: started, its output read as fast as it is wanted, its whole family ended."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import os

from mpboot.net import core
from mpboot.net.loop import READ
from mpboot.net.outlet import STDERR, STDOUT, Outlet, pack_out
from mpboot.node import remains
from mpboot.node.keeper import KILL_AFTER, PID_BYTES, end
from mpboot.node.keeper import keep as _keep
from mpboot.node.program import become, encoded
from mpboot.workers.family import family, start_of
from mpboot.workers.pipes import pipes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Sequence

    from mpboot.net.loop import Loop
    from mpboot.workers.family import Process

CHUNK = 1 << 13
DRAIN = (
    1.0  # seconds without output after which, when the command has ended, what holds its pipes is waited for no more
)
NOT_FOUND, NOT_RUN = 127, 126  # as shells have it


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
        argv: List[str],
        environment: Dict[str, str],
        ended: Callable[[Optional[int]], None],
        note: Callable[[str, str], None],
        ignored: Sequence[int] = (),
    ) -> None:
        """Start it, in a session of its own, stdin on /dev/null, these signals ignored. OSError if there is no room."""
        self._loop = loop
        self._outlet = outlet
        self._rank = rank
        self._ended = ended
        self._note = note
        self._code: Optional[int] = None
        self._exited = self._reaped = self._stopping = False
        self._spares = False  # what has detached itself is to stay
        self._moved = False  # output has come since we looked
        self._owed: Dict[int, int] = {}  # bytes that the command itself had left in its pipes
        self.told = False  # ``ended`` was called
        self.signal = 0
        self._token = os.urandom(8).hex()  # finds even what has become a daemon
        (out, out_end), (err, err_end) = made = pipes(2)
        self._streams = {out: STDOUT, err: STDERR}
        # The guard first: so there is no moment in which nobody would end the command, and no process too few for it.
        self.pid, self._start, self._keeper, self._tell_keeper = 0, 0, 0, -1
        try:
            self._keeper, self._tell_keeper = _keep(self._token.encode())
            self.pid = os.fork()
            if not self.pid:
                _become(argv, dict(environment, MPBOOT_TOKEN=self._token), out_end, err_end, ignored)
            self._start = start_of(self.pid)
            os.write(self._tell_keeper, self.pid.to_bytes(PID_BYTES, "big") + self._start.to_bytes(PID_BYTES, "big"))
        except OSError:  # of the write: the keeper has died, and nobody else would end the command
            if self.pid:
                end(self.pid, self._start, self._family(), signal.SIGKILL)
                os.waitpid(self.pid, 0)
            self._end_keeper()
            for fd in (fd for pair in made for fd in pair):
                os.close(fd)
            raise
        for fd in (out_end, err_end):
            os.close(fd)
        for fd in self._streams:
            os.set_blocking(fd, False)
        outlet.eased = self._watch_streams
        self._watch_streams()

    def child_ended(self) -> None:
        """A SIGCHLD came: see whether it was the command's.

        It is not reaped yet: as long as it is not, its number and its process group's are nobody else's.
        """
        if self._exited:
            return
        try:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            self._has_exited(None)  # somebody else has reaped it, and knows
            return
        if ended is not None:
            self._has_exited(ended.si_status + (0 if ended.si_code == os.CLD_EXITED else 128))

    def stop(self, number: int) -> None:
        """Send a signal to every process of it, and KILL what is left a little later.

        0, when it has ended by itself: what has detached itself stays, and TERM is for the rest.
        """
        if self._stopping:
            return
        self._stopping = True
        self.child_ended()
        self._spares = not number and self._exited
        self._signal(number or signal.SIGTERM)
        self._loop.later(KILL_AFTER, self.kill)

    def kill(self) -> None:
        """Kill every process of it, and the keeper."""
        if not self._reaped:
            self._signal(signal.SIGKILL)
            self.child_ended()
            if self._exited:  # its code is known
                self._reaped = True
                try:
                    os.waitpid(self.pid, 0)
                except ChildProcessError:
                    pass  # see child_ended
        self._end_keeper()

    def give_up(self) -> None:
        """Kill it, and wait for nothing: what is known of its end is told."""
        self.kill()
        if not self.told and any(map(remains.waiting, self._streams)):
            self._note(remains.OUTPUT, remains.CUT)
        for fd in list(self._streams):
            self._close(fd)
        self._exited = True
        self._finish()
        self._tell_who_stays()

    def _tell_who_stays(self) -> None:
        found = self._family()
        stays = remains.detached(found, self.pid) if self._spares else []
        if stays:
            text = "%d process%s, left by the command, run%s on: %s"
            many = ("", "s") if len(stays) == 1 else ("es", "")
            self._note(remains.LEFT, text % (len(stays), *many, remains.named(stays)))
        others = remains.foreign([one for one in found if one not in stays])
        if others:
            self._note(remains.LEFT, "can't be ended, since it is another user's: " + remains.with_numbers(others))

    def _end_keeper(self) -> None:
        if self._keeper:
            os.kill(self._keeper, signal.SIGKILL)  # not reaped before: its number is still its own
            os.waitpid(self._keeper, 0)
            os.close(self._tell_keeper)
            self._keeper = 0

    @property
    def running(self) -> bool:
        """Is any process of it left?"""
        return not self._reaped and bool(self._victims())

    # -- inside ------------------------------------------------------------------------------------

    def _has_exited(self, code: Optional[int]) -> None:
        self._exited = True
        self._code = code
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
            data = os.read(fd, min(CHUNK, room))
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._moved = True
            self._owed[fd] = self._owed.get(fd, 0) - len(data)
            self._outlet.put(pack_out(self._rank, self._streams[fd], data))
            return True
        self._close(fd)
        self._finish()
        return False

    def _close(self, fd: int) -> None:
        del self._streams[fd]
        self._loop.forget(fd)
        os.close(fd)

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
        return family(self.pid, self._start, b"MPBOOT_TOKEN=" + self._token.encode())

    def _victims(self) -> List[Process]:
        """Those of its processes that are to end with it."""
        found = self._family()
        stays = remains.detached(found, self.pid) if self._spares else []
        return [process for process in found if process not in stays]

    def _signal(self, number: int) -> None:
        self.child_ended()  # who has ended by himself was ended by nobody
        if not self._exited:
            self.signal = number
        end(self.pid, self._start, self._victims(), number)


def _become(argv: List[str], environment: Dict[str, str], out: int, err: int, ignored: Sequence[int]) -> None:
    """In the child of a fork: turn into the command."""
    try:
        os.setsid()
        core.as_before()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.closerange(3, max(out, err, null) + 256)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        become(argv, environment)
    except FileNotFoundError:
        os.write(2, encoded("mpboot: %s: not found\n" % argv[0]))
        os._exit(NOT_FOUND)
    except BaseException as error:  # whatever it is, a second agent must not run on from here
        told = getattr(error, "strerror", None) or error
        os.write(2, encoded("mpboot: %s can't be run: %s\n" % (argv[0], told)))
        os._exit(NOT_RUN)
