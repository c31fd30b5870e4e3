"""What the tests of a node have in common: a loop that goes on until something is so, and the far ends of lines."""

from __future__ import annotations

import gc
import marshal
import os
import select
import socket
import sys
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from mpboot.net import keys, messages, wire, work
from mpboot.net.answer import Answer
from mpboot.net.link import Link
from mpboot.net.loop import READ, Loop
from mpboot.workers import commandline

Message = tuple[int, bytes]

SECRET = bytes(range(wire.KEY_BYTES))  # the key of every launch of the tests
WAY = ((-1, 1), (4, 1))  # on which the hosts of a share came to the node 5: the root gave them to 4
PYTHON = "3.11.2"


def child(key: bytes = SECRET, rank: int = 5, numbers: Sequence[int] = (1,)) -> wire.Session:
    """A child's end of a line."""
    return wire.Session(key, rank, numbers, os.urandom(16))


def answering(key: bytes = SECRET) -> Answer:
    """A parent's end of a line, which takes whoever knows the key for whom it says it is."""
    return Answer(lambda *_: key, os.urandom(16))


class Rounds(Loop):
    """A loop that a test has go round until something is so; the timeout of the test is behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds = 0

    def until(self, is_so: Callable[[], object]) -> None:
        """Go round until ``is_so()``."""
        self._settle()
        while not is_so():
            self.rounds += 1
            self._turn()
            self._settle()

    def once(self) -> None:
        """Go round once, without waiting for anything."""
        before = self.rounds
        self.later(0.0, lambda: None)
        self.until(lambda: self.rounds > before)

    def look_until(self, is_so: Callable[[], object]) -> None:
        """Go round without waiting until something is so that no descriptor tells of."""
        while not is_so():
            self.once()


class Far:
    """The far end of a line, in the loop of the test: it says what it is told to, and keeps what it hears.

    ``answers`` are said, or called with the body, when a message of their kind comes.
    """

    def __init__(
        self, loop: Loop, end: socket.socket, secret: bytes = SECRET, is_parent: bool = True, session: Any = None
    ) -> None:
        """``session``: one to go on with, or begin, in place of one that knows ``secret``."""
        self.heard: list[Message] = []
        self.lost = ""  # why the line was given up
        self.answers: dict[int, Message | Callable[[bytes], object]] = {}
        session = session or (answering(secret) if is_parent else child(secret))
        fd = end.detach()
        self.link = Link(loop, session, fd, fd, self._got, self._lost)

    def say(self, kind: int, body: bytes = b"") -> None:
        """Send a message."""
        self.link.send(kind, body)

    def close(self) -> None:
        """Close the line."""
        self.link.close()

    def bodies(self, kind: int) -> list[bytes]:
        """What has come of a kind."""
        return [body for one, body in self.heard if one == kind]

    @property
    def kinds(self) -> list[int]:
        """The kinds of all that has come."""
        return [kind for kind, _ in self.heard]

    def _got(self, kind: int, body: bytes) -> None:
        self.heard.append((kind, body))
        answer = self.answers.get(kind)
        if callable(answer):
            answer(body)
        elif answer is not None:
            self.say(*answer)

    def _lost(self, reason: str) -> None:
        self.lost = reason


def line(loop: Loop) -> tuple[Link, Far]:
    """A parent's link to a child, and the child's end of it."""
    ours, theirs = socket.socketpair()
    fd = ours.detach()
    link = Link(loop, answering(), fd, fd, lambda *_: None, lambda _: None)
    return link, Far(loop, theirs, is_parent=False)


class Listening:
    """Listens in the loop of the test; whoever connects is a line in ``lines``, at whose far end it is."""

    def __init__(self, loop: Loop, listener: socket.socket | None = None) -> None:
        self._loop = loop
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.lines: list[Far] = []
        address, port = self._listener.getsockname()[:2]
        self.route: tuple[int, tuple[str, ...]] = (port, (address,))
        loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    def close(self) -> None:
        """Listen no more, and close all lines."""
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        for one in self.lines:
            one.close()

    def _accept(self) -> None:
        self.lines.append(Far(self._loop, self._listener.accept()[0]))


class Ancestor:
    """Listens; ``take_in`` is to be asked for before the agent turns to it, which waits until it is answered."""

    def __init__(self, threads: ThreadPoolExecutor, listener: socket.socket | None = None) -> None:
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._threads = threads
        address, port = self._listener.getsockname()[:2]
        self.route: tuple[int, tuple[str, ...]] = (port, (address,))

    def take_in(self, secret: bytes = SECRET) -> Future[tuple[socket.socket, wire.Session]]:
        """Accept, and prove to know the secret: what an agent waits for."""
        return self._threads.submit(self._answer, secret)

    def _answer(self, secret: bytes) -> tuple[socket.socket, wire.Session]:
        end, _ = self._listener.accept()
        session = answering(secret)
        while not session.out:
            data = end.recv(1)
            assert data, "the agent has closed it"
            assert session.feed(data) == []
        end.sendall(session.out)
        session.out.clear()
        return end, session

    def gone(self) -> None:
        """It listens no more, and waits for nobody."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()


def told(
    fd: int | None = None,
    rank: int = 5,
    routes: Sequence[tuple[int, tuple[str, ...]]] = (),
    lineage: Sequence[list[int]] = (),
    **boot: Any,
) -> tuple[Any, Any]:
    """What the agent on h5 is told, as the two last parts of its payload.

    ``boot`` changes settings of the boot, or ``silence``; with ``fd`` it is the root.
    """
    silence = boot.pop("silence", 20.0)
    settled = None if fd is not None else settings(**boot)
    ancestors = list(lineage) or [[at, at + 100] for at in range(max(1, len(routes)))]
    way = [(one[0], 1) for one in reversed(ancestors)] if fd is None else ()
    common = messages.agent_common(tuple(routes), ancestors, silence, settled, fd)
    return common, work.agent_own(1, rank, f"h{rank}", "M", SECRET, way)


def config(*about: Any, **boot: Any) -> wire.AgentConfig:
    """What an agent is told, see told()."""
    return wire.AgentConfig(*told(*about, **boot), (b"kit",))


def settings(**changed: Any) -> messages.BootSettings:
    """Settings of a boot by processes of this host, but for what is ``changed``."""
    values = {
        "topology": "flat", "children": 0, "timeout": 20.0, "retries": 0, "wait_for": 0.0, "rsh": "local",
        "rsh_words": ["local"], "transport": "auto", "shell_probe": "none", "attach": False, "budget": 5.0,
        "command": False, "verbose": False, "psutil": [], "python": "python3",
    }  # fmt: skip
    assert not changed.keys() - values.keys()
    return messages.BootSettings(*{**values, **changed}.values())


def order(rank: int, name: str = "", attempts: int = 0, here: bool = True) -> messages.HostOrder:
    """A host to boot: h1 for rank 1, or of another ``name``. Its key is SECRET, as it comes to a node with that key."""
    name = name or f"h{rank}"
    key = keys.veiled(SECRET, SECRET, WAY[-1], rank)
    return messages.HostOrder(rank, name, name, None, None, attempts, here, key.hex(), None, None)


def share(
    *hosts: messages.HostOrder,
    level: int = 1,
    clock: float = 0.0,
    way: Sequence[tuple[int, int]] = WAY,
    boot: messages.BootSettings | None = None,
) -> messages.Share:
    """Hosts for a node, all of which came on one way; ``boot``: its settings, if not those of settings()."""
    return messages.Share(boot or settings(), level, clock, 0.0, [(way, len(hosts))] if hosts else [], list(hosts))


def open_files() -> set[str]:
    """The descriptors that this process has open, and what they are; what earlier tests let go is closed before."""
    gc.collect()
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{path.name} {path.readlink()}")
        except OSError:
            continue  # it was for the list itself
    return found


def await_end(pid: int) -> None:
    """Wait until a process that may be another's child has ended."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return  # there is none any more, or (EINVAL) it is being reaped at this moment
    select.select([fd], [], [])
    os.close(fd)


def bundle_of(name: str, magic: bytes = MAGIC_NUMBER, room: str = "node", **modules: str | tuple[str, str]) -> bytes:
    """A bundle of modules of a package: a source each, or a source and what the code was compiled from."""
    codes, texts = [], []
    for module, sources in modules.items():
        source, other = (sources, sources) if isinstance(sources, str) else sources
        codes.append((f"mpboot.{room}.{module}", marshal.dumps(compile(other, module, "exec"))))
        texts.append((f"mpboot.{room}.{module}", marshal.dumps(source.encode())))
    both = (zlib.compress(marshal.dumps(tuple(some), 2), 0) for some in (codes, texts))
    return marshal.dumps((name, magic, *both), 2)


def start_host(payload: tuple[Any, ...], fds: Sequence[int] = (), python: str = sys.executable) -> Popen[bytes]:
    """A python3 as on a host that is launched, fed a payload; its stdin stays open, as rsh's does."""
    process = Popen(
        [python, "-S", "-E", "-c", commandline.BOOTSTRAP], stdin=PIPE, stdout=PIPE, stderr=PIPE, pass_fds=fds
    )
    packed = marshal.dumps(payload, 2)
    assert process.stdin
    process.stdin.write(b"%x\n" % len(packed) + packed)
    process.stdin.flush()
    return process
