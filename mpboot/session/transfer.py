"""A job that moves files, followed in a loop: what its hosts say, and what is sent to them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from mpboot.net import files
from mpboot.net.login import Login
from mpboot.net.loop import READ, Loop
from mpboot.net.outlet import STDERR
from mpboot.node import bundle
from mpboot.session.connection import SessionLost
from mpboot.session.run import Ended, Noted, Output, Over, Room, Run

PIECE = 1 << 16  # bytes that are fed at once
MOST_SAID = 1 << 12  # bytes of a host's complaint
SILENT = 20.0  # seconds after which a host that says nothing is given up
LOOK = 2.0  # seconds between two looks
HEEDED = 4.0  # seconds without a word after which nobody is waited for, where it was interrupted
ENDS = 5.0  # seconds that hosts may take to end when it is known what became of all
GIVEN_UP = 15.0  # seconds after which nobody waits for their end
UNHEARD = "it was asked to end, and did not answer"
KILLED = 255  # the exit code of what was ended by a signal


@dataclass
class Outcome:
    """What became of it on a host: ``done``, or a cause (see files.CAUSES) and what there is to say."""

    done: bool = False
    cause: str = ""
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """As --json has it."""
        if self.done:
            return {"state": "done"}
        return {"state": "failed", "cause": self.cause, "detail": self.detail}


@dataclass
class Going:
    """How far it is. ``total``: bytes that all hosts are to have, 0 where that is not known.

    ``open``: the hosts of which it is not known what becomes, with bytes got and wanted.
    """

    hosts: int
    done: int
    got: int
    total: int
    open: list[tuple[str, int, int]]


class Transfer(ABC):
    """The base of Push and Pull. ``outcomes``: by host, as far as they are known."""

    def __init__(self, session: str, kind: str, on: Sequence[str] | None, without: Sequence[str] = ()) -> None:
        """SessionError."""
        self.loop = Loop()
        self.outcomes: dict[str, Outcome] = {}
        self.signal = 0  # that interrupted it
        self.begun = monotonic()
        self._heard_at: dict[str, float] = {}
        self._sent_at = self.begun  # when hosts were told something: before that has come they can't answer
        self._known = 0.0  # when it was known what became of all
        self._moved = self.begun  # when anything came, or went
        self._looked = self.begun
        self._said: dict[str, bytearray] = {}
        self._queue: deque[Iterator[bytes]] = deque()
        self._rest = memoryview(b"")
        self._ends = self._fed = False
        self.job = Run.begin(session, Login(kind).words(), on, stdin=True, without=without, login=True)
        code = bundle.pack("files")
        self.send([len(code).to_bytes(4, "big") + code])

    def run(self) -> None:
        """Until it has ended everywhere, or the daemon is gone: then whoever was not done is lost."""
        try:
            self.loop.watch(self.job.connection.fileno(), READ, lambda _: self._ready())
            self._take()
            self._feed()
            self.loop.later(LOOK, self._look)
            if not self.job.over:
                self.loop.run()
        except SessionLost as error:
            self._lost(str(error))
        finally:
            self.close()

    def close(self) -> None:
        """It is over, or was never run: what still runs on hosts for it ends."""
        self.job.connection.close()
        self.loop.close()

    def interrupt(self, number: int) -> None:
        """End it; the second time, without waiting."""
        if self.signal:
            for host in self.job.hosts:
                self.outcomes.setdefault(host, Outcome(cause=files.INTERRUPTED, detail="it was not waited for"))
            self.loop.stop()
        self.signal = number
        self._moved = monotonic()
        try:
            self.job.signal(15)
        except SessionLost as error:
            self._lost(str(error))

    # -- for those that know what is moved ---------------------------------------------------------

    @abstractmethod
    def heard(self, host: str, data: bytes) -> None:
        """A piece of a host's standard output."""

    @abstractmethod
    def wants(self, host: str) -> int:
        """So many bytes are to come of a host, or to it; 0: nobody knows."""

    @abstractmethod
    def got(self, host: str) -> int:
        """So many of them have come."""

    def going(self) -> Going:
        """How far it is."""
        hosts = self.job.hosts
        rows = [(host, self.got(host), self.wants(host)) for host in hosts]
        total = sum(wants for _, _, wants in rows)
        return Going(
            len(hosts), sum(one.done for one in self.outcomes.values()), sum(got for _, got, _ in rows), total,
            [row for row in rows if row[0] not in self.outcomes],
        )  # fmt: skip

    @abstractmethod
    def settled(self) -> None:
        """It is known what became of a host."""

    def send(self, pieces: Iterable[bytes]) -> None:
        """Pass these bytes to all hosts, behind what there is."""
        self._queue.append(iter(pieces))

    def send_frame(self, told: dict[str, Any]) -> None:
        """Pass an object."""
        body = json.dumps(told, separators=(",", ":")).encode("ascii")
        self.send([len(body).to_bytes(4, "big") + body])
        self._feed()

    def send_end(self) -> None:
        """Nothing follows."""
        self._ends = True
        self._feed()

    def waits_for(self, host: str) -> bool:
        """Is it to be heard of now and then?"""
        return host not in self.outcomes

    # -- inside ------------------------------------------------------------------------------------

    def _lost(self, why: str) -> None:
        for host in self.job.hosts:
            self.outcomes.setdefault(host, Outcome(cause=files.LOST, detail=why))
        self.loop.stop()

    def _look(self) -> None:
        """Give up hosts that say nothing, while others do or nobody does; what runs there is ended with the rest."""
        self.loop.later(LOOK, self._look)
        now = monotonic()
        self._excuse(now - self._looked - LOOK)
        self._looked = now
        if self.signal and now - self._moved > HEEDED:
            for host in self.job.hosts:
                self.outcomes.setdefault(host, Outcome(cause=files.INTERRUPTED, detail=UNHEARD))
            self.loop.stop()
        silent = [host for host in self.job.hosts if self.waits_for(host)
                  and now - max(self._heard_at.get(host, 0.0), self._sent_at) > SILENT]  # fmt: skip
        for host in silent:
            self.outcomes[host] = Outcome(cause=files.LOST, detail=f"it has said nothing for {SILENT:.0f} s")
        if silent:
            self.settled()
        if all(host in self.outcomes for host in self.job.hosts):
            self._known = self._known or now
            if now - self._known > GIVEN_UP:
                self.loop.stop()  # whoever does not end, or says so, is not waited for
            elif now - self._known > ENDS:
                self.job.signal(15)  # and KILL, for who is stopped

    def _excuse(self, seconds: float) -> None:
        """This process was stopped for so long, or its disk stood still: nobody else was silent then."""
        if seconds > LOOK:
            self._moved += seconds
            self._sent_at += seconds
            self._heard_at = {host: when + seconds for host, when in self._heard_at.items()}

    def _ready(self) -> None:
        self.job.connection.receive()
        self._take()

    def _take(self) -> None:
        for message in self.job.connection.taken():
            event = self.job.take(message)
            if isinstance(event, (Output, Room, Ended)):
                self._moved = monotonic()
            if isinstance(event, Output):
                self._heard_at[event.host] = monotonic()
                if event.stream == STDERR:
                    said = self._said.setdefault(event.host, bytearray())
                    said += event.data[: MOST_SAID - len(said)]
                else:
                    self.heard(event.host, event.data)
            elif isinstance(event, Ended):
                self._ended(event)
                self.settled()
            elif isinstance(event, Room):
                self._feed()
            elif isinstance(event, Over):
                self.loop.stop()
            else:
                assert event is None or isinstance(event, Noted)

    def _ended(self, event: Ended) -> None:
        if event.host in self.outcomes:
            return
        end = event.end
        said = self._said.get(event.host, b"").decode("utf-8", "replace").strip()
        if end.cause:
            self.outcomes[event.host] = Outcome(cause=files.LOST, detail=end.detail)
        elif self.signal or end.signal:
            self.outcomes[event.host] = Outcome(cause=files.INTERRUPTED, detail="it was ended")
        else:
            killed = not said and end.exit == KILLED
            detail = (
                said.splitlines()[-1] if said else "its process was killed" if killed else f"it ended with {end.exit}"
            )
            self.outcomes[event.host] = Outcome(cause=files.INTERRUPTED if killed else files.UNSUPPORTED, detail=detail)

    def _feed(self) -> None:
        job = self.job
        try:
            while job.room > 0 and not job.over:
                if not self._rest:
                    if not self._queue:
                        break
                    self._rest = memoryview(next(self._queue[0], b""))
                    if not self._rest:
                        self._queue.popleft()
                    continue
                size = min(PIECE, job.room)
                job.feed(bytes(self._rest[:size]))
                self._rest = self._rest[size:]
                self._sent_at = monotonic()
            if self._ends and not self._fed and not self._rest and not self._queue:
                self._fed = True
                job.feed(b"")
        except SessionLost as error:
            self._lost(str(error))
