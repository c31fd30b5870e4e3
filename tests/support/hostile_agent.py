"""An agent that does the real handshake with what its launch gave it; what it says after that is for others to decide.

Left to itself it behaves: it answers PING, runs nothing, and says that its command has ended with 0.
"""

from __future__ import annotations

import json
import os
import select
import socket
from pathlib import Path
from time import monotonic
from typing import Any

from mpboot.net import wire
from mpboot.node import leaf

DID = "did what it does"  # its command's output, once it has


def output(rank: int, text: str) -> bytes:
    """The body of OUT."""
    return (rank & 0xFFFFFFFF).to_bytes(4, "big") + b"\0\0\0\1\1" + text.encode() + b"\n"


class Agent:
    """One that has come up as any other; what it says after that is a row's business."""

    def __init__(self, payload: Any) -> None:
        self.config = wire.AgentConfig(payload[5], payload[6], payload[:5])
        self.me: int = self.config.rank
        self.other = 0 if self.me else 1  # a host that is none of its business
        self.care: list[int] = []  # hosts that it was given
        self.shares = 0
        self.deaf: set[int] = set()  # kinds that it leaves unanswered
        self.did = DID  # what it tells of it
        self._runs = self._obeys = False
        self._line, self._received = leaf.open_line(self.config)
        self._poll = select.poll()
        self._poll.register(self._line.read_fd, select.POLLIN)

    def say(self, kind: int, body: Any = b"") -> None:
        """Send a frame; a body that is no string of bytes is packed as JSON."""
        packed = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._line.session.send(kind, packed)
        self._line.flush()

    def greet(self, **more: Any) -> None:
        """Say HELLO, with this more in it, or other than it was."""
        self.say(wire.HELLO, {**json.loads(leaf.hello(self.config)), **more})

    def raw(self, data: bytes) -> None:
        """Send bytes that are no frame."""
        self._line.session.out += data
        self._line.flush()

    def visit(
        self, hello: dict[str, Any], rank: int | None = None, at: int = 0, whose: bytes = b"", along: Any = None
    ) -> None:
        """Come to an ancestor by another connection, with this more in HELLO, and keep what came of it.

        ``at``: 0 is the parent; ``whose``: the key that it uses, and ``along``: the way, if not its own.
        """
        port, addresses = self.config.routes[at]
        numbers = self.numbers(along or self.config.path, at)
        line = wire.Session(whose or self.config.key, self.me if rank is None else rank, numbers, os.urandom(16))
        line.send(wire.HELLO, json.dumps({**json.loads(leaf.hello(self.config)), **hello}).encode())
        self.did = "turned away"
        with socket.create_connection((addresses[0], port), 20) as connection:
            try:
                while self.did == "turned away":
                    connection.sendall(line.out)
                    line.out.clear()
                    data = connection.recv(1 << 16)
                    if not data:
                        break
                    for kind, _ in line.feed(data):
                        if kind != wire.PING:
                            self.did = "dismissed" if kind == wire.STOP else "let in"
            except (OSError, wire.WireError):
                pass
        Path(os.environ["HOSTILE_DID"]).touch()

    def numbers(self, way: Any, at: int) -> list[int]:
        """Those on a way down from an ancestor."""
        near = [rank for rank, _ in self.config.lineage[: at + 1]] + [self.me]
        return [number for rank, number in way if rank in near]

    def hear(self, wanted: int | None = None, seconds: float = 60.0) -> bytes:
        """Behave until a frame of this kind has come, and return its body; at most so long, or b"" is returned."""
        until = monotonic() + seconds
        while True:
            while self._received:
                kind, body = self._received.pop(0)
                self._answer(kind, body)
                if kind == wanted:
                    return body
            left = until - monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                return b""
            self._received = self._line.receive(0.0)

    def wait_for_hosts(self) -> None:
        """Behave until it was given hosts, and so were as many as are to act together (HOSTILE_TOGETHER)."""
        while not self.care:
            self.hear(wire.SHARE)
        did = Path(os.environ["HOSTILE_DID"])
        did.with_name(f"has-hosts.{os.environ['HOSTILE']}").touch()
        while len(list(did.parent.glob("has-hosts.*"))) < int(os.environ.get("HOSTILE_TOGETHER", "1")):
            self.hear(seconds=0.05)

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == wire.STOP and kind not in self.deaf:
            os._exit(0)
        if kind == wire.SHARE:
            self.shares += 1
            self.care += [order[0] for order in json.loads(body)[-1]] if body else []
        if kind in self.deaf:
            return
        if kind == wire.PING:
            self.say(wire.PONG)
        elif kind == wire.SHARE and not body:
            self.say(wire.DONE, b"%d" % self.shares)
        elif kind == wire.RUN:
            self._runs = True
            if self._obeys:
                self.obey()

    def obey(self) -> None:
        """From now on the command has ended as soon as it is to run."""
        self._obeys = True
        if self._runs:
            self.say(wire.OUT, output(self.me, self.did))
            self.say(wire.EXIT, [[self.me, 1, 0, 0, 0.5, 0]])
