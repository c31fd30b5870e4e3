"""The fork server: a process with the workers' code and as little else as can be, which forks them when asked to.

A parent starts it before it has anything to hold itself, and never forks a worker of its own: each fork would cost it
a fault for every page that it then writes to, and each worker would keep copies of what the parent had in hand. So
this module, and all that a worker loads, imports next to nothing (threading's fork hook alone dirties 400 KB in each
child). The parent's end is in server.py, and what multiprocessing makes of it in processes.py.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import os
import sys
from select import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, NoReturn, Tuple

WORKER, WATCHER = range(2)  # kinds of processes
NO_FORK = "no fork"  # a result, (0, NO_FORK, errno): nothing else comes of that process
END = 3.0  # seconds that workers have to end when the parent is gone, before the server leaves them to init
NUMBER = 4  # bytes of each number
HEAD = 3 * NUMBER  # of an order: the process's number and kind, the length of its first order; answered by number, pid
CLOSE_ON_EXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
AT_ONCE: int = getattr(_socket, "MSG_DONTWAIT", 0)


def pack(value: Any) -> bytes:
    """A plain value as it travels in a queue: 4 bytes length, as multiprocessing's connections have it, and it."""
    data = marshal.dumps(value)
    return len(data).to_bytes(NUMBER, "big") + data


class Source:
    """The reading end of a queue, in a worker."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def get(self) -> Any:
        """The next value; waits for it. EOFError if nobody can put any more."""
        return marshal.loads(self._read(int.from_bytes(self._read(NUMBER), "big")))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = os.read(self.fd, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class Sink:
    """The writing end of a queue, in a worker."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def put(self, value: Any) -> None:
        """Put a value in; up to PIPE_BUF bytes of it come at once or not at all. BrokenPipeError if nobody reads."""
        data = memoryview(pack(value))
        while data:
            data = data[os.write(self.fd, data) :]


def pipes(count: int) -> List[Tuple[int, int]]:
    """So many pipes: (end to read, end to write) of each. OSError, and then there is none."""
    made: List[Tuple[int, int]] = []
    try:
        for _ in range(count):
            made.append(os.pipe())
    except OSError:
        for fd in [fd for pair in made for fd in pair]:
            os.close(fd)
        raise
    return made


def ready(fd: int, events: int, seconds: float) -> bool:
    """Is there something to read (POLLIN), or is the far end closed (always)? Waits for it so long."""
    poller = poll()
    poller.register(fd, events)
    return bool(poller.poll(max(0.0, seconds) * 1000))


def start() -> Tuple[int, int]:
    """Fork a server: its pid, and a descriptor for orders. OSError.

    What it is to do with them is the first thing that it must be told: a length and settings, see ``_serve``.
    """
    ours, theirs = _socket.socketpair()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if not pid:
        try:
            _serve(theirs)
        except BaseException:
            _cry()
        os._exit(1)
    theirs.close()
    ours.setblocking(False)
    return pid, ours.detach()


def _serve(channel: _socket.socket) -> NoReturn:
    """Keep nothing of the parent's, fork what is asked for, reap it."""
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    _signal.signal(_signal.SIGCHLD, _reap)
    kept = sorted({0, 1, 2, channel.fileno()})
    for fd, following in zip(kept, [*kept[1:], _highest() + 1]):
        os.closerange(fd + 1, following)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):  # an agent that talks through rsh's stdio has its line there
        os.dup2(null, fd)
    os.close(null)
    from mpboot.workers import worker

    targets = {WORKER: worker.run, WATCHER: _watch}
    try:
        settings: Dict[str, Any] = Source(channel.fileno()).get()
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone already
    while True:
        try:
            head, rights, _, _ = channel.recvmsg(HEAD, _socket.CMSG_SPACE(2 * NUMBER), CLOSE_ON_EXEC)
            number, kind, length = numbers(head) if len(head) == HEAD and rights else (0, 0, 0)
            first = channel.recv(length, _socket.MSG_WAITALL) if number else b""
        except OSError:
            number = 0
        if not number:
            _wait_for_all()
            os._exit(0)
        _fork(channel, number, targets[kind], settings, first, rights[0][2])


def _watch(settings: Dict[str, Any], first: Any, orders: Source, results: Sink) -> None:
    from mpboot.workers import watcher  # which few boots need

    watcher.run(settings, first, orders, results)


def _fork(
    channel: _socket.socket,
    number: int,
    target: Callable[..., None],
    settings: Dict[str, Any],
    first: bytes,
    descriptors: bytes,
) -> None:
    orders, results = numbers(descriptors)
    try:
        pid = os.fork()
    except OSError as error:
        pid = -1  # told as 0
        try:
            Sink(results).put((0, NO_FORK, error.errno))
        except OSError:
            pass  # nobody waits for it any more
    if not pid:
        channel.close()
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        try:
            target(settings, marshal.loads(first), Source(orders), Sink(results))
        except BaseException:
            _cry()
        os._exit(1)
    os.close(orders)
    os.close(results)
    try:
        channel.send(packed(number, max(0, pid)), AT_ONCE)
    except OSError:
        pass  # the parent is busy, or gone: it can do without


def packed(*values: int) -> bytes:
    """Numbers as they travel between parent and server, and as the kernel has descriptors."""
    return b"".join(value.to_bytes(NUMBER, sys.byteorder) for value in values)


def numbers(data: bytes) -> List[int]:
    """What ``packed`` has packed."""
    return [int.from_bytes(data[at : at + NUMBER], sys.byteorder) for at in range(0, len(data), NUMBER)]


def _reap(*_: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except OSError:
        return


def _wait_for_all() -> None:
    """The parent is gone or wants no more: what was forked ends by itself, and is to have somebody who reaps it."""
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
    _signal.setitimer(_signal.ITIMER_REAL, END)
    try:
        while True:
            os.wait()
    except OSError:
        return


def _highest() -> int:
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return 4096


def _cry() -> None:
    import traceback

    traceback.print_exc()  # to stderr, which only the head's processes have
