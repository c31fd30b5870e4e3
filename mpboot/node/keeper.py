"""A command's keeper: starts it, tells its end, and ends it where the agent dies in a way that leaves it no time to.

It is a fork of the agent: so there is no moment in which nobody would end the command, the agent never waits for a
program that is slow to start, and what ends a command after the agent needs no code that would have to be loaded.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import posix
from select import POLLIN, poll
from time import sleep

from mpboot.net import core
from mpboot.node.program import NotRun, encoded, start
from mpboot.workers.family import family, send, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NoReturn, Optional, Sequence, Tuple

    from mpboot.workers.family import Process

KILL_AFTER = 1.5  # seconds between the first signal and KILL
NOT_FOUND, NOT_RUN = 127, 126  # exit codes as shells have them
NO_ROOM = (11, 12)  # errors: EAGAIN, which a limit of processes gives, and ENOMEM
ENDS = 1.0  # seconds that a keeper may take to end when it is told to
STARTED, ENDED = b"s", b"e"  # what the keeper tells: and two numbers, pid and start, or exit code and 0
NUMBER = 8  # bytes of each number
TOLD = 1 + 2 * NUMBER  # bytes of each thing that it tells
# What Python or the agent ignores or catches, and a program expects to find as it is by default.
DEFAULTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)


def end(leader: int, start: int, processes: List[Process], number: int) -> None:
    """Send a signal to a command's processes, each once; to its process group whether they can be found or not."""
    left = processes
    if leader and start_of(leader) in (0, start):  # else it has ended, and its number is somebody else's
        try:
            posix.killpg(leader, number)
            left = [process for process in processes if _group_of(process[0]) != leader]
            if number != signal.SIGKILL:
                posix.killpg(leader, signal.SIGCONT)  # one that is stopped is to see it
        except OSError:  # nobody is left in its group, or it is another user's
            left = [(leader, start), *(process for process in processes if process[0] != leader)]
    send(left, number)


def _group_of(pid: int) -> int:
    try:
        return posix.getpgid(pid)
    except OSError:
        return 0  # it has ended


class Program:
    """What is to be started, as whom of the agent's: ``token`` is found in the environment of all that comes of it."""

    def __init__(
        self, argv: Sequence[str], environment: Dict[str, str], token: str, host: str, ignored: Sequence[int]
    ) -> None:
        self.argv = argv
        self.environment = dict(environment, MPBOOT_TOKEN=token)
        self.token = b"MPBOOT_TOKEN=" + token.encode()
        self.host = host
        self.defaults = [number for number in DEFAULTS if number not in ignored]

    def refused(self, error: Exception) -> str:
        """What is said where it can't be started."""
        why = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) in NO_ROOM:
            return "no room for a process on %s: %s" % (self.host, why)
        return "%s can't be run: %s" % (self.argv[0], why)


class Kept:
    """A keeper as its agent has it; ``fd`` is readable when it has told something, or is gone."""

    def __init__(self, program: Program, out: int, err: int) -> None:
        """Start it; ``out`` and ``err`` are the command's. OSError."""
        self.fd, tell = posix.pipe()
        try:
            agent_lives, self._lives = posix.pipe()
        except OSError:
            _close(self.fd, tell)
            raise
        try:
            self.pid = posix.fork()
        except OSError:
            _close(self.fd, tell, agent_lives, self._lives)
            raise
        if not self.pid:
            _be_keeper(program, agent_lives, out, err, tell)
        _close(tell, agent_lives)
        posix.set_blocking(self.fd, False)

    def hear(self) -> Optional[Tuple[bytes, int, int]]:
        """What it has told next; None if that is nothing so far. EOFError if it is gone."""
        try:
            told = posix.read(self.fd, TOLD)
        except BlockingIOError:
            return None
        if not told:
            raise EOFError
        return told[:1], int.from_bytes(told[1 : 1 + NUMBER], "big"), int.from_bytes(told[1 + NUMBER :], "big")

    def wake(self) -> None:
        """Have it go on if somebody has stopped it: else nobody would tell how the command ended."""
        try:
            if posix.waitid(posix.P_PID, self.pid, posix.WSTOPPED | posix.WNOHANG) is not None:
                posix.kill(self.pid, signal.SIGCONT)
        except OSError:
            return  # it is dead

    def end(self, can_end: bool) -> None:
        """End it; it reaps the command first. It ``can_end`` if that has ended, or it is dead; else it is let alone."""
        try:
            posix.write(self._lives, b"e")
        except OSError:
            pass  # it is dead
        if not (can_end and self._ends()):
            posix.kill(self.pid, signal.SIGKILL)  # not reaped so far: its number is still its own
        try:
            posix.waitpid(self.pid, 0 if can_end else posix.WNOHANG)
        except ChildProcessError:
            pass
        _close(self.fd, self._lives)

    def _ends(self) -> bool:
        """Has it closed what it tells through, after a while at most?"""
        poller = poll()
        poller.register(self.fd, 0)
        return bool(poller.poll(ENDS * 1000))


def _be_keeper(program: Program, agent_lives: int, out: int, err: int, tell: int) -> NoReturn:
    try:
        posix.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _keep_only(agent_lives, out, err, tell)
        _Keeper(program).run()
    finally:
        posix._exit(0)


AGENT, OUT, ERR, TELL = range(4)  # the keeper's descriptors


def _keep_only(*kept: int) -> None:
    """Have these as 0, 1, 2 and so on, and no others."""
    highest = max(kept)
    for at, fd in enumerate(kept):
        if at < fd and at in kept[at + 1 :]:  # it is in the way of one that comes later
            raise OSError("a descriptor below %d" % len(kept))
        posix.dup2(fd, at, at in (OUT, ERR))
    posix.closerange(len(kept), 1 + max(highest, *map(int, _open_files())))


def _open_files() -> List[str]:
    try:
        return posix.listdir("/proc/self/fd")
    except OSError:
        return ["4096"]


def _close(*fds: int) -> None:
    for fd in fds:
        posix.close(fd)


class _Keeper:
    """The keeper's life, in its own process."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._pid = self._start = 0
        self._begun = self._told = False

    def run(self) -> None:
        """Start the command, and stay until the agent has died, or needs no keeper any more."""
        wakes, wake = posix.pipe()  # a signal that comes just before a wait would not end that
        posix.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._child_ended)
        self._begin()
        poller = poll()
        for fd in (AGENT, wakes):
            poller.register(fd, POLLIN)
        while AGENT not in dict(poller.poll()):
            posix.read(wakes, 64)
        if posix.read(AGENT, 1):  # the agent lives, and has ended the command itself
            self._reap()
            return
        for number, wait in ((signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, 0.0)):
            end(self._pid, self._start, family(self._pid, self._start, self._program.token), number)
            sleep(wait)

    def _begin(self) -> None:
        program = self._program
        null = posix.open("/dev/null", posix.O_RDONLY)
        try:
            core.as_before()
            self._pid = start(program.argv, program.environment, (null, OUT, ERR), program.defaults)
        except FileNotFoundError:
            self._say("%s: not found" % program.argv[0], NOT_FOUND)
        except (NotRun, OSError, ValueError) as error:
            self._say(program.refused(error), NOT_RUN)
        else:
            core.none()
            self._start = start_of(self._pid)
            self._tell(STARTED, self._pid, self._start)
            self._begun = True
            self._child_ended()
        _close(null, OUT, ERR)

    def _say(self, text: str, code: int) -> None:
        posix.write(ERR, encoded("mpboot: %s\n" % text))
        self._tell(ENDED, code, 0)

    def _child_ended(self, *_: object) -> None:
        """Perhaps it has: it is not reaped, so its number and its process group's are nobody else's."""
        if self._told or not self._begun:
            return
        ended = posix.waitid(posix.P_PID, self._pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
        if ended is not None:
            self._told = True
            self._tell(ENDED, ended.si_status + (0 if ended.si_code == posix.CLD_EXITED else 128), 0)

    def _reap(self) -> None:
        try:
            posix.waitpid(self._pid, posix.WNOHANG)
        except OSError:
            return  # it was never started

    def _tell(self, what: bytes, one: int, other: int) -> None:
        try:
            posix.write(TELL, what + one.to_bytes(NUMBER, "big") + other.to_bytes(NUMBER, "big"))
        except OSError:
            return  # the agent has died
