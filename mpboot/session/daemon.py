"""The process that holds a session: it boots the tree, keeps it, and serves clients until a client ends the session.

The client that wants the session starts this process. It sends what to do to the process's standard input, and reads
from its standard output whether the session's name was free.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from contextlib import suppress
from time import monotonic
from typing import Any

from mpboot.head.boot import Boot
from mpboot.head.observer import RunningBoot
from mpboot.head.options import Options
from mpboot.hosts.host import Host
from mpboot.session.desk import Desk
from mpboot.session.hosts import UP, Hosts
from mpboot.session.registry import ENDED, Place, SessionError
from mpboot.session.rejoin import Rejoin
from mpboot.session.served import Served
from mpboot.tree import causes

READY = b"ready\n"  # what the client hears when it may come
LOOK = 10.0  # seconds between two looks whether the socket is in its place
COMES = 60.0  # seconds in which the client that wants the session comes to watch its boot: else it has gone


class Daemon:
    """One session, from its boot on."""

    def __init__(self, place: Place, lock: int, order: dict[str, Any]) -> None:
        """``lock``: what claiming the place gave.

        ``order``: hosts, options, idle_timeout (seconds, 0: none), rejoin, last_look, stdin. OSError, ValueError.
        """
        self._place = place
        self._idle_timeout: float = order["idle_timeout"]
        self._served = Served(self._begun, self._moved)
        hosts = [Host(**row) for row in order["hosts"]]
        options = Options(**{**order["options"], "env": [tuple(pair) for pair in order["options"]["env"]]})
        self._boot = Boot(
            hosts, options, self._served, last_look=order["last_look"], kept=self._kept, stdin=order["stdin"]
        )
        self._boot.jobs.fault = place.crashed
        self._hosts = Hosts(self._boot)
        self._rejoin = Rejoin(self._boot) if order["rejoin"] else None
        self._desk = Desk(self._boot, self._served, self._hosts, place, lock)
        self._served.all_up = self._desk.booted
        self._is_kept = False

    def run(self) -> None:
        """Run until the session has ended, and all that belongs to it."""
        report = self._boot.run()
        self._desk.control.close()
        self._boot.jobs.all_lost(ENDED)
        self._desk.ride.close()
        if not self._is_kept:
            self._served.report(report, kept=False)
        elif report.ended_by == causes.LOST:
            self._place.crashed(f"{self._served.logged}\n")
        self._desk.last_words()

    def clear(self) -> None:
        """Remove the session's files, unless the name belongs to another daemon by now."""
        if self._place.holds(self._desk.control.lock):
            self._place.clear()

    def _begun(self, boot: RunningBoot) -> None:
        boot.loop.later(LOOK, self._look)
        boot.loop.later(COMES, self._served.look)

    def _look(self) -> None:
        self._boot.loop.later(LOOK, self._look)
        self._desk.control.look()
        self._desk.ride.look()

    def _moved(self, label: str) -> None:
        self._hosts.changed(label)
        self._desk.changed()
        self._desk.ride.changed(label)
        if self._rejoin is not None and self._is_kept:
            self._rejoin.changed(label)

    def _kept(self) -> None:
        """The boot is complete: from here on it is a session, unless there is nobody in it and nobody will come."""
        if self._rejoin is None and not self._hosts.counts()[UP]:
            self._boot.halt()
            return
        self._is_kept = True
        gc.freeze()  # hosts and tables stay: to look for garbage in them would cost each job as much as its own work
        self._served.report(self._boot.report, kept=True)
        self._desk.use()
        self._desk.ride.begin()
        if self._rejoin is not None:
            for label in self._hosts.labels():
                self._rejoin.changed(label)
        if self._idle_timeout:
            self._boot.loop.later(self._idle_timeout, self._idle)

    def _idle(self) -> None:
        """Nobody has used it for so long? Then it ends."""
        left = self._desk.used_at + self._idle_timeout - monotonic()
        if self._desk.busy:
            left = self._idle_timeout
        if left <= 0:
            self._boot.halt()
        else:
            self._boot.loop.later(left, self._idle)


def main() -> None:
    """Be the daemon of the session that standard input describes."""
    order = json.load(sys.stdin.buffer)
    answer = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):  # before anything is started: whoever reads what the client says waits for all that have it
        os.dup2(null, fd)
    lock = -1
    try:
        place = Place(order["name"])
        lock = place.claim_soon()
        place.forget_last_words()
        daemon = Daemon(place, lock, order)
    except (SessionError, OSError, ValueError) as error:
        answer.write(f"{error}\n".encode("utf-8", "backslashreplace"))
        if lock >= 0:
            place.clear()
        sys.exit(1)
    try:
        with suppress(BrokenPipeError):  # the client has gone: nobody will come for the boot, and it ends
            answer.write(READY)
        answer.close()
        daemon.run()
    except Exception:
        place.crashed(traceback.format_exc())
        raise
    finally:
        daemon.clear()


if __name__ == "__main__":
    main()
