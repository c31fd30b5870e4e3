"""Every message between two agents as a record: packed into a body, unpacked and checked, here and nowhere else.

docs/protocol.md says who sends what when. What goes into a worker is in work.py; a leaf knows only wire.py.
"""

from __future__ import annotations

from mpboot.net import fields, plain
from mpboot.net.fields import each, flag, maybe, real, text, whole
from mpboot.net.records import Record, name, node, rank, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Tuple


def number(body: bytes, least: int = 0, most: int = fields.MOST) -> int:
    """The body of DONE, RECLAIM, CREDIT or STOP: a decimal number."""
    if not body.isdigit() or len(body) > 10:
        raise ValueError("no decimal number")
    return whole(int(body), least, most)


def agent_common(
    secret: bytes,
    routes: Tuple[Tuple[int, Tuple[str, ...]], ...],
    lineage: List[List[int]],
    silence: float,
    boot: Optional[BootSettings] = None,
    fd: Optional[int] = None,
) -> Tuple[Any, ...]:
    """What all agents are told that a node launches, as wire.AgentConfig takes it; ``boot`` is None for the root.

    ``secret``: the boot's; ``routes`` (port, addresses) and ``lineage`` (rank, pid) of their ancestors, parent first;
    ``silence``: seconds after which a peer is lost; ``fd``: the root's line to the front door.
    """
    if boot is None:
        return secret, routes, lineage, "auto", False, 0.0, silence, False, fd
    trust_ssh = boot.rsh != "local"  # else SSH_CONNECTION tells of the user's own login
    return secret, routes, lineage, boot.transport, boot.attach, boot.budget, silence, trust_ssh, fd


class HostOrder(Record):
    """A host to boot. ``attempts``: launches that it has behind it; ``here``: the command is to run on it."""

    CHECKS = {"rank": rank, "label": name, "name": name, "user": maybe(name),
              "port": maybe(lambda value: whole(value, 1, 65535)), "attempts": whole, "here": flag}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
    label: str
    name: str
    user: Optional[str]
    port: Optional[int]
    attempts: int
    here: bool

    def after(self, attempts: int) -> HostOrder:
        """The same, with so many launches behind it."""
        return HostOrder(self.rank, self.label, self.name, self.user, self.port, attempts, self.here)


class BootSettings(Record):
    """How to boot: the same for every node of a boot. Times in seconds.

    ``budget``: how long an agent tries to connect back; ``command``: there is one to run; ``psutil``: directories that
    may hold it on the head.
    """

    CHECKS = {"topology": name, "children": whole, "timeout": real, "retries": whole, "wait_for": real, "rsh": text,
              "rsh_words": lambda value: each(value, text), "transport": name, "shell_probe": name, "attach": flag,
              "budget": real, "command": flag, "verbose": flag, "psutil": lambda value: each(value, text)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    topology: str
    children: int
    timeout: float
    retries: int
    wait_for: float
    rsh: str
    rsh_words: List[str]
    transport: str
    shell_probe: str
    attach: bool
    budget: float
    command: bool
    verbose: bool
    psutil: List[str]


class Share(Record):
    """SHARE: hosts to boot, for a node at ``level`` of the tree; ``clock``: seconds since the boot's start."""

    CHECKS = {"boot": BootSettings.of, "level": whole, "clock": real,
              "hosts": lambda value: each(value, HostOrder.of)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    boot: BootSettings
    level: int
    clock: float
    hosts: List[HostOrder]


class Up(Record):
    """UP: a host's agent is up. ``launched`` and ``up``: seconds since the boot's start."""

    CHECKS = {"rank": rank, "parent": node, "level": whole, "launched": lambda value: real(value, -1e9), "up": real,
              "pid": lambda value: whole(value, 1), "attempts": whole, "python": name}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
    parent: int
    level: int
    launched: float
    up: float
    pid: int
    attempts: int
    python: str


class Failed(Record):
    """FAILED: a host has failed for good; ``launcher``: the rank of the node that tried last."""

    CHECKS = {"rank": rank, "cause": name, "phase": name, "attempts": whole, "launcher": node, "detail": told,
              "stderr": told}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
    cause: str
    phase: str
    attempts: int
    launcher: int
    detail: str
    stderr: str


class Why(Record):
    """Why the last launch of a host failed that is given back."""

    CHECKS = {"cause": name, "phase": name, "detail": told, "stderr": told}
    __slots__ = tuple(CHECKS)
    cause: str
    phase: str
    detail: str
    stderr: str


class HostBack(Record):
    """A host that is given back unbooted, with its attempts so far; ``why`` if it was tried in vain."""

    CHECKS = {"rank": rank, "attempts": whole, "why": maybe(Why.of)}
    __slots__ = tuple(CHECKS)
    rank: int
    attempts: int
    why: Optional[Why]


class Returned(Record):
    """RETURN: hosts given back. ``tried``: an ancestor must try; ``disabled``: send no more."""

    CHECKS = {"hosts": lambda value: each(value, HostBack.of), "tried": flag, "disabled": flag}
    __slots__ = tuple(CHECKS)
    hosts: List[HostBack]
    tried: bool
    disabled: bool


class Launched(Record):
    """LAUNCHED: how many launches more have begun, and how many strangers more were turned away."""

    CHECKS = {"launched": whole, "strangers": whole}
    __slots__ = tuple(CHECKS)
    launched: int
    strangers: int


class Run(Record):
    """RUN: the command; ``here``: false on a host that only passes it on."""

    CHECKS = {"argv": lambda value: each(value, lambda word: text(word, 1 << 20)),
              "env": lambda value: each(value, lambda pair: (text(fields.row(pair, 2)[0]), text(pair[1], 1 << 20))),
              "here": flag}  # fmt: skip
    __slots__ = tuple(CHECKS)
    argv: List[str]
    env: List[Tuple[str, str]]
    here: bool


class Exit(Record):
    """EXIT: the command has ended on a host, with this exit code."""

    CHECKS = {"rank": rank, "code": lambda value: whole(value, 0, 255)}
    __slots__ = tuple(CHECKS)
    rank: int
    code: int


class Note(Record):
    """NOTE: what a node can't do, or does otherwise (``what``: leaf or watch)."""

    CHECKS = {"rank": node, "what": name, "text": told}
    __slots__ = tuple(CHECKS)
    rank: int
    what: str
    text: str


class LaunchSeen(Record):
    """A launch under way. ``launcher``: the rank of the node that carries it.

    ``seconds`` since it began, ``still`` since it moved (None: nobody can tell), ``phase`` likewise; ``tcp``: state and
    peer of its connections; ``statuses`` of its processes, in psutil's words; ``tty``: a terminal that it has open.
    """

    CHECKS = {"host": name, "launcher": node, "attempt": whole, "seconds": real, "phase": maybe(name),
              "still": maybe(real), "tcp": lambda value: each(value, lambda one: each(one, name, 2), 8),
              "statuses": lambda value: each(value, name, 16), "tty": name}  # fmt: skip
    __slots__ = tuple(CHECKS)
    host: str
    launcher: int
    attempt: int
    seconds: float
    phase: Optional[str]
    still: Optional[float]
    tcp: List[List[str]]
    statuses: List[str]
    tty: str


class UnderWay(Record):
    """TOLD: a node's launches under way; ``to_come``: how many answers follow from it and those that it has asked."""

    CHECKS = {"launches": lambda value: each(value, LaunchSeen.of), "to_come": whole}
    __slots__ = tuple(CHECKS)
    launches: List[LaunchSeen]
    to_come: int


class Want(Record):
    """WANT: a node has no psutil; ``kept``: the digests of those that it keeps from earlier boots."""

    CHECKS = {"kept": lambda value: each(value, name)}
    __slots__ = tuple(CHECKS)
    kept: List[str]


class Hello:
    """HELLO: an agent presents itself. A leaf writes it by hand (see node/leaf.py), so it is an object with names.

    Of an ``orphan`` also: ``lost``, rank and pid of the nearer ancestors that it has lost; and, if it is a parent, whom
    it brings: ``below`` (ranks up), ``left`` (not finished) and ``failed``.
    """

    CHECKS = {"id": whole, "rank": rank, "pid": lambda value: whole(value, 1), "python": name, "orphan": flag,
              "lost": lambda value: each(value, lambda pair: (node(fields.row(pair, 2)[0]), whole(pair[1], 1))),
              "below": lambda value: each(value, rank), "left": lambda value: each(value, rank),
              "failed": lambda value: each(value, Failed.of)}  # fmt: skip
    __slots__ = ("below", "failed", "id", "left", "lost", "orphan", "parent", "pid", "python", "rank")

    def __init__(self, body: bytes) -> None:
        """Unpack a HELLO. ValueError."""
        said = fields.record(plain.loads(body), self.CHECKS, "orphan lost below left failed")
        self.id: int = said["id"]
        self.rank: int = said["rank"]
        self.pid: int = said["pid"]
        self.python: str = said["python"]
        self.orphan: bool = said.get("orphan", False)
        self.lost: List[Tuple[int, int]] = said.get("lost", [])
        self.parent = "below" in said  # it launches others
        self.below: List[int] = said.get("below", [])
        self.left: List[int] = said.get("left", [])
        self.failed: List[Failed] = said.get("failed", [])
