"""The beginning of a session: starts the daemon, and follows its boot as if it were this process's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from time import monotonic
from typing import Any

from mpboot.head.guarded import Guarded
from mpboot.head.observer import Launching, Look, Observer
from mpboot.head.options import Options
from mpboot.head.report import BootReport, HostReport
from mpboot.head.signals import interrupts_later, signals_into
from mpboot.hosts.host import Host
from mpboot.net.loop import READ, Loop
from mpboot.net.outlet import STDERR, STDOUT
from mpboot.session import frames
from mpboot.session.connection import LIFE, Connection, SessionLost
from mpboot.session.daemon import READY
from mpboot.session.registry import DEFAULT, Place, SessionError
from mpboot.text import Lines
from mpboot.tree import causes

BEAT = 2.0  # seconds between two looks whether the daemon lives
AT_ONCE = 2.0  # seconds that it has to end when it is interrupted twice
_MAIN = "import sys; sys.path[:] = sys.argv.pop().split('\\n'); from mpboot.session.daemon import main; main()"


def start_daemon(
    name: str,
    hosts: Sequence[Host],
    options: Options,
    idle_timeout: float,
    rejoin: bool,
    last_look: bool,
    stdin: int = -1,
) -> None:
    """Start the daemon of a new session; returns when a client may come. SessionError."""
    place = Place(name)
    place.make()
    if place.lives:
        raise SessionError(place.taken())
    order = {
        "name": name, "hosts": [asdict(host) for host in hosts], "options": asdict(options),
        "idle_timeout": idle_timeout, "rejoin": rejoin, "last_look": last_look, "stdin": -1,
    }  # fmt: skip
    given = os.dup(stdin) if stdin >= 0 else -1  # 0 is the daemon's own
    order["stdin"] = given
    try:
        with interrupts_later():
            daemon = subprocess.Popen(
                [sys.executable, "-c", _MAIN, f"mpboot session {name}", "\n".join(sys.path)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                pass_fds=[given] if given >= 0 else [],
            )  # fmt: skip
    except OSError as error:
        raise SessionError(f"{sys.executable}: {error.strerror}: the session's daemon can't be started") from None
    finally:
        if given >= 0:
            os.close(given)
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    try:
        with daemon.stdout as told:
            with suppress(BrokenPipeError), daemon.stdin as tell:  # it has ended: that is seen next
                tell.write(json.dumps(order).encode("utf-8", "surrogatepass"))
            said = told.readline()
    except BaseException:
        daemon.kill()
        daemon.wait()
        raise
    if said != READY:
        daemon.wait()
        raise SessionError(said.decode("utf-8", "replace").strip() or "the session's daemon could not be started")
    daemon.returncode = 0  # it is on its own from here: nobody waits for it


class KeptBoot:
    """A boot whose tree stays, seen from the client that wanted it; used as head/boot's Boot is."""

    def __init__(
        self,
        hosts: Sequence[Host],
        options: Options,
        observer: Observer,
        last_look: bool = False,
        name: str = DEFAULT,
        idle_timeout: float = 0.0,
        rejoin: bool = False,
        stdin: int = -1,
    ) -> None:
        """Start it. SessionError. ``stdin``: as Boot has it."""
        self.hosts = hosts
        self.options = options
        self.kept = False  # it has become a session
        self.observer = Guarded(observer, self.stop)
        self._start = monotonic()  # until the daemon tells its own
        start_daemon(name, hosts, options, idle_timeout, rejoin, last_look, stdin)
        self._connection = Connection(name)
        self.loop = Loop()
        self._labels = [host.label for host in hosts]
        self._lines: dict[tuple[int, int], Lines] = {}
        self._reports = {host.label: HostReport(attributes=host.attributes()) for host in hosts}
        self._report: BootReport | None = None
        self._interrupts = self._signal = 0
        self._heard = monotonic()
        self._asked = 0.0  # when the daemon was last asked whether it lives; 0: never
        self._reading = True

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the boot."""
        return monotonic() - self._start

    @property
    def daemon(self) -> int:
        """Its pid."""
        return self._connection.pid

    def stop(self) -> None:
        """End the boot early, as an interrupt does."""
        self._interrupt(signal.SIGTERM)

    def show_launches(self) -> None:
        """Have the observer's ``log`` called with the launches under way."""
        self._ask("launches")

    def look(self) -> None:
        """Have the observer's ``under_way`` called with the launches under way."""
        self._ask("look")

    def eased(self) -> None:
        """The observer has room again: read on."""
        if not self._reading:
            self._reading, self._heard = True, monotonic()
        self.loop.watch(self._connection.fileno(), READ, lambda _: self._ready())

    def run(self) -> BootReport:
        """Follow the boot until it is complete or has ended; then raise what the observer raised."""
        try:
            with signals_into(self.loop, self._signalled), self._connection:
                self._ask("watch")
                self.loop.watch(self._connection.fileno(), READ, lambda _: self._ready())
                self.loop.later(BEAT, self._beat)
                self.observer.begin(self)
                self._take(self._connection.taken())
                self.loop.run()
        finally:
            self.loop.close()
        if self.observer.raised is not None:
            raise self.observer.raised
        return self._report or self._lost("the session's daemon has ended")

    # -- inside ------------------------------------------------------------------------------------

    def _ask(self, what: str, **values: Any) -> None:
        try:
            self._connection.ask(what, **values)
        except SessionLost as error:
            self._take(self._connection.rest())  # it may have said that all is well before it closed this
            self._give_up(str(error))

    def _signalled(self, number: int) -> None:
        if number == signal.SIGUSR1:
            self.show_launches()
        else:
            self._interrupt(number)

    def _interrupt(self, number: int) -> None:
        self._interrupts += 1
        self._signal = self._signal or number
        self._ask("stop", signal=number)
        if self._interrupts == 2:
            self.loop.later(AT_ONCE, lambda: self._give_up(self._connection.silent()))

    def _beat(self) -> None:
        """Does the daemon live? It is asked when it has been silent."""
        self.loop.later(BEAT, self._beat)
        now = monotonic()
        if not self._reading or now - self._heard < LIFE:
            return
        if self._asked < self._heard:
            self._asked = now
            self._ask("ping")
        elif now - self._asked > LIFE:
            self._give_up(self._connection.silent())

    def _give_up(self, why: str) -> None:
        self._report = self._report or self._lost(why)
        self.loop.stop()

    def _ready(self) -> None:
        try:
            self._connection.receive()
        except SessionLost as error:
            self._give_up(str(error))
        self._heard = monotonic()
        self._take(self._connection.taken())
        if self.observer.full:
            self._reading = False
            self.loop.forget(self._connection.fileno())  # until it is eased

    def _take(self, messages: Sequence[frames.Message]) -> None:
        for kind, what in messages:
            if kind == frames.OUTPUT:
                index, stream, data = what
                for line, ended in self._lines.setdefault((index, stream), Lines()).cut(data):
                    (self.observer.output if ended else self.observer.part)(self._labels[index], stream, line)
            elif "complete" in what:
                self._complete(what)
            elif "error" in what:
                self._give_up(what["error"])
            elif "event" in what:
                self._event(what)

    def _event(self, told: dict[str, Any]) -> None:
        event = told["event"]
        if event == "changed":
            host = told["host"]
            report = self._reports[host] = HostReport(**told["report"])
            self.observer.changed(host, report)
        elif event == "launched":
            self.observer.launched(told["count"])
        elif event == "slow":
            self.observer.slow(told["host"], told["slow"])
        elif event == "begun":
            self._start = told["at"]
        elif event == "booted":
            self._start = monotonic() - told["seconds"]  # it was so when it was told
            self.observer.booted()
        elif event == "exited":
            self._flush(told["host"])
            self.observer.exited(told["host"], told["code"])
        elif event == "log":
            self.observer.log(told["line"])
        elif event == "under_way":
            row = told["look"]
            row["longest"] = [Launching(**one) for one in row["longest"]]
            self.observer.under_way(Look(**row))
        elif event == "stopping":
            self.observer.stopping(told["why"])

    def _flush(self, host: str) -> None:
        index = self._labels.index(host)
        for stream in (STDOUT, STDERR):
            lines = self._lines.pop((index, stream), None)
            if lines is not None and lines.rest:
                self.observer.part(host, stream, lines.rest)

    def _complete(self, told: dict[str, Any]) -> None:
        row = told["complete"]
        row["hosts"] = {label: HostReport(**one) for label, one in row["hosts"].items()}
        row["notes"] = {(what, text): at for what, text, at in row["notes"]}
        self._report = BootReport(**row)
        self.kept = told["kept"]
        self.loop.stop()

    def _lost(self, why: str) -> BootReport:
        self.observer.log(why)
        report = BootReport(self.options.topology, self.options.children or "auto", self._reports, self.elapsed)
        report.ended_by, report.signal = causes.INTERRUPTED if self._signal else causes.LOST, self._signal
        for one in self._reports.values():
            if one.state == "pending":
                one.fail(causes.LOST, "", 0, "head", "the session's daemon ended before the host was up", "")
        return report
