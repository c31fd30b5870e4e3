"""One running rsh: its pipes, its end, and the killing of everything below it. What it says is read in launch.py."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys
from select import POLLIN, POLLOUT, poll
from time import monotonic

from mpboot.net import core
from mpboot.workers.pipes import pipes, ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Mapping, Optional, Sequence

    from mpboot.workers.pipes import Reader
    from mpboot.workers.relay import Relay

CHUNK = 1 << 16
LAST_READS = 16  # of what rsh has left in its pipes: something else may hold them, and write for ever
RELAY_GRACE = 2.0  # seconds that the parent has to take what was left in the pipe of an rsh that has ended
TERM_GRACE = 0.5  # seconds between TERM and KILL
IGNORED = (_signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGINT, _signal.SIGHUP)  # by Python, and by the fork server
KILL_GRACE = 1.0  # seconds after which a process that not even KILL ends is left to the kernel

_unreaped: List[RshProcess] = []  # closed, or killed but in uninterruptible sleep: reaped as soon as they can be


class RshProcess:
    """A process of ours, leader of a session of its own, with a pipe for each of stdin, stdout and stderr.

    posix_spawn's, since subprocess would cost each worker as much memory as all the rest of its work.
    """

    def __init__(self, argv: List[str], environment: Mapping[bytes, bytes]) -> None:
        """Start it. OSError, or ValueError for words with a NUL in them."""
        (stdin, self.stdin), (self.stdout, stdout), (self.stderr, stderr) = pipes(3)
        self._pipes: Sequence[int] = (self.stdin, self.stdout, self.stderr)
        theirs = [stdin, stdout, stderr]
        self._code: Optional[int] = None
        self._reaped = False
        core.as_before()
        try:
            self.pid = _spawn(argv, environment, theirs)
        except BaseException:
            self.close()
            raise
        finally:
            core.none()
            for fd in theirs:
                os.close(fd)
        for fd in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(fd, False)

    def poll(self) -> Optional[int]:
        """Its exit code (negative: a signal), None while it runs.

        It is not reaped: until it is, its number and its session's are nobody else's.
        """
        if self._code is None:
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:  # somebody else has reaped it
                self._code, self._reaped = 0, True
                return 0
            if ended is not None:
                self._code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        return self._code

    def reap(self) -> bool:
        """Reap it if it has ended; has it?"""
        if self.poll() is not None and not self._reaped:
            os.waitpid(self.pid, 0)
            self._reaped = True
        return self._reaped

    def close(self) -> None:
        """Close our ends of the pipes."""
        for fd in self._pipes:
            os.close(fd)
        self._pipes = ()


def _spawn(argv: List[str], environment: Mapping[bytes, bytes], stdio: List[int]) -> int:
    """Start a process, as the leader of a session of its own; its pid. OSError, ValueError."""
    try:
        return os.posix_spawnp(
            argv[0], argv, environment, setsid=True, setsigdef=IGNORED,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, at) for at, fd in enumerate(stdio)],
        )  # fmt: skip
    except NotImplementedError:  # this Python was made for a C library that can't
        return _fork(argv, environment, stdio)


def _fork(argv: List[str], environment: Mapping[bytes, bytes], stdio: List[int]) -> int:
    """What posix_spawnp does, by hand; the pid. OSError."""
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setsid()
            for at, fd in enumerate(stdio):
                os.dup2(fd, at)
            for number in IGNORED:
                _signal.signal(number, _signal.SIG_DFL)
            os.execvpe(argv[0], argv, environment)
        except OSError as error:
            os.write(tell, b"%d" % (error.errno or 0))
        os._exit(127)
    os.close(tell)
    with open(told, "rb") as errors:
        wrong = errors.read()
    if wrong:
        os.waitpid(pid, 0)
        raise OSError(int(wrong), os.strerror(int(wrong)))
    return pid


class Cancelled(Exception):
    """The parent wants this launch no more, or is gone."""


class RelayEnded(Cancelled):
    """The agent's connection through rsh's stdio is over; its arguments: see Relay.why."""


class Interrupts:
    """What a worker must hear of while it follows an rsh: the end of a child of its own, and whatever its parent says.

    There is one in a process: its signal handler and its pipe for SIGCHLD are the process's.
    """

    def __init__(self, orders: Reader) -> None:
        self._orders = orders
        self.parent = orders.fd  # readable when the parent has spoken or is gone
        self.child, told = os.pipe()  # readable when a child has ended
        os.set_blocking(told, False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def heed_child(self) -> None:
        """Take note that a child has ended, when ``child`` is readable."""
        os.read(self.child, 4096)

    def heed_parent(self) -> None:
        """Raise Cancelled: a message during a launch means that it is not wanted any more; so does the parent's end.

        ValueError if what is said is no value.
        """
        try:
            self._orders.get()
        except (EOFError, OSError):
            pass
        raise Cancelled


class Rsh:
    """An rsh process, leader of a session of its own (so it has no terminal to ask anyone at)."""

    def __init__(self, argv: List[str], environment: Mapping[bytes, bytes], interrupts: Interrupts) -> None:
        """Start it. OSError if it can't be, ValueError for words with a NUL in them."""
        self.process = RshProcess(argv, environment)
        self.pid = self.process.pid
        self.stdin, self.stdout, self.stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self._interrupts = interrupts
        self._relay: Optional[Relay] = None
        self._input = memoryview(b"")
        self._fed = 0
        self._open = {self.stdout, self.stderr}

    def feed(self, data: bytes) -> None:
        """Have ``data`` written to rsh's stdin, which stays open."""
        self._input = memoryview(bytes(self._input) + data) if self._input else memoryview(data)
        self._fed += len(data)

    def has_read(self) -> bool:
        """Did rsh take any of what it was fed? ssh does so only when it is logged in."""
        if not self._fed:
            return False
        from fcntl import ioctl
        from termios import FIONREAD

        waiting = bytearray(4)
        try:
            ioctl(self.stdin, FIONREAD, waiting)
        except OSError:
            return False
        return int.from_bytes(waiting, sys.byteorder) + len(self._input) < self._fed

    def follow(self, limit: Callable[[], Optional[float]], got: Callable[[int, bytes], None]) -> int:
        """Carry bytes until rsh ends; its exit code. ``got(descriptor, data)`` gets what it says.

        ``limit()`` is the time (monotonic) at which TimeoutError is raised, or None; it is asked at each turn.
        Cancelled is raised when the parent says so or is gone, and when a relay has ended.
        What else holds rsh's pipes open when rsh itself has ended is not waited for.
        """
        while True:
            code = self.process.poll()
            if code is not None:
                for _ in range(LAST_READS):
                    if not self._read(got):
                        break
                if self._relay is not None:
                    self._relay.finish(RELAY_GRACE)
                return code
            end = limit()
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._wait(left if self._relay is None else self._relay.left(left))
            self._write()
            self._read(got)
            if self._relay is not None:
                self._relay.move()
                if not self._relay.open:
                    raise RelayEnded(*self._relay.why())

    def _wait(self, left: Optional[float]) -> None:
        poller = poll()
        poller.register(self._interrupts.child, POLLIN)
        poller.register(self._interrupts.parent, POLLIN)
        for fd in self._open:
            poller.register(fd, POLLIN)
        if self._input:
            poller.register(self.stdin, POLLOUT)
        if self._relay is not None:
            for fd, read, write in self._relay.wants():
                poller.register(fd, (POLLIN if read else 0) | (POLLOUT if write else 0))
        for fd, _ in poller.poll(None if left is None else left * 1000 + 1):
            if fd == self._interrupts.child:
                self._interrupts.heed_child()
            elif fd == self._interrupts.parent:
                self._interrupts.heed_parent()

    def _write(self) -> None:
        try:
            while self._input:
                self._input = self._input[os.write(self.stdin, self._input) :]
        except BlockingIOError:
            return
        except OSError:
            self._input = memoryview(b"")  # rsh wants no input; why, its end will tell

    def _read(self, got: Callable[[int, bytes], None]) -> bool:
        """Did anything come?"""
        some = False
        for fd in list(self._open):
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                some = True
                got(fd, data)
            else:
                self._open.discard(fd)
        return some

    @property
    def held(self) -> bool:
        """Has rsh ended, and something that it left behind holds its pipes?"""
        return self.process.poll() is not None and bool(self._open)

    def hand_over(self, relay: Relay) -> None:
        """From now on stdin and stdout are the relay's."""
        self._relay = relay
        self._open.discard(self.stdout)

    def end(self) -> None:
        """Terminate, then kill, rsh and all below it; returns when it is reaped, or can't be."""
        from mpboot.workers.family import family, send, start_of

        start = start_of(self.pid)  # it is not reaped before it is closed, so its number is its own
        victims = family(self.pid, start)
        send(victims, _signal.SIGTERM)
        self._await_end(TERM_GRACE)
        # What left the session, or lost its parent by the first signal, is still in the first list.
        send({*family(self.pid, start), *victims}, _signal.SIGKILL)
        self._await_end(KILL_GRACE)

    def _await_end(self, grace: float) -> None:
        until = monotonic() + grace
        while self.process.poll() is None and monotonic() < until:
            if ready(self._interrupts.child, POLLIN, until - monotonic()):
                self._interrupts.heed_child()

    def close(self) -> None:
        """Close the pipes."""
        if self._relay is not None:
            self._relay.close()
        self.process.close()
        _unreaped.append(self.process)
        _unreaped[:] = [process for process in _unreaped if not process.reap()]
