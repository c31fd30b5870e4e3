"""What the tests of a node are given: a loop, and an agent's link to a parent that they play."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from mpboot.net import wire
from mpboot.node import leaf
from mpboot.node.uplink import Uplink
from tests.node.played import SECRET, Far, Message, Rounds, config


class Up(NamedTuple):
    """An agent's link to its parent, and what was said and called at either end."""

    uplink: Uplink
    parent: Far
    got: list[Message]
    alone: list[bool]


@pytest.fixture
def loop() -> Rounds:
    return Rounds()


@pytest.fixture
def up(loop: Rounds) -> Iterator[Up]:
    """The link of an agent whose only ancestor is the parent, which the test plays."""
    ours, theirs = socket.socketpair()
    fd = theirs.detach()
    line = leaf.Line(wire.Session(SECRET, False, os.urandom(16)), fd, fd)
    got: list[Message] = []
    alone: list[bool] = []
    uplink = Uplink(loop, line, config(), lambda *message: got.append(message), lambda: alone.append(True))
    parent = Far(loop, ours)
    yield Up(uplink, parent, got, alone)
    uplink.close()
    parent.close()
