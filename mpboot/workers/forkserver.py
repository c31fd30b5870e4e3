"""The fork server: a process with the workers' code and as little else as can be, which forks them when asked to.

A parent starts it before it has anything to hold itself, and never forks a worker of its own: each fork would cost it
a fault for every page that it then writes to, and each worker would keep copies of what the parent had in hand. So
this module, and all that a worker loads, imports next to nothing (threading's fork hook alone dirties 400 KB in each
child). The parent's end is in forker.py, and what multiprocessing makes of it in processes.py.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import gc
import os

from mpboot.workers.pipes import NUMBER, WATCHER, WORKER, Reader, ResultsWriter, Writer, numbers, packed, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, NoReturn, Tuple

    from mpboot.net.work import LaunchSettings

    Target = Callable[[LaunchSettings, Any, Reader, Writer], None]

END = 3.0  # seconds that workers have to end when the parent is gone, before the server leaves them to init
# Bytes before an order: the process's number and kind, the length of its first order. Answered by number and pid.
ORDER_SIZE = 3 * NUMBER
CLOSE_ON_EXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
AT_ONCE: int = getattr(_socket, "MSG_DONTWAIT", 0)


def start() -> Tuple[int, int]:
    """Fork a server: its pid, and a descriptor for orders. OSError.

    What it is to do with them is the first thing that it must be told: see ``ForkServer.configure``.
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
            _leave_parent(theirs.fileno())
            _serve(theirs)
        except BaseException:
            _print_traceback()
        finally:  # also where nothing can be printed: else it went on with its parent's code, as a second agent
            os._exit(1)
    theirs.close()
    ours.setblocking(False)
    return pid, ours.detach()


def _leave_parent(channel: int) -> None:
    """Keep nothing of the parent's but the channel and stderr: no descriptors, no handlers of signals."""
    gc.disable()  # what the parent had in hand, collected here, would close a descriptor that is another's by now
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    _signal.signal(_signal.SIGCHLD, _reap)
    kept = sorted({0, 1, 2, channel})
    for fd, following in zip(kept, [*kept[1:], _highest_descriptor() + 1]):
        os.closerange(fd + 1, following)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):  # an agent that talks through rsh's stdio has its line there
        os.dup2(null, fd)
    os.close(null)


def _serve(channel: _socket.socket) -> NoReturn:
    """Fork what is asked for, and reap it, until the parent wants no more."""
    from mpboot.net.work import LaunchSettings, watcher_order, worker_order
    from mpboot.workers import worker

    targets: Dict[int, Target] = {WORKER: worker.run, WATCHER: _run_watcher}
    # Unpacked before the fork: each function that runs for the first time takes memory, there in every worker.
    orders_of: Dict[int, Callable[[Any], Any]] = {WORKER: worker_order, WATCHER: watcher_order}
    try:
        settings = LaunchSettings.of(Reader(channel.fileno()).get())
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone already
    while True:
        try:
            head, rights, _, _ = channel.recvmsg(ORDER_SIZE, _socket.CMSG_SPACE(2 * NUMBER), CLOSE_ON_EXEC)
            number, kind, length = numbers(head) if len(head) == ORDER_SIZE and rights else (0, 0, 0)
            first = channel.recv(length, _socket.MSG_WAITALL) if number else b""
        except OSError:
            number = 0
        if not number:
            _wait_for_all()
            os._exit(0)
        orders, results = numbers(rights[0][2])
        pid = _fork(channel, targets[kind], settings, orders_of[kind](unpack(first)), orders, results)
        os.close(orders)
        os.close(results)
        try:
            channel.send(packed(number, pid), AT_ONCE)
        except OSError:
            pass  # the parent is busy, or gone: it can do without


def _fork(
    channel: _socket.socket, target: Target, settings: LaunchSettings, first: Any, orders: int, results: int
) -> int:
    """The pid of a new process that carries out ``target``; 0 if there can be none, which its results then tell."""
    try:
        pid = os.fork()
    except OSError as error:
        from mpboot.net.work import NoFork

        try:
            ResultsWriter(results).put(NoFork(0, error.errno or 0).plain())
        except OSError:
            pass  # nobody waits for it any more
        return 0
    if not pid:
        channel.close()
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        try:
            target(settings, first, Reader(orders), ResultsWriter(results))
        except BaseException:
            _print_traceback()
        finally:
            os._exit(1)
    return pid


def _run_watcher(settings: LaunchSettings, first: Any, orders: Reader, results: Writer) -> None:
    from mpboot.workers import watcher  # most nodes need none

    watcher.run(settings, first, orders, results)


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


def _highest_descriptor() -> int:
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return 4096


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()  # to stderr, which only the head's processes have
