"""The guard of an agent's commands: ends those that run where the agent dies in a way that leaves it no time to.

It is a fork of the agent, made before the first command: so what ends a command after the agent needs no code that
would have to be loaded. It hears of each command before that begins: of one that is forked by itself, with its pid; of
one by vfork from the agent, and until that can tell the pid the guard knows the pipe of the output, and the token.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # the module around it would take 6 ms to load
import posix
from select import POLLHUP, poll
from time import sleep

from mpboot.workers.family import family, send, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NoReturn, Tuple

    from mpboot.workers.family import Process

    Known = Dict[bytes, Tuple[int, int]]  # by token: pid and start

KILL_AFTER = 1.5  # seconds between the first signal and KILL
TOKEN = 8  # bytes of what is found, in hexadecimal, in the environment of all that comes of a command
VARIABLE = b"MPBOOT_TOKEN="
STOPPED = 5  # why a child has changed; Python 3.8 has no name for it
NUMBER = 8  # bytes of a pid and of a start in what the guard is told
TOLD = TOKEN + 2 * NUMBER  # bytes of each thing that it is told
MOST_TOLD = 160  # of them: they fit into the smallest pipe; then another guard takes its place


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


class Guard:
    """The guard as its agent has it, and the commands that it knows of."""

    def __init__(self) -> None:
        self._pid = 0
        self._lives = self._tell = -1
        self._told = 0  # things, to this guard
        self._known: Known = {}

    def begins(self) -> None:
        """A command is about to be started: there is to be a guard. OSError."""
        if not self._pid or self._told >= MOST_TOLD:
            self._replace()

    def expects(self, token: bytes, output: int) -> None:
        """The command is about to be started without a chance to tell the guard of itself. ``output``: its stdout."""
        self._say(_packed(token, 0, posix.fstat(output).st_ino))

    def started(self, token: bytes, pid: int, tell: bool = False) -> None:
        """The command has this pid; ``tell``: it has not told the guard so itself."""
        self._known[token] = pid, 0
        if tell:
            self._say(_packed(token, pid, start_of(pid)))
        else:
            self._told += 1

    def in_child(self, token: bytes) -> None:
        """In the command's own process, before it becomes that: tell the guard of it."""
        pid = posix.getpid()
        try:
            posix.write(self._tell, _packed(token, pid, start_of(pid)))
        except BrokenPipeError:
            pass  # the guard is dead: the agent will make another, and that one knows us
        posix.close(self._lives)  # not before: once no one has it the guard takes what it was told for all there is

    def ended(self, token: bytes) -> None:
        """The command has ended; what it has left is nobody's business any more."""
        if self._known.pop(token, None) is not None:
            self.forget(token)

    def forget(self, token: bytes) -> None:
        """There is no such command."""
        self._say(_packed(token, 0, 0))

    def _say(self, what: bytes) -> None:
        self._told += 1
        try:
            posix.write(self._tell, what)
        except OSError:
            pass  # the guard is dead; another will take its place

    def look(self) -> None:
        """A SIGCHLD came: has somebody stopped the guard, or killed it?"""
        if not self._pid:
            return
        try:
            found = posix.waitid(posix.P_PID, self._pid, posix.WSTOPPED | posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
            if found is None:
                return
            if found.si_code == STOPPED:
                posix.kill(self._pid, signal.SIGCONT)
                return
            self._replace() if self._known else self.close()
        except OSError:
            self._told = MOST_TOLD  # no room for another now: the next command makes one

    def close(self) -> None:
        """End it: there is nothing left to guard."""
        if self._pid:
            pid, self._pid = self._pid, 0
            for fd in (self._lives, self._tell):
                posix.close(fd)
            posix.kill(pid, signal.SIGKILL)  # not reaped so far: its number is still its own
            try:
                posix.waitpid(pid, 0)
            except ChildProcessError:
                pass

    def _replace(self) -> None:
        """Make a guard that knows all commands that run, then end the one that there was. OSError."""
        agent_lives, lives = posix.pipe()
        try:
            told, tell = posix.pipe()
        except OSError:
            posix.close(agent_lives)
            posix.close(lives)
            raise
        try:
            pid = posix.fork()
            if not pid:
                _be_guard(agent_lives, told, self._known)
        except OSError:
            posix.close(tell)
            posix.close(lives)
            raise
        finally:
            posix.close(agent_lives)
            posix.close(told)
        self.close()
        self._pid, self._lives, self._tell, self._told = pid, lives, tell, 0
        posix.set_blocking(tell, False)


def _packed(token: bytes, pid: int, start: int) -> bytes:
    return token + pid.to_bytes(NUMBER, "big") + start.to_bytes(NUMBER, "big")


def _be_guard(agent_lives: int, told: int, known: Known) -> NoReturn:
    try:
        posix.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        low, high = sorted((agent_lives, told))
        for first, last in ((0, low), (low + 1, high), (high + 1, 1 + max(high, *map(int, _open_files())))):
            posix.closerange(first, last)
        known = {token: (pid, start_of(pid)) for token, (pid, _) in known.items()}
        poller = poll()
        poller.register(agent_lives, 0)  # only its end is of interest
        while not any(events & POLLHUP for _, events in poller.poll()):
            continue
        _end_all(_still_running(told, known))
    finally:
        posix._exit(0)


def _open_files() -> List[str]:
    return _entries("/proc/self/fd") or ["4096"]


def _still_running(told: int, known: Known) -> Known:
    """The commands that have begun, and whose end was not reported."""
    posix.set_blocking(told, False)
    heard = b""
    try:
        while True:
            more = posix.read(told, 1 << 16)
            if not more:
                break
            heard += more
    except BlockingIOError:
        pass  # a command that has not begun yet holds the other end
    known = dict(known)
    for at in range(0, len(heard) - TOLD + 1, TOLD):
        token = heard[at : at + TOKEN]
        pid, start = (int.from_bytes(heard[at + TOKEN + add : at + TOKEN + add + NUMBER], "big") for add in (0, NUMBER))
        if pid:
            known[token] = pid, start or start_of(pid)  # who had no descriptor left could not look
        elif start:  # it has begun, or never will: nobody knows more of it than the pipe of its output
            known[token] = 0, start
        else:
            known.pop(token, None)
    return known


def _end_all(known: Known) -> None:
    known = {token: (pid, start) if pid else _who_has(start) for token, (pid, start) in known.items()}
    for number, wait in ((signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, 0.0)):
        for token, (pid, start) in known.items():
            end(pid, start, family(pid, start, variable(token)), number)
        if known:
            sleep(wait)


def _who_has(pipe: int) -> Tuple[int, int]:
    """The leader of the session whose output goes into this pipe, and its start; 0 if there is none to be seen."""
    wanted = "pipe:[%d]" % pipe
    for pid in sorted((int(name) for name in _entries("/proc") if name.isdigit()), reverse=True):  # it is a new one
        try:
            if posix.readlink("/proc/%d/fd/1" % pid) == wanted:
                leader = posix.getsid(pid)
                return leader, start_of(leader)
        except OSError:
            continue  # it has ended, or is another user's
    return 0, 0


def _entries(directory: str) -> List[str]:
    try:
        return posix.listdir(directory)
    except OSError:
        return []


def variable(token: bytes) -> bytes:
    """What is in the environment of all that comes of a command."""
    return VARIABLE + token.hex().encode()
