"""Files of the head to hosts: a few hosts get them from here, the others from each other."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from mpboot.net import files, plain
from mpboot.net.fields import text, whole
from mpboot.net.login import RECEIVE
from mpboot.node.address import listen, own_addresses
from mpboot.node.blocks import Blocks, Server
from mpboot.session.laggards import Laggards
from mpboot.session.manifest import Manifest, pieces
from mpboot.session.transfer import SILENT, Outcome, Transfer

MOST_CHAINS = 4  # copies that leave the head, at most
WAIT = 5.0  # seconds that hosts wait for those who have not said yet where they listen
MOST_LINE = 1 << 16  # bytes
JUDGE = 1.0  # seconds between two looks who holds others up
LONGEST = 1 << 12  # bytes of a path


@dataclass
class Pushed:
    """What became of a push. ``bytes``: of the files; ``sent``: that left the head; ``problems``: what was left out."""

    bytes: int
    seconds: float
    sent: int
    hosts: dict[str, Outcome]
    problems: list[str]
    signal: int = 0

    @property
    def good(self) -> bool:
        """Has every host all of it?"""
        return not self.problems and all(one.done for one in self.hosts.values())

    def to_dict(self) -> dict[str, object]:
        """As --json has it."""
        hosts = {host: one.to_dict() for host, one in self.hosts.items()}
        return {"bytes": self.bytes, "seconds": round(self.seconds, 4), "hosts": hosts}


class Push(Transfer):
    """One round of a push. ``progress(push)`` is called now and then."""

    def __init__(
        self,
        session: str,
        manifest: Manifest,
        dest: str,
        many: bool,
        verify: bool,
        on: Sequence[str] | None,
        without: Sequence[str] = (),
        inline: bool = False,
        progress: Callable[[Transfer], None] = lambda _: None,
    ) -> None:
        super().__init__(session, RECEIVE, on, without)
        self._manifest = manifest
        self._progress = progress
        self._got: dict[str, int] = {}
        self._needs: dict[str, int] = {}
        self._lines: dict[str, bytearray] = {}
        self._where: dict[str, files.Where] = {}
        self._laggards = Laggards(manifest.size)
        self._ordered = False
        self._server: Server | None = None
        self.sent = 0
        key = os.urandom(16)
        plan = files.Plan(dest, many, verify, inline, key, manifest.entries, manifest.hash, manifest.digests)
        self.send_frame(plan.to_dict())
        if inline:
            self.send(pieces(manifest))
            self.send_end()
            self.sent = manifest.data
        else:
            blocks = Blocks(manifest.count, manifest.place)
            blocks.ready[:] = b"\1" * manifest.count
            self._server = Server(self.loop, listen(256), key, blocks)

    def close(self) -> None:
        """As Transfer does."""
        if self._server is not None:
            self.sent = self._server.sent
            self._server.close()
            self._server = None
        super().close()

    # -- what hosts say ----------------------------------------------------------------------------

    def heard(self, host: str, data: bytes) -> None:
        """A part of a host's lines."""
        lines = self._lines.setdefault(host, bytearray())
        lines += data
        while b"\n" in lines:
            line, _, rest = bytes(lines).partition(b"\n")
            lines[:] = rest
            self._line(host, line)
        if len(lines) > MOST_LINE:
            self._fail(host, files.UNSUPPORTED, "what it sent can't be read")
            lines.clear()

    def _line(self, host: str, line: bytes) -> None:
        try:
            told = plain.loads(line)
            if "port" in told:
                self._where.setdefault(host, files.where_of([told["addresses"], told["port"]]))
                self._needs[host] = min(whole(told["needs"]) * files.BLOCK, self._manifest.size)
                if len(self._where) == 1:
                    self.loop.later(WAIT, self._order)
            elif "got" in told:
                self._got[host] = whole(told["got"], 0, files.MOST_BYTES)
                self._hear(host, text(told["of"], 1 << 10))
            elif "done" in told:
                self._got[host] = whole(told["done"], 0, files.MOST_BYTES)
                self.outcomes.setdefault(host, Outcome(done=True))
                self._hear(host)
            elif "failed" in told:
                self._fail(host, str(told["failed"]), str(told["detail"])[:MOST_LINE])
        except (ValueError, LookupError, TypeError):
            self._fail(host, files.UNSUPPORTED, "what it sent can't be read")
        self._progress(self)
        self.settled()

    def _hear(self, host: str, of: str = "") -> None:
        there = self._manifest.size - self.wants(host)
        self._laggards.hear(host, there + self.got(host), of, monotonic())

    def _judge(self) -> None:
        """Whoever is held up is told to ask another."""
        self.loop.later(JUDGE, self._judge)
        pairs = self._laggards.judge([host for host in self._where if host not in self.outcomes], monotonic())
        if pairs and not self._ends:
            self.send_frame({"leave": pairs})

    def wants(self, host: str) -> int:
        """As Transfer has it."""
        return self._needs.get(host, self._manifest.size)

    def got(self, host: str) -> int:
        """As Transfer has it."""
        return min(self._got.get(host, 0), self._manifest.size)

    def _fail(self, host: str, cause: str, detail: str) -> None:
        known = cause in files.CAUSES or cause == files.UNREACHABLE
        self.outcomes.setdefault(host, Outcome(cause=cause if known else files.UNSUPPORTED, detail=detail))

    def settled(self) -> None:
        """A host has spoken or ended: send the order or the end, if all hosts are ready for it."""
        open_ = [host for host in self.job.hosts if host not in self.outcomes]
        if not self._ordered and all(host in self._where for host in open_):
            self._order()
        if not open_ and not self._ends:
            self.send_end()

    def waits_for(self, host: str) -> bool:
        """With all of it in one stream, hosts say nothing until they have it."""
        return super().waits_for(host) and (self._server is not None or monotonic() - self._moved > SILENT)

    def _order(self) -> None:
        if self._ordered or self._server is None:
            return
        self._ordered = True
        order = [[host, list(self._where[host])] for host in self.job.hosts if host in self._where]
        for host in self._where:
            self._hear(host)
        self.loop.later(JUDGE, self._judge)
        own = own_addresses([socket.AF_INET, socket.AF_INET6], True)
        self.send_frame(
            {"order": order, "head": [own, self._server.port], "chains": chains(len(order), self._manifest.size)}
        )


def chains(hosts: int, size: int) -> int:
    """How many copies leave the head, each along a chain of hosts: as many as give all of them all of it soonest.

    The copies share the head's link, so each takes the longer the more there are; and each host passes a block on when
    it has it, so the last one of a long chain waits. On a fast link a host takes about as long for that as its link.
    """
    return max(1, min(MOST_CHAINS, round(math.sqrt(2 * hosts * files.BLOCK / size))))


def push(
    session: str,
    sources: Sequence[str],
    dest: str,
    on: Sequence[str] | None = None,
    without: Sequence[str] = (),
    verify: bool = False,
    progress: Callable[[Transfer], None] = lambda _: None,
    watched: Callable[[Transfer], None] = lambda one: one.run(),
) -> Pushed:
    """Push sources to hosts. ``watched(round)`` runs each round. SessionError, ValueError, OSError for a source."""
    begun = monotonic()
    if not 0 < len(os.fsencode(dest)) < LONGEST:
        raise ValueError("a destination without a name" if not dest else "a destination that is too long")
    manifest = Manifest(sources)
    found: dict[str, Outcome] = {}
    sent = 0
    inline = manifest.size <= files.SMALL
    for _ in range(2):
        one = Push(session, manifest, dest, len(sources) > 1, verify, on, without, inline, progress)
        try:
            watched(one)
        finally:
            one.close()
        sent += one.sent
        hosts = list(one.job.hosts)
        for host in hosts:
            found[host] = one.outcomes.get(host) or Outcome(cause=files.LOST, detail="the session's daemon has ended")
        on, without = [host for host in hosts if found[host].cause == files.UNREACHABLE], ()
        if inline or not on or one.signal:
            break
        inline = True  # whoever reaches nobody gets it through the tree
    for outcome in found.values():
        if outcome.cause == files.UNREACHABLE:
            outcome.cause = files.INTERRUPTED if one.signal else files.LOST
        elif outcome.cause in (files.HASH, files.LOST) and manifest.changed():
            outcome.cause = files.CHANGED
    return Pushed(manifest.size, monotonic() - begun, sent, found, manifest.problems, one.signal)
