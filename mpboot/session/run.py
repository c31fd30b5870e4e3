"""A job as its client follows it: what has come of it so far, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from mpboot.net.fields import whole
from mpboot.net.jobs import FIRST
from mpboot.session import frames, given
from mpboot.session.connection import Connection, SessionLost
from mpboot.text import as_typed
from mpboot.tree import causes

LOST_CODE = 255  # what a host adds to the exit code that was lost


@dataclass
class HostEnd:
    """How a command has ended on a host.

    ``exit``: its code, None where there is none: ``cause`` and ``detail`` say why. ``signal``: mpboot's own that ended
    it, or 0; ``seconds`` that it ran; ``missing``: bytes of its output that were lost.
    """

    exit: int | None
    signal: int = 0
    seconds: float = 0.0
    cause: str = ""
    detail: str = ""
    missing: int = 0

    @property
    def code(self) -> int:
        """What it adds to the exit code of all."""
        return LOST_CODE if self.exit is None else self.exit

    def to_dict(self) -> dict[str, Any]:
        """As --json has it."""
        told: dict[str, Any] = {"exit": self.exit, "seconds": self.seconds}
        if self.signal:
            told["killed"] = self.signal
        if self.cause:
            told.update(cause=self.cause, detail=self.detail)
        if self.missing:
            told["missing"] = self.missing
        return told


@dataclass
class Output:
    """A piece of what the command writes on a host: stream 1 is stdout, 2 is stderr."""

    host: str
    stream: int
    data: bytes


@dataclass
class Ended:
    """The command has ended on a host."""

    host: str
    end: HostEnd


@dataclass
class Noted:
    """A remark about the command's end on a host."""

    host: str
    text: str


@dataclass
class Room:
    """So many bytes more of standard input may be sent."""

    count: int


@dataclass
class Over:
    """The command has ended everywhere."""

    seconds: float


Event = Union[Output, Ended, Noted, Room, Over]


@dataclass
class Run:
    """A job. ``hosts``: its set, in order; ``down``: where it never began; ``ends``: how it has ended, by host."""

    connection: Connection
    argv: Sequence[str]
    number: int
    hosts: Sequence[str]
    room: int
    ends: dict[str, HostEnd] = field(default_factory=dict)
    seconds: float = 0.0
    over: bool = False
    down: frozenset[str] = frozenset()
    fed: bool = False  # it gets input
    fed_all: bool = False  # and has had all of it

    @classmethod
    def begin(
        cls,
        name: str,
        argv: Sequence[str],
        on: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        limit: float | None = None,
        stdin: bool = False,
        detach: bool = False,
        barrier: bool = False,
        without: Sequence[str] = (),
        login: bool = False,
    ) -> Run:
        """Have a session run a command on these hosts, or on all. SessionError.

        ``login``: the words are those of net/login.py.
        """
        connection = Connection(name)
        try:
            connection.ask(
                "run", argv=list(map(_typed, argv)), on=None if on is None else list(on),
                env=[[name, _typed(value)] for name, value in (env or {}).items()], cwd=_typed(cwd or ""),
                limit=limit or 0.0, stdin=stdin,
                detach=detach, barrier=barrier, without=list(without), login=login,
            )  # fmt: skip
            told = connection.answer()
            number, room, down = whole(told["job"], FIRST), whole(told["room"]), frozenset(told.get("down", ()))
            return cls(connection, list(argv), number, list(told["hosts"]), room, down=down, fed=stdin)
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @property
    def exit_code(self) -> int:
        """The largest of the commands' codes; 255 for a host that was lost."""
        return max((end.code for end in self.ends.values()), default=0)

    @property
    def left(self) -> list[str]:
        """Where it has not ended."""
        return [host for host in self.hosts if host not in self.ends]

    def signal(self, number: int, last: bool = True) -> None:
        """Send a signal to all its processes; ``last``: what is left a little later is killed.

        SessionLost, ValueError.
        """
        self.connection.ask("signal", number=given.signal(number), last=last)

    def feed(self, data: bytes) -> None:
        """Send standard input, at most ``room`` bytes; nothing is its end.

        ValueError for more, for anything after the end, and where the job gets no input. SessionLost.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValueError(f"input is bytes, not {data!r}")
        data = bytes(data)  # of a memoryview, the length may count something else
        if not self.fed:
            raise ValueError("this job gets no input: begin it with stdin=True")
        if self.fed_all:
            raise ValueError("its input has ended already")
        self.fed_all = not data
        if len(data) > self.room:
            raise ValueError(f"{len(data)} bytes of input, and there is room for {self.room}")
        self.connection.stdin(data)
        self.room -= len(data)

    def events(self) -> Iterator[Event]:
        """What comes, until it is over: Output, Ended, Noted, Room, Over. SessionLost."""
        while not self.over:
            event = self.take(self.connection.next_of_living())
            if event is not None:
                yield event

    def take(self, message: frames.Message) -> Event | None:
        """What a message tells of it; None: nothing. SessionLost."""
        kind, what = message
        try:
            if kind == frames.OUTPUT:
                index, stream, data = what
                return Output(self.hosts[index], stream, data)
            if "ended" in what:
                end = HostEnd(*(what[name] for name in ("exit", "signal", "seconds", "cause", "detail", "missing")))
                host = self.hosts[what["ended"]]
                self.ends[host] = end
                return Ended(host, end)
            if "note" in what:
                return Noted(self.hosts[what["of"]], what["note"])
            if "room" in what:
                more = whole(what["room"])
                self.room += more
                return Room(more)
            if "over" in what:
                self.over, self.seconds = True, what["over"]
                return Over(self.seconds)
            if "error" in what:
                raise SessionLost(what["error"])
        except (LookupError, TypeError, ValueError):
            raise SessionLost(f"session {self.connection.name} gave an answer that can't be read") from None
        return None

    def lost(self, why: str, cause: str = causes.LOST) -> None:
        """The daemon has gone, or is waited for no more: how it ends where it has not ended is not known."""
        for host in self.left:
            self.ends[host] = HostEnd(None, cause=cause, detail=why)
        self.over = True

    def to_dict(self) -> dict[str, Any]:
        """As --json has it."""
        return {
            "command": list(self.argv), "session": self.connection.name, "job": self.number, "seconds": self.seconds,
            "hosts": {host: self.ends[host].to_dict() for host in self.hosts if host in self.ends},
        }  # fmt: skip


def _typed(word: Any) -> Any:
    """A word as it travels; what is none is left to the daemon to refuse."""
    return as_typed(word) if isinstance(word, str) else word
