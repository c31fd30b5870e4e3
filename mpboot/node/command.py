"""The user's command on one host: started, its output read as fast as it is wanted, its whole family ended."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import os
from time import monotonic, sleep

from mpboot.net.loop import READ
from mpboot.net.outlet import STDERR, STDOUT, Outlet, pack_out
from mpboot.workers.family import family, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List

    from mpboot.net.loop import Loop

CHUNK = 1 << 13
DRAIN = 1.0  # seconds that output is waited for when the command has ended but something holds its pipes
KILL_AFTER = 1.5  # seconds between the first signal and KILL
NOT_FOUND, NOT_RUN = 127, 126  # as shells have it


class Command:
    """One command. ``ended(code)`` is called once, when it and its output have ended."""

    def __init__(
        self,
        loop: Loop,
        outlet: Outlet,
        rank: int,
        argv: List[str],
        environment: Dict[str, str],
        ended: Callable[[int], None],
    ) -> None:
        """Start it, in a session of its own, stdin on /dev/null."""
        self._loop = loop
        self._outlet = outlet
        self._rank = rank
        self._ended = ended
        self._code = -1
        self._exited = False
        self._told = False
        self._signalled = 0.0
        self._token = os.urandom(8).hex()  # finds even what has become a daemon
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        self._streams = {out: STDOUT, err: STDERR}
        self.pid = os.fork()
        if not self.pid:
            _become(argv, dict(environment, MPBOOT_TOKEN=self._token), out_end, err_end)
        self._keeper = _keep(self._family)
        for fd in (out_end, err_end):
            os.close(fd)
        for fd in self._streams:
            os.set_blocking(fd, False)
        outlet.eased = self._watch_streams
        self._watch_streams()

    def child_ended(self) -> None:
        """A SIGCHLD came: see whether it was the command's."""
        if self._exited:
            return
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 0
        if pid:
            self._exited = True
            self._code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            self._loop.later(DRAIN, self._give_up_output)
            self._finish()

    def stop(self, number: int) -> None:
        """Send a signal to every process of it, and KILL what is left a little later."""
        if self._signalled:
            return
        self._signalled = monotonic()
        self._signal(number)
        self._loop.later(KILL_AFTER, self.kill)

    def kill(self) -> None:
        """Kill every process of it, and the keeper."""
        self._signal(signal.SIGKILL)
        if self._keeper:
            os.kill(self._keeper, signal.SIGKILL)  # not reaped before: its number is still its own
            os.waitpid(self._keeper, 0)
            self._keeper = 0

    @property
    def running(self) -> bool:
        """Is any process of it left, or anything of its end that can be told?"""
        return bool(self._family()) or (not self._told and bool(self._outlet.room))

    # -- inside ------------------------------------------------------------------------------------

    def _watch_streams(self) -> None:
        for fd in self._streams:
            self._loop.watch(fd, READ, lambda _, fd=fd: self._read(fd))  # type: ignore[misc]

    def _read(self, fd: int) -> None:
        room = self._outlet.room
        if not room:
            for each in self._streams:
                self._loop.forget(each)  # until the outlet is eased
            return
        try:
            data = os.read(fd, min(CHUNK, room))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._outlet.put(pack_out(self._rank, self._streams[fd], data))
            return
        self._close(fd)
        self._finish()

    def _close(self, fd: int) -> None:
        del self._streams[fd]
        self._loop.forget(fd)
        os.close(fd)

    def _give_up_output(self) -> None:
        if not self._outlet.room and self._streams:
            self._loop.later(DRAIN, self._give_up_output)  # it is the reader who is slow: nothing may be lost
            return
        for fd in list(self._streams):
            self._read(fd)
        for fd in list(self._streams):
            self._close(fd)
        self._finish()

    def _finish(self) -> None:
        if self._exited and not self._streams:
            self._told = True
            ended, self._ended = self._ended, lambda _: None
            ended(self._code)

    def _family(self) -> List[int]:
        return family(self.pid, b"MPBOOT_TOKEN=" + self._token.encode())

    def _signal(self, number: int) -> None:
        send(self._family(), number)


def _keep(family: Callable[[], List[int]]) -> int:
    """Start the keeper, which ends the command if the agent dies in a way that leaves it no time to; its pid."""
    agent_lives, held = os.pipe()
    pid = os.fork()
    if pid:
        os.close(agent_lives)  # the other end stays open until this process ends; nobody else has it
        return pid
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for source, target in ((agent_lives, 0), (null, 1), (null, 2)):
            os.dup2(source, target)
        os.closerange(3, 1 + max([held, null, *map(int, _open_files())]))
        os.read(0, 1)
        send(family(), signal.SIGTERM)
        sleep(KILL_AFTER)
        send(family(), signal.SIGKILL)
    finally:
        os._exit(0)


def _open_files() -> List[str]:
    try:
        return os.listdir("/proc/self/fd")
    except OSError:
        return ["4096"]


def _become(argv: List[str], environment: Dict[str, str], out: int, err: int) -> None:
    """In the child of a fork: turn into the command."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.closerange(3, max(out, err, null) + 256)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(argv[0], argv, {**os.environ, **environment})
    except FileNotFoundError:
        os.write(2, ("mpboot: %s: not found\n" % argv[0]).encode("utf-8", "replace"))
        os._exit(NOT_FOUND)
    except BaseException as error:  # whatever it is, a second agent must not run on from here
        os.write(2, ("mpboot: %s can't be run: %s\n" % (argv[0], error)).encode("utf-8", "replace"))
        os._exit(NOT_RUN)
