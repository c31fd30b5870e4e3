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


def is_local(fd: int) -> Optional[bool]:
    """Did a connection come, or go, by an address that is never another machine's? None for what has none."""
    return _asked(fd, lambda socket: _is_loopback(socket.getpeername()))


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        raise OSError("not of the internet")
    return str(address[0]).startswith(("127.", "::ffff:127.")) or address[0] == "::1"


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
