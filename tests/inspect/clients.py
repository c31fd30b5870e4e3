"""Clients of ssh and rsh as a look shows them, for the tests of what is made of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psutil

from mpboot.inspect.judge import Finding
from mpboot.inspect.look import Client
from mpboot.inspect.netlink import TcpConnection

PEER = "10.0.0.5:22"
PID = psutil.Process().pid


def tcp(**changes: Any) -> TcpConnection:
    """A connection that has been quiet for a minute."""
    made = TcpConnection("ESTABLISHED", PEER, True, received=4000, sent=4000, quiet=60.0, unanswered=60.0)
    return replace(made, **changes)


def client(**changes: Any) -> Client:
    """``ssh h5`` at a terminal, logged in, quiet for a minute."""
    made = Client(
        psutil.Process(), "ssh", "joe", ["ssh", "h5"], age=100.0, status="sleeping", cpu=1.5, reads=9, writes=8,
        written=5000, stdin="/dev/pts/1", copies=True, tcp=[tcp()],
    )  # fmt: skip
    return replace(made, **changes)


def finding(**changes: Any) -> Finding:
    """One whose verdict is that it hangs."""
    made = Finding(client(), "h5", "handshake", 6.25, True, "the first byte", "handshake-timeout", "nothing came")
    return replace(made, **changes)
