"""Starting the user's program, as execvp does it from a login shell: the same program, or the same error.

By a vfork where that can't hold up the agent (vfork.py). Else by a fork that is waited for by nobody: a program on a
file server that hangs would hold up the agent. What can't be run says so itself, on its stderr, and ends as a shell
has it.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import errno
import posix

from mpboot.net import core
from mpboot.net.surroundings import environment
from mpboot.node.guard import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NoReturn, Optional, Sequence, Set, Tuple

    from mpboot.node.guard import Guard
    from mpboot.node.vfork import Vfork

SHELL = b"/bin/sh"
PATH = b"/bin:/usr/bin"  # where there is no such variable
NOT_HERE = (errno.ENOENT, errno.ENOTDIR)
FILES = 1 << 10  # descriptors that the agent may have, about
LINE = 256  # bytes of a script's first line that the kernel reads
NOT_FOUND, NOT_RUN = 127, 126  # exit codes as shells have them
NO_ROOM = (errno.EAGAIN, errno.ENOMEM)  # EAGAIN is what a limit of processes gives
# What Python or the agent ignores or catches, and a program expects to find as it is by default.
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # by the agent, for itself
DEFAULTS = (*CAUGHT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)


class NotRun(Exception):
    """It is there, and can't be run; says why."""


def encoded(text: str) -> bytes:
    """The bytes of a word as it was typed on the head, whatever the locale is here: see head/root.py."""
    return text.encode("utf-8", "surrogateescape")


class Program:
    """What is to be started, as whom of the agent's. ``ignored``: signals that it is to ignore as the agent was to."""

    is_patient = False  # who holds its output when it has ended is waited for, however silent

    def __init__(
        self,
        argv: Sequence[str],
        variables: Sequence[Tuple[str, str]],
        host: str,
        ignored: Sequence[int] = (),
        cwd: str = "",
        vfork: Optional[Vfork] = None,
    ) -> None:
        """``vfork``: what may start it instead of a fork."""
        self.token = posix.urandom(8)
        self.name = argv[0]
        self.terminal = (-1, -1)  # our end and its own, where it has one
        self._words = [encoded(word) for word in argv]
        self._variables = variables
        self._cwd = cwd
        self._host = host
        self._ignored = ignored
        self._vfork = None if ignored or cwd else vfork

    def start(self, guard: Guard, stdin: int) -> Tuple[int, int, int]:
        """Start it as the leader of a session of its own: its pid, and our ends of its stdout and stderr. OSError."""
        ours: List[int] = []
        theirs: List[int] = []
        try:
            for _ in ("stdout", "stderr"):
                read, write = posix.pipe()
                ours.append(read)
                theirs.append(write)
            pid = self._fork(guard, (stdin, *theirs))
        except OSError:
            _close(ours)
            raise
        finally:
            _close(theirs)
        for fd in ours:
            posix.set_blocking(fd, False)
        return pid, ours[0], ours[1]

    def _fork(self, guard: Guard, stdio: Sequence[int]) -> int:
        variables = environment(posix.environ)
        variables.update((encoded(name), encoded(value)) for name, value in self._variables)
        variables[VARIABLE[:-1]] = self.token.hex().encode()
        guard.begins()
        pid = self._become_at_once(guard, stdio, variables) if self._vfork is not None else None
        if pid is not None:
            return pid
        # What is sent to it before it is the program is to find the program's own ways, not the agent's.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        try:
            pid = posix.fork()
            if not pid:
                self._become(guard, stdio, variables, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        guard.started(self.token, pid)
        return pid

    def _become_at_once(self, guard: Guard, stdio: Sequence[int], variables: Dict[bytes, bytes]) -> Optional[int]:
        """Its pid; None: it is to be started by a fork."""
        file = self._vfork.find(_places(self._words[0], variables.get(b"PATH", PATH))) if self._vfork else None
        if file is None or self._vfork is None:
            return None
        guard.expects(self.token, stdio[1])
        pid = self._vfork.start(file, self._words, variables, stdio)
        if pid is None:
            guard.forget(self.token)
        else:
            guard.started(self.token, pid, tell=True)
        return pid

    def code_of(self, status: int, exited: bool) -> int:
        """The exit code of its end, as shells have it."""
        return status if exited else 128 + status

    # -- in the new process ------------------------------------------------------------------------

    def _become(self, guard: Guard, stdio: Sequence[int], variables: Dict[bytes, bytes], mask: Set[int]) -> NoReturn:
        code = NOT_RUN
        try:
            signal.set_wakeup_fd(-1)
            posix.setsid()
            guard.in_child(self.token)
            for at, fd in enumerate(_apart(stdio)):
                posix.dup2(fd, at)
            posix.closerange(len(stdio), FILES)  # a program on a file server that hangs must not hold what is others'
            for number in {*DEFAULTS, *self._ignored}:
                signal.signal(number, signal.SIG_IGN if number in self._ignored else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            core.as_before()
            self._go(variables)
        except FileNotFoundError:
            code = NOT_FOUND
            _say(encoded("mpboot: ") + self._words[0] + b": not found\n")
        except (NotRun, OSError, ValueError) as error:
            _say(encoded("mpboot: %s\n" % refused(self.name, self._host, error)))
        finally:  # whatever it is, a second agent must not run on from here
            posix._exit(code)

    def _go(self, variables: Dict[bytes, bytes]) -> NoReturn:
        if self._cwd:
            try:
                posix.chdir(_from_home(encoded(self._cwd), variables))
            except OSError as error:
                raise NotRun("no way into %s: %s" % (self._cwd, error.strerror)) from None
        _execute(self._words, variables)


def _from_home(path: bytes, variables: Dict[bytes, bytes]) -> bytes:
    """A directory as a shell has it: ``~`` is the home directory."""
    return variables.get(b"HOME", b".") + path[1:] if path == b"~" or path[:2] == b"~/" else path


def refused(name: str, host: str, error: Exception) -> str:
    """The line about a command that can't be started."""
    why = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) in NO_ROOM:
        return "no room for a process on %s: %s" % (host, why)
    return "%s can't be run: %s" % (name, why)


def keep_to_ourselves() -> None:
    """From now on no command gets a descriptor that this process was started with, but for 0, 1 and 2."""
    try:
        fds = [int(name) for name in posix.listdir("/proc/self/fd")]
    except OSError:
        fds = list(range(256))
    for fd in fds:
        if fd > 2:
            try:
                posix.set_inheritable(fd, False)
            except OSError:
                continue  # it was the directory's own, or there is none


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        posix.close(fd)


def _say(text: bytes) -> None:
    try:
        posix.write(2, text)
    except OSError:
        pass  # nobody listens


def _apart(stdio: Sequence[int]) -> List[int]:
    """The same files, none of them at a number that another is to have."""
    return [fd if fd >= len(stdio) else _moved(fd, len(stdio)) for fd in stdio]


def _moved(fd: int, least: int) -> int:
    while fd < least:
        fd = posix.dup(fd)
    return fd


def _execute(words: List[bytes], variables: Dict[bytes, bytes]) -> NoReturn:
    denied = None
    places = _places(words[0], variables.get(b"PATH", PATH))
    # What is there comes first: an error for each place before it would cost as much as the fork. Where none can be
    # run, all places are tried, and say why.
    for path in [place for place in places if posix.access(place, posix.F_OK)] + places:
        try:
            _execute_at(path, words, variables)
        except OSError as error:
            if error.errno == errno.EACCES:
                denied = error  # the next place may have one that we may run
            elif error.errno not in NOT_HERE:
                raise
            elif _is_there(path):
                raise NotRun(_missing(path)) from None
    raise denied or FileNotFoundError(errno.ENOENT, posix.strerror(errno.ENOENT))


def _places(name: bytes, path: bytes) -> List[bytes]:
    if not name:
        return []
    if b"/" in name:
        return [name]
    return [(directory or b".") + b"/" + name for directory in path.split(b":")]


def _execute_at(path: bytes, words: List[bytes], variables: Dict[bytes, bytes]) -> None:
    try:
        posix.execve(path, words, variables)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        posix.execve(SHELL, [SHELL, path, *words[1:]], variables)  # a script that does not say whose


def _is_there(path: bytes) -> bool:
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True


def _missing(path: bytes) -> str:
    """What it is that is not there, where the program itself is."""
    with open(path, "rb") as file:
        line = file.readline(LINE)
    if not line.startswith(b"#!"):
        return "the loader or the library that it asks for is not there"
    return "bad interpreter: %s: not there" % line[2:].strip().decode("utf-8", "replace")
