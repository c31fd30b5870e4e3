"""The user's command on one host: started, its output read as fast as it is wanted, its whole family ended."""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import os
from time import monotonic, sleep

from mpboot.net import core
from mpboot.net.loop import READ
from mpboot.net.outlet import STDERR, STDOUT, Outlet, pack_out
from mpboot.node.program import become, encoded
from mpboot.workers.family import family, send, start_of
from mpboot.workers.pipes import pipes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Sequence, Tuple

    from mpboot.net.loop import Loop
    from mpboot.workers.family import Process

CHUNK = 1 << 13
PIPE = 1 << 16  # bytes that a pipe holds
DRAIN = 1.0  # seconds that output is waited for when the command has ended but something holds its pipes
KILL_AFTER = 1.5  # seconds between the first signal and KILL
PID_BYTES = 8
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
        ignored: Sequence[int] = (),
    ) -> None:
        """Start it, in a session of its own, stdin on /dev/null, these signals ignored. OSError if there is no room."""
        self._loop = loop
        self._outlet = outlet
        self._rank = rank
        self._ended = ended
        self._code = -1
        self._exited = self._told = self._reaped = False
        self._signalled = 0.0
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
                self._signal(signal.SIGKILL)
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
            self._has_exited(0)  # somebody else has reaped it, and knows
            return
        if ended is not None:
            self._has_exited(ended.si_status + (0 if ended.si_code == os.CLD_EXITED else 128))

    def stop(self, number: int) -> None:
        """Send a signal to every process of it, and KILL what is left a little later."""
        if self._signalled:
            return
        self._signalled = monotonic()
        self._signal(number)
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

    def _end_keeper(self) -> None:
        if self._keeper:
            os.kill(self._keeper, signal.SIGKILL)  # not reaped before: its number is still its own
            os.waitpid(self._keeper, 0)
            os.close(self._tell_keeper)
            self._keeper = 0

    @property
    def running(self) -> bool:
        """Is any process of it left, or anything of its end that can be told?"""
        return (not self._reaped and bool(self._family())) or (not self._told and bool(self._outlet.room))

    # -- inside ------------------------------------------------------------------------------------

    def _has_exited(self, code: int) -> None:
        self._exited = True
        self._code = code
        self._loop.later(DRAIN, self._give_up_output)
        self._finish()

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
        for fd in list(self._streams):
            for _ in range(PIPE // CHUNK):  # all that is in it, and not what comes for ever
                if fd in self._streams and self._outlet.room:
                    self._read(fd)
        if not self._outlet.room and self._streams:
            self._loop.later(DRAIN, self._give_up_output)  # it is the reader who is slow: nothing may be lost
            return
        for fd in list(self._streams):
            self._close(fd)
        self._finish()

    def _finish(self) -> None:
        if self._exited and not self._streams:
            self._told = True
            ended, self._ended = self._ended, lambda _: None
            ended(self._code)

    def _family(self) -> List[Process]:
        return family(self.pid, self._start, b"MPBOOT_TOKEN=" + self._token.encode())

    def _signal(self, number: int) -> None:
        end(self.pid, self._start, self._family(), number)


def end(leader: int, start: int, processes: List[Process], number: int) -> None:
    """Send a signal to a command's processes, each once; to its process group whether they can be found or not."""
    left = processes
    if leader and start_of(leader) in (0, start):  # else it has ended, and its number is somebody else's
        try:
            os.killpg(leader, number)
            left = [process for process in processes if _group_of(process[0]) != leader]
            if number != signal.SIGKILL:
                os.killpg(leader, signal.SIGCONT)  # one that is stopped is to see it
        except OSError:  # it has not got as far as having a group, or nobody is left in it, or it is another user's
            left = [(leader, start), *(process for process in processes if process[0] != leader)]
    send(left, number)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0  # it has ended


def _keep(token: bytes) -> Tuple[int, int]:
    """Start the keeper, which ends the command if the agent dies in a way that leaves it no time to. OSError.

    Its pid, and a descriptor: the command's pid goes there, and its closing is the agent's death.
    """
    agent_lives, held = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(agent_lives)
        os.close(held)
        raise
    if pid:
        os.close(agent_lives)
        return pid, held
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.dup2(agent_lives, 0)
        for fd in (agent_lives, held):
            os.close(fd)  # there may be no more descriptors, and what follows needs one
        os.closerange(3, 1 + max(map(int, _open_files())))
        null = os.open(os.devnull, os.O_RDWR)
        for target in (1, 2):
            os.dup2(null, target)
        os.closerange(3, 4)
        told = os.read(0, 2 * PID_BYTES)
        os.read(0, 1)
        # Nothing told: the agent died when it had just started the command, or just not.
        command = int.from_bytes(told[:PID_BYTES], "big"), int.from_bytes(told[PID_BYTES:], "big")
        for number, wait in ((signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, 0.0)):
            end(*command, family(*command, b"MPBOOT_TOKEN=" + token), number)
            sleep(wait)
    finally:
        os._exit(0)


def _open_files() -> List[str]:
    try:
        return os.listdir("/proc/self/fd")
    except OSError:
        return ["4096"]


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
