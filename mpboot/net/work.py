"""All that goes to the processes which carry and watch launches, and what they say, as records.

A record is a list there: its kind's name, then its values. It is packed and unpacked here and nowhere else; what does
not fit is a ValueError, and whoever said it counts as dead.
"""

from __future__ import annotations

from mpboot.net.fields import each, flag, maybe, raw, real, row, text, whole
from mpboot.net.records import Record, name, rank, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Sequence, Tuple, Type, Union

    States = List[Tuple[str, float]]  # what a launch went through: a name, and its time on the monotonic clock
STATES, PART = 12, 1 << 24  # states of a launch that are kept; bytes or characters of each part of a payload


def launch(value: Any) -> int:
    """A launch's number, which is its node's own."""
    return whole(value, 1)


def pid(value: Any) -> int:
    """A process's number."""
    return whole(value, 1)


def port(value: Any) -> int:
    """A TCP port."""
    return whole(value, 1, 65535)


def words(value: Any) -> List[str]:
    """Words of a command line, or directories."""
    return each(value, text)


def parts(value: Any) -> Tuple[Any, ...]:
    """Parts of a payload, which are text or bytes."""
    return tuple(each(value, lambda part: text(part, PART) if type(part) is str else raw(part, PART)))


def values(value: Any) -> Tuple[Any, ...]:
    """Values that are for somebody else to take apart."""
    return tuple(each(value, lambda one: one))


def way(value: Any) -> Tuple[Tuple[int, int], ...]:
    """A host's way down the tree: rank and number of the nodes that handed it on."""
    return tuple(each(value, lambda step: (whole(row(step, 2)[0], -1), whole(step[1], 1))))


def states(value: Any) -> States:
    """What a launch went through."""
    return each(value, lambda state: (name(row(state, 2)[0]), real(state[1])), STATES)


def connections(value: Any) -> List[Tuple[str, str]]:
    """State and peer of TCP connections, a few of them."""
    return each(value, lambda one: (name(row(one, 2)[0]), name(one[1])), 8)


def agent_own(launch: int, rank_: int, label: str, marker: str, key: bytes, way: Sequence[Any]) -> Tuple[Any, ...]:
    """The settings of one agent, as wire.AgentConfig takes them.

    ``marker`` begins what it says on rsh's stdout; ``key`` is this launch's, ``way`` leads there (node/keyring.py).
    """
    return launch, rank_, label, marker, key, tuple(tuple(step) for step in way)


class LaunchSettings(Record):
    """What all launches of a node have in common.

    ``words``: ``rsh``, split; ``port``: the parent's accept socket; ``ssh_options``, ``cheap``, ``offered``: kex.py;
    ``kit`` and ``agents`` begin the payload (bundle.py); ``python``: of hosts that name none; ``is_root``: none above.
    """

    CHECKS = {"rsh": text, "words": words, "timeout": real, "shell_probe": name, "attach": flag, "port": port,
              "ssh_options": words, "cheap": words, "offered": words, "kit": parts, "agents": values,
              "python": name, "is_root": flag}  # fmt: skip
    __slots__ = tuple(CHECKS)
    rsh: str
    words: List[str]
    timeout: float
    shell_probe: str
    attach: bool
    port: int
    ssh_options: List[str]
    cheap: List[str]
    offered: List[str]
    kit: Tuple[Any, ...]
    agents: Tuple[Any, ...]
    python: str
    is_root: bool


class Verdict(Record):
    """How a launch ended: ``cause`` is empty if the agent took over; ``stderr`` is the end of what rsh wrote there."""

    CHECKS = {"cause": name, "phase": name, "detail": told, "states": states, "stderr": told}
    __slots__ = tuple(CHECKS)
    cause: str
    phase: str
    detail: str
    states: States
    stderr: str


class Message(Record):
    """A record that says in the pipe what it is, since others go through it as well."""

    __slots__ = ()

    def plain(self) -> List[Any]:
        """The record as it goes into a pipe."""
        return [type(self).__name__, *self.row()]


# -- to and from a worker --------------------------------------------------------------------------


class LaunchOrder(Message):
    """Launch a host, and say under the number ``launch`` what comes of it.

    ``label`` is for people; ``key``, ``way``: see agent_own; ``python``: if another; ``address``: of ``name``, for ssh.
    """

    CHECKS = {"launch": launch, "rank": rank, "name": name, "user": maybe(name), "port": maybe(port), "label": name,
              "key": lambda one: raw(one, 64), "way": way, "python": maybe(name), "address": maybe(name)}  # fmt: skip
    __slots__ = tuple(CHECKS)
    launch: int
    rank: int
    name: str
    user: Optional[str]
    port: Optional[int]
    label: str
    key: bytes
    way: Sequence[Tuple[int, int]]
    python: Optional[str]
    address: Optional[str]


class Cancel(Message):
    """End the launch under way, if there is one."""

    __slots__ = ()


class Started(Message):
    """An rsh has been started and is being given ``fed`` bytes. It may be the one that asks for the shell.

    ``rsh_start``: see family.py.
    """

    CHECKS = {"launch": launch, "rsh_pid": pid, "rsh_start": lambda value: whole(value, 0, 1 << 62), "fed": whole,
              "worker_pid": pid}  # fmt: skip
    __slots__ = tuple(CHECKS)
    launch: int
    rsh_pid: int
    rsh_start: int
    fed: int
    worker_pid: int


class Ended(Message):
    """A launch has ended; its worker waits for the next."""

    CHECKS = {"launch": launch, "verdict": Verdict.of}
    __slots__ = tuple(CHECKS)
    launch: int
    verdict: Verdict


class NoFork(Message):
    """A limit of the machine: no process can be had. Nothing more comes of whoever says it.

    ``launch`` is 0 where the fork server says so, since it had not got as far as the launch.
    """

    CHECKS = {"launch": whole, "errno": whole}
    __slots__ = tuple(CHECKS)
    launch: int
    errno: int


# -- to and from the watcher -----------------------------------------------------------------------


class FindPsutil(Message):
    """The watcher's first order: directories that may hold psutil, beside the usual ones."""

    CHECKS = {"directories": words}
    __slots__ = tuple(CHECKS)
    directories: List[str]


class Watch(Message):
    """Look at a launch from now on. ``fed``: bytes that its rsh was given; ``begin``: its monotonic time."""

    CHECKS = {"launch": launch, "label": name, "rsh_pid": pid, "fed": whole, "begin": real}
    __slots__ = tuple(CHECKS)
    launch: int
    label: str
    rsh_pid: int
    fed: int
    begin: float


class Forget(Message):
    """Look at a launch no more."""

    CHECKS = {"launch": launch}
    __slots__ = tuple(CHECKS)
    launch: int


class Tell(Message):
    """Say what is seen of all launches that are looked at."""

    __slots__ = ()


class Hung(Message):
    """A launch hangs, and its rsh is about to be ended for it."""

    CHECKS = {"launch": launch, "cause": name, "phase": name, "detail": told}
    __slots__ = tuple(CHECKS)
    launch: int
    cause: str
    phase: str
    detail: str


class Sighting(Message):
    """What is seen of one launch.

    ``still``: seconds since anything moved; ``tcp``: state and peer of its connections; ``statuses`` of its processes,
    in psutil's words; ``tty``: a terminal that one of them has opened.
    """

    CHECKS = {"launch": launch, "phase": name, "still": real, "tcp": connections,
              "statuses": lambda value: each(value, name, 16), "tty": name}  # fmt: skip
    __slots__ = tuple(CHECKS)
    launch: int
    phase: str
    still: float
    tcp: List[Tuple[str, str]]
    statuses: List[str]
    tty: str


class Told(Message):
    """The answer to Tell is complete."""

    __slots__ = ()


class Blind(Message):
    """There is no psutil, so the watcher ends."""

    __slots__ = ()


# -- what may come through each pipe ---------------------------------------------------------------


def _one_of(value: Any, kinds: Sequence[Type[Any]]) -> Any:
    if type(value) not in (list, tuple) or not value:
        raise ValueError("no list that begins with a name")
    for kind in kinds:
        if kind.__name__ == value[0]:
            return kind.of(value[1:])
    raise ValueError("none of %s" % ", ".join(kind.__name__ for kind in kinds))


def worker_order(value: Any) -> Union[LaunchOrder, Cancel]:
    """An order to a worker. ValueError."""
    order: Union[LaunchOrder, Cancel] = _one_of(value, (LaunchOrder, Cancel))
    return order


def worker_result(value: Any) -> Union[Started, Ended, NoFork]:
    """What a worker says, or the fork server in its place. ValueError."""
    result: Union[Started, Ended, NoFork] = _one_of(value, (Started, Ended, NoFork))
    return result


def watcher_order(value: Any) -> Union[FindPsutil, Watch, Forget, Tell]:
    """An order to the watcher. ValueError."""
    order: Union[FindPsutil, Watch, Forget, Tell] = _one_of(value, (FindPsutil, Watch, Forget, Tell))
    return order


def watcher_result(value: Any) -> Union[Hung, Sighting, Told, Blind, NoFork]:
    """What the watcher says, or the fork server in its place. ValueError."""
    result: Union[Hung, Sighting, Told, Blind, NoFork] = _one_of(value, (Hung, Sighting, Told, Blind, NoFork))
    return result
