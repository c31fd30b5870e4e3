"""Front door, root and a parent below it, real but for what they launch, in one process: to be told anything.

Whoever plays an agent takes the key of a launch that a node has ordered. ``House.check`` holds what must be true
whatever has been said: nobody but whoever said it is lost, each host is in one place, the report is right.
"""

from __future__ import annotations

import gc
import json
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

from mpboot.cli.output import Lines
from mpboot.cli.progress import Progress
from mpboot.cli.sink import Sink
from mpboot.head import root as head_root
from mpboot.head.boot import Boot
from mpboot.head.options import Options
from mpboot.hosts.host import Host
from mpboot.net import keys, messages, wire, work
from mpboot.net.hello import Hello
from mpboot.net.work import LaunchOrder
from mpboot.node import leaf
from mpboot.node.agent import Agent
from mpboot.node.keyring import Keyring
from mpboot.tree import causes
from mpboot.tree.ledger import HEAD
from tests.support.frames import packed
from tests.support.stand_ins import HollowRoot, NoStore, PlayedPool, Player, Still, no_command, no_fork
from tests.support.tree_numbers import check_numbers

SIZE = 24  # hosts
SILENCE = 1e6  # seconds: nobody is lost for that
BOOT = messages.BootSettings(
    "tree", 4, 30.0, 1, 0.0, "local", ["local"], "auto", "none", False, 1.0, False, True, [], "py"
)


class Site:
    """Real agents in one loop that never waits, where nothing is launched, run or written."""

    def __init__(self) -> None:
        self.loop = Still()
        self._players: list[Player] = []
        self._before: dict[str, str] = {}  # what the report said of those who are none of anybody's business
        self._stack = ExitStack()
        for name, instead in (
            ("head.boot.Loop", lambda: self.loop), ("node.agent.Loop", lambda: self.loop),
            ("node.agent.Agent._watch_signals", lambda _: None), ("node.launcher.Pool", PlayedPool),
            ("node.pace.runnable", lambda: 0), ("workers.forkserver.start", no_fork),
            ("head.boot.first_messages", self._first), ("node.jobs.Command", no_command),
            ("node.parcel.keep", lambda _: None),
        ):  # fmt: skip
            self._stack.enter_context(mock.patch("mpboot." + name, instead))
        for module in self.loop.clocks():
            self._stack.enter_context(mock.patch(module + ".monotonic", self.loop.now))

    def _first(self, *_: object, **__: object) -> list[wire.Message]:
        """What a root is sent first."""
        return []

    def agent(self, own: tuple[Any, ...], fd: int, is_root: bool = False) -> Agent:
        """A real agent at this end of a line, when it has said HELLO and got what it gets."""
        boot = None if is_root else BOOT
        config = wire.AgentConfig(
            messages.agent_common((), [[HEAD, os.getpid()]], SILENCE, boot, fd if is_root else None), own
        )
        line = leaf.Line(leaf.session(config, 0), fd, fd)
        line.session.send(wire.HELLO, leaf.hello(config))
        agent = Agent(line, config, NoStore())
        gc.enable()
        self.loop.quiet()
        return agent

    @staticmethod
    def launches(node: Agent) -> list[LaunchOrder]:
        """The launches of a node that are under way."""
        pool: Any = node._parent._launcher._pool if node._parent is not None else None
        return list(pool.orders.values()) if pool is not None else []

    def fails(self, node: Agent, launch: int, cause: str) -> None:
        """A launch of the node fails."""
        assert node._parent is not None
        pool: Any = node._parent._launcher._pool
        pool.fails(launch, cause)
        self.loop.quiet()

    def child(self, node: Agent, number: int = 0, hello: bytes | None = None) -> Player:
        """One that a node launches (the first, or that of a number) connects, and says this instead of its HELLO."""
        launch = next(one for one in self.launches(node) if number in (0, one.launch))
        return self.again(node, launch, hello)

    def again(self, node: Agent, launch: LaunchOrder, hello: bytes | None = None) -> Player:
        """Whoever knows the key of this launch comes by it."""
        session = wire.Session(launch.key, launch.rank, [launch.way[-1][1]], os.urandom(16))
        return self._greets(node, session, self.visit(node), hello)

    def visit(self, node: Agent) -> int:
        """Somebody comes to the node's door: the descriptor of the far end."""
        ours, theirs = socket.socketpair()
        assert node._parent is not None
        node._parent._door._let_in(ours.detach())
        return theirs.detach()

    def _greets(self, node: Agent, session: wire.Session, fd: int, hello: bytes | None) -> Player:
        rank = int.from_bytes(session._hello[4:8], "big", signed=True)
        player = Player(self.loop, session, fd, rank, [int(label[1:]) for label in self._before], node)
        self._players.append(player)
        player.say(wire.HELLO, hello)
        self.loop.quiet()
        return player

    @staticmethod
    def end(node: Agent) -> None:
        """Have an agent leave nothing open."""
        if node._parent is not None:
            node._parent._door.close()
            for child in node._parent.children.values():
                child.link.close()
        node._uplink.close()

    def close(self) -> None:
        """Leave nothing."""
        for player in self._players:
            player.link.close()
        self._stack.close()
        self.loop._poller.close()


class Door(Site):
    """The front door and its line: the far end is for a root, real or played."""

    def __init__(
        self, topology: str = "tree", command: Sequence[str] = (), retries: int = 10, size: int = SIZE
    ) -> None:
        super().__init__()
        self._null = os.open(os.devnull, os.O_WRONLY)
        out, err = Sink(self._null), Sink(self._null)
        self.progress = Progress(out, err, Lines(out, err))
        self.options = Options(
            children=4 if topology == "tree" else 0, topology=topology, command=command, retries=retries, rsh="local",
            verbose=True,
        )  # fmt: skip
        self.hosts = [Host(f"h{rank}") for rank in range(size)]
        self._hollow = HollowRoot()
        self.boot = Boot(self.hosts, self.options, self.progress, start_root=lambda _: self._hollow)
        self.progress.begin(self.boot)
        self.report = self.boot.report

    def _first(self, *_: object, **__: object) -> list[wire.Message]:
        run = [(wire.RUN, head_root._command(self.options, len(self.hosts)))] if self.options.command else []
        return [*run, (wire.SHARE, head_root.share(list(enumerate(self.hosts)), self.options, self.loop.now()))]

    def played_root(self) -> Player:
        """A root that the test plays; HELLO is still to be said."""
        session = wire.Session(self._hollow.key, HEAD, (), os.urandom(16))
        return Player(self.loop, session, self._hollow.far(), HEAD)

    def real_root(self) -> Agent:
        """The real one."""
        return self.agent(work.agent_own(0, HEAD, "head", "", self._hollow.key, ()), self._hollow.far(), True)

    def ended(self) -> None:
        """The root says nothing more: the report is to be right all the same."""
        if not self.boot._line.link.open and self.boot._stop_signal is None:
            assert self.report.ended_by == causes.LOST
        self.boot._recorder.flush()
        self.boot._recorder.finish()
        assert self.report.up + self.report.failed == len(self.hosts)
        assert all(host.state in ("up", "failed") for host in self.report.hosts.values())

    def told(self) -> str:
        """All that a person or a program is told of the boot. AssertionError if it can't be printed."""
        lines = [*self.report.table(80, True), *self.report.remarks(), self.report.summary()]
        text = "\n".join(lines)
        text.encode("utf-8", "strict")
        json.loads(self.report.to_json())
        assert all(line.isprintable() for line in lines)
        return text

    def close(self) -> None:
        """Leave nothing."""
        self.boot._line.link.close()
        self.progress.end()
        os.close(self._null)
        super().close()


class House(Door):
    """Front door, root, a real parent below it, and a well-behaved child of each, up; others can be played."""

    def __init__(
        self, topology: str = "tree", command: Sequence[str] = (), retries: int = 10, size: int = SIZE
    ) -> None:
        super().__init__(topology, command, retries, size)
        self.root = self.real_root()
        launch = self.launches(self.root)[0]
        own = work.agent_own(1, launch.rank, launch.label, "", launch.key, launch.way)
        self.inner = self.agent(own, self.visit(self.root))
        self.good = [self.child(node) for node in (self.root, self.inner) if self.launches(node)]
        bystanders = [f"h{rank}" for rank in (launch.rank, *(player.rank for player in self.good))]
        self._before = {label: repr(self.report.hosts[label]) for label in bystanders}

    # -- who is there ------------------------------------------------------------------------------

    def orphan(self, node: Agent, by: Player, rank: int, hello: bytes | None = None) -> Player:
        """A host that was in the care of ``by`` turns to its grandparent, as if ``by`` had launched it."""
        numbers = [number for _, number in by.care[rank][1]][-1:]
        session = wire.Session(self.key(by, rank), rank, [*numbers, 1], os.urandom(16))
        about = {"id": 1, "rank": rank, "pid": 4712, "python": "3.11.2", "orphan": True, "lost": [[by.rank, 4711]]}
        return self._greets(node, session, self.visit(node), packed(about) if hello is None else hello)

    @staticmethod
    def key(by: Player, rank: int) -> bytes:
        """The key of a launch by whoever has this host in care."""
        return keys.of_launch(House.handed(by, rank), 1)

    @staticmethod
    def handed(by: Player, rank: int) -> bytes:
        """The key of a host that ``by`` has in care."""
        order, way = by.care[rank]
        return keys.veiled(by.link.session._key, bytes.fromhex(order.key), way[-1], rank)

    def family(self, by: Player, rank: int, ranks: Iterable[int]) -> dict[str, Any]:
        """The HELLO of an orphan that was handed some of the hosts that ``by`` has in care, which it can prove."""
        below = sorted({*ranks} - {rank})
        ring = Keyring(rank)
        for one in below:
            ring.take(one, keys.of_share(self.handed(by, one), 2), (*by.care[one][1], (by.rank, 2)))
        ways, proof = ring.prove(self.key(by, rank), by.care[rank][1][-1][0], below)
        family = Hello.about_family(below[::3], below[1::3], below[2::3], ways, proof)
        lost = [[by.rank, 4711]]
        return {"id": 1, "rank": rank, "pid": 4712, "python": "3.11.2", "orphan": True, "lost": lost, **family}

    # -- what must be true -------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Has the boot come to its end?"""
        return self.boot._stop_signal is not None

    def check(self) -> None:
        """Whatever has been said: nobody else is lost, and the numbers are right."""
        for label, before in self._before.items():
            assert repr(self.report.hosts[label]) == before, f"somebody spoke for {label}"
        assert not self.report.ended_by
        if self.over:
            assert self.boot._recorder.complete, "the boot is ended early"
            return
        assert self.boot._line.link.open, "the front door has lost the root"
        assert self.inner._uplink._link.open, "the parent below the root is lost"
        for player in self.good:
            assert player.link.open, f"a bystander is lost: {player.lost}"
        for node in (self.root, self.inner):
            parent = node._parent
            if parent is not None:
                check_numbers(parent._state, parent._launcher._current)
                assert parent.children.keys() == parent._state.children.keys()

    def close(self) -> None:
        """Leave nothing."""
        for node in (self.inner, self.root):
            self.end(node)
        super().close()
