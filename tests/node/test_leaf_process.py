"""A leaf as a host runs it: a real process, fed through its stdin, whose parent and ancestors the test plays."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from mpboot.net import wire
from mpboot.net.hello import Hello
from mpboot.node import bundle
from mpboot.workers.relay import Pieces
from tests.node.played import SECRET, Far, Listening, Rounds, answering, await_end, bundle_of, start_host, told

REFUSED = "127.0.0.1: Connection refused"
SPY = """
import _signal
class Agent:
    def __init__(self, line, config, store):
        self.line, self.about = line, [config.rank, config.shares, sorted(store.bundles), len(config.kit)]
    def run(self, messages):
        import json, sys
        told = [self.about, [[kind, body.decode()] for kind, body in messages], _signal.alarm(0)]
        self.line.session.send(18, json.dumps(told).encode())
        self.line.flush()
        sys.exit(0)
"""


class Hosts:
    """Starts leaves, and ends what is left of them."""

    def __init__(self) -> None:
        self.processes: list[Popen[bytes]] = []

    def start(self, fds: tuple[int, ...] = (), **about: Any) -> Popen[bytes]:
        """A leaf that is told this, see told()."""
        self.processes.append(start_host((*bundle.kit(), *told(**about)), fds))
        return self.processes[-1]

    def close(self) -> None:
        for process in self.processes:
            with process:
                process.kill()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts()
    yield made
    made.close()


@pytest.fixture
def listen(loop: Rounds) -> Iterator[Callable[[], Listening]]:
    made: list[Listening] = []

    def begin() -> Listening:
        made.append(Listening(loop))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture
def nobody() -> tuple[int, tuple[str, ...]]:
    """The way to where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1], ("127.0.0.1",)


def hello(loop: Rounds, parent: Listening, at: int = 0) -> tuple[Far, Hello]:
    """The line of whoever has connected to this parent, and what it says first."""
    loop.until(lambda: len(parent.lines) > at and parent.lines[at].heard)
    line = parent.lines[at]
    kind, body = line.heard.pop(0)
    assert kind == wire.HELLO
    return line, Hello(body)


def answers(loop: Rounds, line: Far, kind: int, body: bytes, what: int) -> list[bytes]:
    """Say this, and what is answered until PING is."""
    line.say(kind, body)
    line.say(wire.PING)
    loop.until(lambda: wire.PONG in line.kinds)
    said = line.bodies(what)
    line.heard.clear()
    return said


# -- how it comes to its parent --------------------------------------------------------------------


def test_it_connects_and_lets_go_of_rsh(loop: Rounds, hosts: Hosts, listen: Callable[[], Listening]) -> None:
    parent = listen()
    process = hosts.start(routes=[parent.route])
    line, said = hello(loop, parent)
    assert (said.id, said.rank, said.orphan, said.parent) == (1, 5, False, False)
    assert process.stdout
    assert process.stdout.read() == b"\nM agent\nM tcp\n"
    assert process.wait() == 0
    assert said.pid != process.pid
    assert os.getsid(said.pid) == said.pid
    files = Path(f"/proc/{said.pid}/fd")
    assert {str((files / name).readlink()) for name in "012"} == {os.devnull}
    assert len(list(files.iterdir())) == 4
    line.say(wire.STOP)
    loop.until(lambda: line.lost)
    await_end(said.pid)


def test_it_may_stay_with_its_rsh(loop: Rounds, hosts: Hosts, listen: Callable[[], Listening]) -> None:
    parent = listen()
    process = hosts.start(routes=[parent.route], attach=True)
    line, said = hello(loop, parent)
    assert said.pid == process.pid
    assert process.poll() is None
    line.say(wire.STOP, b"9")
    loop.until(lambda: line.lost)
    assert process.wait() == 0
    assert process.stdout
    assert process.stdout.read() == b"\nM agent\nM tcp\n"


@pytest.mark.parametrize("transport", ["stdio", "auto"])
def test_it_may_speak_through_its_rsh(
    hosts: Hosts, nobody: tuple[int, tuple[str, ...]], transport: str, loop: Rounds, listen: Callable[[], Listening]
) -> None:
    parent = listen()
    process = hosts.start(routes=[nobody if transport == "auto" else parent.route], transport=transport)
    assert process.stdout
    assert process.stdin
    why = REFUSED if transport == "auto" else ""
    said = f"\nM agent\nM stdio {why}\n".encode()
    assert process.stdout.read(len(said)) == said
    session, pieces = answering(), Pieces(SECRET)
    heard: list[tuple[int, bytes]] = []
    while not heard:
        data = process.stdout.read1(1 << 16)  # type: ignore[attr-defined]  # of a BufferedReader
        assert data
        said_so_far = bytearray()
        pieces.take(b"noise" + data, said_so_far)
        heard = session.feed(bytes(said_so_far))
        process.stdin.write(bytes(session.out))
        process.stdin.flush()
        session.out.clear()
    assert Hello(heard[0][1]).pid == process.pid
    process.stdin.close()
    assert process.wait() == 0
    loop.once()
    assert parent.lines == []


def test_it_says_that_it_can_not_come(hosts: Hosts, nobody: tuple[int, tuple[str, ...]]) -> None:
    process = hosts.start(routes=[nobody], transport="tcp")
    assert process.wait() == 77
    assert process.stdout
    assert process.stdout.read() == f"\nM agent\nM blocked {REFUSED}\n".encode()


def test_a_parent_that_is_gone_before_the_first_word(hosts: Hosts) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        process = hosts.start((theirs.fileno(),), fd=theirs.fileno())
        assert process.wait() == 1
    assert process.stderr
    assert process.stderr.read().startswith(b"mpboot: the parent's connection was lost: ")
    assert process.stdout
    assert process.stdout.read() == b""  # the root has nobody to announce itself to


# -- what it does ----------------------------------------------------------------------------------


def test_what_a_leaf_answers(loop: Rounds, hosts: Hosts, listen: Callable[[], Listening]) -> None:
    parent = listen()
    process = hosts.start(routes=[parent.route], attach=True)
    line, _ = hello(loop, parent)
    assert answers(loop, line, wire.SHARE, b"", wire.DONE) == [b"1"]
    assert answers(loop, line, wire.GO, b"", wire.DONE) == []
    assert answers(loop, line, wire.SHARE, b"", wire.DONE) == [b"2"]
    assert answers(loop, line, wire.CODE, bundle_of("more", more=""), wire.DONE) == []
    assert process.poll() is None


@pytest.mark.parametrize("more", [(wire.RUN, b"run"), (wire.SHARE, b"hosts"), (wire.TELL, b""), (99, b"")])
def test_what_makes_it_more_than_a_leaf(
    loop: Rounds, hosts: Hosts, listen: Callable[[], Listening], more: tuple[int, bytes]
) -> None:
    parent = listen()
    process = hosts.start(routes=[parent.route], attach=True)
    line, _ = hello(loop, parent)
    for kind, body in ((wire.SHARE, b""), (wire.CODE, bundle_of("agent", agent=SPY)), more, (wire.PING, b"")):
        line.say(kind, body)
    loop.until(lambda: wire.LOG in line.kinds)
    about, rest, alarm = json.loads(line.bodies(wire.LOG)[0])
    assert about == [5, 1, ["agent", "leaf"], 5]
    assert rest[0] == [more[0], more[1].decode()]
    assert rest[1:] in ([], [[wire.PING, ""]])
    assert alarm == 0  # the bootstrap's, which ends who is never fed
    assert process.wait() == 0


# -- its ancestors ---------------------------------------------------------------------------------


def test_the_nearest_ancestor_that_answers_is_the_parent_from_then_on(
    loop: Rounds, hosts: Hosts, listen: Callable[[], Listening], nobody: tuple[int, tuple[str, ...]]
) -> None:
    parent, grandparent, root = listen(), listen(), listen()
    routes = [parent.route, nobody, grandparent.route, root.route]
    lineage = [[4, 44], [3, 33], [2, 22], [-1, 11]]
    process = hosts.start(routes=routes, lineage=lineage, attach=True)
    line, first = hello(loop, parent)
    assert answers(loop, line, wire.SHARE, b"", wire.DONE) == [b"1"]
    line.close()
    line, said = hello(loop, grandparent)
    assert (said.rank, said.pid, said.orphan, said.parent) == (5, first.pid, True, False)
    assert said.lost == [(4, 44), (3, 33)]
    assert answers(loop, line, wire.SHARE, b"", wire.DONE) == [b"1"]  # shares count anew
    line.close()
    line, said = hello(loop, root)
    assert said.lost == [(2, 22)]
    line.close()
    assert process.wait() == 0


def test_a_silent_parent_is_left(loop: Rounds, hosts: Hosts, listen: Callable[[], Listening]) -> None:
    parent, grandparent = listen(), listen()
    hosts.start(
        routes=[parent.route, grandparent.route], lineage=[[4, 44], [-1, 11]], attach=True, silence=0.2
    )  # fmt: skip
    first, _ = hello(loop, parent)
    _, said = hello(loop, grandparent)
    assert said.lost == [(4, 44)]
    loop.until(lambda: first.lost)


def test_a_silent_parent_whose_kernel_answers_is_asked_and_waited_for(
    loop: Rounds, hosts: Hosts, listen: Callable[[], Listening]
) -> None:
    parent, grandparent = listen(), listen()
    hosts.start(routes=[parent.route, grandparent.route], lineage=[[4, 44], [-1, 11]], attach=True, silence=1.0)
    line, _ = hello(loop, parent)
    loop.until(lambda: len(line.bodies(wire.PONG)) >= 5)  # the first after 0.8 s, and each 0.2 s later
    line.say(wire.SHARE)
    loop.until(lambda: line.bodies(wire.DONE))
    assert line.bodies(wire.DONE) == [b"1"]
    assert not line.lost


def test_a_parent_that_speaks_is_not(loop: Rounds, hosts: Hosts, listen: Callable[[], Listening]) -> None:
    parent = listen()
    hosts.start(routes=[parent.route], lineage=[[4, 44]], attach=True, silence=1.0)
    line, _ = hello(loop, parent)
    for _ in range(15):
        waited: list[bool] = []
        loop.later(0.1, lambda: waited.append(True))  # noqa: B023
        loop.until(lambda: waited)  # noqa: B023
        line.say(wire.PING)
    assert not line.lost
