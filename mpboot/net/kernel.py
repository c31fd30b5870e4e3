"""What this machine's kernel knows of the machine at a connection's other end."""

from __future__ import annotations

import _socket

from mpboot.net import patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_TCP, _INFO, _BYTES = 6, 11, 104  # of getsockopt, on Linux


def unanswered(fd: int) -> Optional[float]:
    """For how long nothing was acknowledged that should have been; None where that is not known. See patience.py."""
    if not hasattr(_socket, "TCP_INFO"):
        return None  # elsewhere than on Linux
    try:
        socket = _socket.socket(fileno=fd)
    except OSError:
        return None  # a pipe
    try:
        return patience.unanswered(socket.getsockopt(_TCP, _INFO, _BYTES))
    except OSError:
        return None  # another kind of socket
    finally:
        socket.detach()
