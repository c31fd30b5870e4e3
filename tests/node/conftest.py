"""What the tests of a node are given: a loop, and an agent's link to a parent that they play."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mpboot.node import leaf, pace
from mpboot.node.uplink import Uplink
from mpboot.workers.forker import ForkServer
from tests.node.launching import Launching
from tests.node.parents import Node
from tests.node.played import Far, Message, Rounds, child, config


class Up(NamedTuple):
    """An agent's link to its parent, and what was said and called at either end."""

    uplink: Uplink
    parent: Far
    got: list[Message]
    alone: list[bool]


RSH = """\
#!/bin/sh
# rsh HOST COMMAND: what becomes of a launch is in the host's name.
said=${2#*m=}; marker=${said%%;*}
case $1 in
deny*) echo "Permission denied (publickey)." >&2; exit 255 ;;
refuse*) echo "ssh: connect to host $1 port 22: Connection refused" >&2; exit 255 ;;
busy*) echo "Connection closed by 10.0.0.1 port 22" >&2; exit 255 ;;
hang*) exec sleep 300 ;;
mute*) echo "$marker tcp"; exit 0 ;;
keep*) exec cat >"$0.$1" ;;
*) exec /bin/sh -c "$2" ;;
esac
"""


@pytest.fixture
def rsh(tmp_path: Path) -> str:
    """An rsh for hosts that refuse, hang, say that their agent connects, or keep what they are fed in rsh.HOST."""
    path = tmp_path / "rsh"
    path.write_text(RSH)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def loop() -> Iterator[Rounds]:
    made = Rounds()
    yield made
    made.close()


@pytest.fixture
def up(loop: Rounds) -> Iterator[Up]:
    """The link of an agent whose only ancestor is the parent, which the test plays."""
    ours, theirs = socket.socketpair()
    fd = theirs.detach()
    line = leaf.Line(child(), fd, fd)
    got: list[Message] = []
    alone: list[bool] = []
    uplink = Uplink(loop, line, config(), lambda *message: got.append(message), lambda: alone.append(True))
    parent = Far(loop, ours)
    yield Up(uplink, parent, got, alone)
    uplink.close()
    parent.close()


@pytest.fixture
def launchers(loop: Rounds, rsh: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Launching]]:
    """Makes launchers, with the kind of fork server that is asked for, and stops them; the machine counts as idle."""
    made: list[Launching] = []
    monkeypatch.setattr(pace, "runnable", lambda: 1)

    def start(server: type[ForkServer] = ForkServer) -> Launching:
        made.append(Launching(loop, rsh, server))
        return made[-1]

    yield start
    for one in made:
        one.launcher.stop()


@pytest.fixture
def nodes(loop: Rounds, rsh: str) -> Iterator[Callable[..., Node]]:
    """Makes parents, and ends them."""
    made: list[Node] = []

    def start(**about: Any) -> Node:
        made.append(Node(loop, rsh, **about))
        return made[-1]

    yield start
    for one in made:
        one.close()
