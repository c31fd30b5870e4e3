"""A hostile host: run as its python3 by hostile_boot.py, ``hostile.py HOUSE HOST``.

``HOUSE`` holds mpboot; the host does what the row of its name says (hostile_rows.py), or one of the things below.
"""

from __future__ import annotations

import marshal
import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":
    sys.path[:0] = [sys.argv[1], str(Path(__file__).parents[2])]

from mpboot.node import leaf
from tests.support.hostile_agent import Agent
from tests.support.hostile_rides import RIDES
from tests.support.hostile_rows import ROWS


def squat(payload: Any, name: str) -> None:
    """Be good, in a network where somebody else has the parent's port at an address that the agent tries.

    It accepts, and is silent, or answers something, gives back what it got, or closes. There is no way to the parent.
    """
    import fcntl
    import struct
    from threading import Thread

    listener = socket.socket()
    fcntl.ioctl(listener.fileno(), 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS: up
    listener.bind(("127.0.0.1", payload[5][0][0][0]))
    listener.listen()
    os.environ["SSH_CONNECTION"] = "127.0.0.1 1 127.0.0.1 22"

    def serve() -> None:
        kept = []
        while True:
            kept.append(listener.accept()[0])
            if name == "squat-closes":
                kept.pop().close()
            elif name != "squat-silent":
                greeting = kept[-1].recv(1 << 10)
                kept[-1].sendall(greeting if name == "squat-echoes" else os.urandom(1 << 10))

    Thread(target=serve, daemon=True).start()
    be_good(payload)


def be_good(payload: Any) -> None:
    """Be an agent as any other."""
    import __main__

    __main__.payload = payload
    exec(payload[0], vars(__main__))


def keep_keys(payload: Any) -> None:
    """Be good, but write down its own key and those of the hosts that it is given."""
    from mpboot.node.keyring import Keyring

    take = Keyring.take

    def note(key: bytes) -> None:
        with Path(os.environ["HOSTILE_KEYS"]).open("a") as file:
            file.write(key.hex() + "\n")

    def take_note(ring: Keyring, rank: int, key: bytes, way: Any) -> None:
        note(key)
        take(ring, rank, key, way)

    setattr(Keyring, "take", take_note)  # noqa: B010
    note(payload[6][4])
    be_good(payload)


def main(name: str) -> NoReturn:
    """Be that row's host until the parent has had enough, or wants no more."""
    stdin = sys.stdin.buffer
    payload = marshal.loads(stdin.read(int(stdin.readline()[-9:], 16)))
    if name.startswith("keys"):
        keep_keys(payload)
    if name.startswith("squat"):
        squat(payload, name)
    try:
        agent = Agent(payload)
        agent.greet()
        (RIDES[name].act if name in RIDES else ROWS[name].act)(agent)
        agent.obey()
        agent.hear()
    except leaf.Lost:
        pass
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[2])
