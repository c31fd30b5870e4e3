"""Every message between two agents as a record: packed into a body, unpacked and checked, here and nowhere else.

docs/protocol.md says who sends what when. HELLO is in hello.py, what an agent with a command needs in commands.py; what
goes into a worker is in work.py, and a leaf knows only wire.py.
"""

from __future__ import annotations

from mpboot.net import fields
from mpboot.net.fields import each, flag, maybe, real, text, whole
from mpboot.net.records import Record, key_text, name, node, rank, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, List, Optional, Sequence, Tuple


# Numbers that grow on their way through the tree: what comes leaves room for what is added before they are told on.
MOST_ATTEMPTS = MOST_LEVEL = 1 << 20
MOST_CLOCK = 1e8  # seconds
DIGEST = 64  # bytes of the name of a packed psutil
MOST_PATIENCE = 20.0  # seconds that an agent waits at most for the proof of whoever took its connection


def step(value: Any) -> Tuple[int, int]:
    """A step of a host's way down the tree: rank and number of a node that handed it on."""
    pair = fields.row(value, 2)
    return node(pair[0]), whole(pair[1], 1)


def way(value: Any) -> List[Tuple[int, int]]:
    """A host's way down the tree, the root first."""
    return each(value, step)


def agent_common(
    routes: Tuple[Tuple[int, Tuple[str, ...]], ...],
    lineage: List[List[int]],
    silence: float,
    boot: Optional[BootSettings] = None,
    fd: Optional[int] = None,
) -> Tuple[Any, ...]:
    """The settings of all agents that a node launches, as wire.AgentConfig takes them; ``boot`` is None for the root.

    ``routes`` (port, addresses) and ``lineage`` (rank, pid) of their ancestors, parent first; ``silence``: seconds
    after which a peer is lost; ``fd``: the root's line to the front door.
    """
    if boot is None:
        return routes, lineage, "auto", False, 0.0, 0.0, silence, False, fd
    trust_ssh = boot.rsh != "local"  # else SSH_CONNECTION tells of the user's own login
    patience = max(boot.budget, min(MOST_PATIENCE, boot.timeout / 3))
    return routes, lineage, boot.transport, boot.attach, boot.budget, patience, silence, trust_ssh, fd


class Afar(Record):
    """What other launching hosts than the head have to know of a host, where the head itself knows better.

    ``alone``: only the head can launch it. Else as whom, at which port and under which address the head's ssh would log
    in; None: as the host's order says.
    """

    CHECKS = {"alone": flag, "user": maybe(name), "port": maybe(lambda value: whole(value, 1, 65535)),
              "address": maybe(name)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    alone: bool
    user: Optional[str]
    port: Optional[int]
    address: Optional[str]


class HostOrder(Record):
    """A host to boot.

    ``attempts``: launches that it has behind it; ``here``: the command is to run on it; ``key``: see keys.py;
    ``python``: the interpreter there, if it is not the boot's; ``afar``: for others than the head.
    """

    CHECKS = {"rank": rank, "label": name, "name": name, "user": maybe(name),
              "port": maybe(lambda value: whole(value, 1, 65535)), "attempts": whole, "here": flag,
              "key": key_text, "python": maybe(name), "afar": maybe(Afar.of)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
    label: str
    name: str
    user: Optional[str]
    port: Optional[int]
    attempts: int
    here: bool
    key: str
    python: Optional[str]
    afar: Optional[Afar]

    @property
    def alone(self) -> bool:
        """Can only the head launch it?"""
        return self.afar is not None and self.afar.alone

    def after(self, attempts: int, key: str) -> HostOrder:
        """The same for a child, with so many launches behind it."""
        user, port, afar = self.user, self.port, self.afar
        if afar is not None:
            user, port = afar.user or user, afar.port or port
            afar = Afar(False, None, None, afar.address) if afar.address else None
        return HostOrder(self.rank, self.label, self.name, user, port, attempts, self.here, key, self.python, afar)


class BootSettings(Record):
    """How to boot: the same for every node of a boot. Times in seconds.

    ``budget``: how long an agent tries to connect back; ``command``: there is one to run; ``psutil``: directories that
    may hold it on the head; ``python``: the interpreter on hosts that have no other.
    """

    CHECKS = {"topology": name, "children": whole, "timeout": real, "retries": whole, "wait_for": real, "rsh": text,
              "rsh_words": lambda value: each(value, text), "transport": name, "shell_probe": name, "attach": flag,
              "budget": real, "command": flag, "verbose": flag, "psutil": lambda value: each(value, text),
              "python": name}  # fmt: skip
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
    python: str


class Share(Record):
    """SHARE: hosts to boot, for a node at ``level`` of the tree; ``clock``: seconds since the boot's start.

    ``slowest``: seconds of the slowest launch that has led to an agent, of those that the sender knows; 0: of none.
    ``ways``: those of the hosts, from the root to whoever sends this, and for how many of them each is.
    """

    CHECKS = {"boot": BootSettings.of, "level": lambda value: whole(value, 0, MOST_LEVEL),
              "clock": lambda value: real(value, 0.0, MOST_CLOCK),
              "slowest": lambda value: real(value, 0.0, MOST_CLOCK),
              "ways": lambda value: each(value, lambda pair: (way(fields.row(pair, 2)[0]), whole(pair[1], 1))),
              "hosts": lambda value: each(value, HostOrder.of)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    boot: BootSettings
    level: int
    clock: float
    slowest: float
    ways: Sequence[Tuple[Sequence[Tuple[int, int]], int]]
    hosts: List[HostOrder]

    def each(self) -> Iterable[Tuple[HostOrder, Sequence[Tuple[int, int]]]]:
        """The hosts, and the way of each. ValueError where not all have one."""
        if sum(count for _, count in self.ways) != len(self.hosts):
            raise ValueError("not as many ways as hosts")
        return zip(self.hosts, [one for one, count in self.ways for _ in range(count)])


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

    CHECKS = {"rank": rank, "attempts": lambda value: whole(value, 0, MOST_ATTEMPTS), "why": maybe(Why.of)}
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


class LaunchSeen(Record):
    """A launch under way of the host ``rank``; ``launcher``: the rank of the node that carries it.

    ``seconds`` since it began, ``still`` since it moved (None: nobody can tell), ``phase`` likewise; ``tcp``: state and
    peer of its connections; ``statuses`` of its processes, in psutil's words; ``tty``: a terminal that it has open.
    """

    CHECKS = {"rank": rank, "launcher": node, "attempt": whole, "seconds": real, "phase": maybe(name),
              "still": maybe(real), "tcp": lambda value: each(value, lambda one: each(one, name, 2), 8),
              "statuses": lambda value: each(value, name, 16), "tty": name}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rank: int
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


class Psutil:
    """PSUTIL: the ``digest`` of the psutil that the child keeps, or one ``packed`` (see node/parcel.py); or neither."""

    __slots__ = ("digest", "packed")

    def __init__(self, digest: str = "", packed: bytes = b"") -> None:
        """At most one of the two."""
        self.digest = digest
        self.packed = packed

    def pack(self) -> bytes:
        """As it travels."""
        return self.digest.encode("ascii") or self.packed

    @staticmethod
    def unpack(body: bytes) -> Psutil:
        """What ``pack`` returned. ValueError. What is packed is checked where it is opened."""
        if len(body) != DIGEST:
            return Psutil(packed=body)
        if not set(body) <= set(b"0123456789abcdef"):
            raise ValueError("no digest")
        return Psutil(digest=body.decode("ascii"))
