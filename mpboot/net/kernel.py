"""What this machine's kernel knows of the machine at a connection's other end."""

from __future__ import annotations

import _socket

from mpboot.net import patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, TypeVar

    Answer = TypeVar("Answer")

_TCP, _INFO, _BYTES = 6, 11, 104  # of getsockopt, on Linux


def unanswered(fd: int) -> Optional[float]:
    """For how long nothing was acknowledged that should have been; None where that is not known. See patience.py."""
    if not hasattr(_socket, "TCP_INFO"):
        return None  # elsewhere than on Linux
    return _asked(fd, lambda socket: patience.unanswered(socket.getsockopt(_TCP, _INFO, _BYTES)))


def is_here(fd: int) -> Optional[bool]:
    """Is a connection's other end on this very machine, by its addresses? None for what has none."""
    return _asked(fd, lambda socket: _host(socket.getpeername()) == _host(socket.getsockname()))


def _host(address: Any) -> str:
    if not isinstance(address, tuple):
        raise OSError("not of the internet")
    return str(address[0])


def _asked(fd: int, question: Callable[[_socket.socket], Optional[Answer]]) -> Optional[Answer]:
    try:
        socket = _socket.socket(fileno=fd)
    except OSError:
        return None  # a pipe
    try:
        return question(socket)
    except OSError:
        return None  # another kind of socket
    finally:
        socket.detach()
