"""The library's front door: ``boot(hosts, …)`` starts the root, follows the boot, returns a BootReport.

The root is a process of its own, an agent like any other whose parent is this one: so a program that has
threads, or much memory, never forks for a boot, and a slow terminal never holds one up.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, Callable

from mpboot.head.growth import Growth
from mpboot.head.guarded import Guarded
from mpboot.head.jobs import Jobs
from mpboot.head.late_command import LateCommand
from mpboot.head.launches import Inquiry
from mpboot.head.line import RootLine
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.head.recorder import Recorder
from mpboot.head.report import BootReport, HostReport
from mpboot.head.root import Root, first_messages
from mpboot.head.signals import signals_into
from mpboot.hosts.chosen import chosen, labels_of
from mpboot.hosts.host import Host
from mpboot.net import wire
from mpboot.net.jobs import FIRST
from mpboot.net.loop import Loop
from mpboot.net.outlet import Credits, unpack_out
from mpboot.tree import causes

# When the boot was ended early: seconds in which the reader of the output must have read what it was given, and in
# which it is given more. What comes later is lost, so that exit codes come.
READER_GRACE, READ_ON = 1.0, 4.0


def boot(
    hosts: Iterable[Host | str] | str,
    *,
    observer: Observer | None = None,
    environ: Mapping[str, str] = os.environ,
    **options: Any,
) -> BootReport:
    """Boot agents on ``hosts`` through a tree, as the command ``mpboot`` does, and end the tree again.

    ``hosts``: Host objects or names, or one string as for --hosts ("a,b,node[1-3]"); none: those of the batch job that
    ``environ`` names. ``options``: the fields of Options (children, topology, …; times in seconds). With
    ``command=["uptime"]`` this runs on every host. Returns a BootReport; what a host does wrong is in there and raises
    nothing. ValueError (HostError among them), or TypeError for an unknown option, before anything is launched.
    """
    if observer is not None and not isinstance(observer, Observer):
        raise ValueError(f"observer must be an mpboot.Observer, not {observer!r}")
    return Boot(chosen(hosts, environ), Options(**options), observer or Observer()).run()


class Boot:
    """One boot, which begins when it is made; ``run`` sees it to its end. To be used from one thread.

    ``last_look``: show the launches under way when the deadline or an interrupt ends the boot. ``kept``: the tree is to
    stay until ``halt``; called once, when it is booted and the command, if there is one, has ended. ``stdin``: a
    descriptor that is read for the command on all hosts, which then begins when all are up or have failed; or -1.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        options: Options,
        observer: Observer,
        last_look: bool = False,
        start_root: Callable[[float], Root] = Root,
        kept: Callable[[], None] | None = None,
        stdin: int = -1,
    ) -> None:
        """HostError where two hosts have one label, before anything is started."""
        labels = labels_of(hosts)
        self.hosts = list(hosts)
        self.options = options
        self.observer = Guarded(observer, self.stop)
        observer = self.observer
        self.report = BootReport(
            topology=options.topology,
            children=options.children or "auto",
            hosts={host.label: HostReport(attributes=host.attributes()) for host in hosts},
        )
        self.loop = Loop()
        self._start = monotonic()
        self._last_look = last_look
        try:
            self._line = RootLine(self.loop, self._first_messages, self._heard, self._root_lost, start_root)
        except BaseException:
            self.loop.close()
            raise
        self._credits = Credits(self._line.link)
        self._unpaid = 0  # bytes of output that the observer still holds
        self._eased = 0  # how often it has passed on all of it
        self._cutting = False  # output is shown no more
        commands = {rank for rank, host in enumerate(hosts) if host.schedule} if options.command else set()
        self.jobs = Jobs(self._line.send)
        self._kept = kept
        self.growth = Growth(self.hosts, labels, self.report, options, self._start, self._line.send)
        self._recorder = Recorder(labels, commands, self.report, observer, options.verbose, self.jobs, self._start)
        self._recorder.moved = self.growth.moved
        self._late: LateCommand | None = None
        if options.command and (options.barrier or stdin >= 0):
            self._late = LateCommand(self.loop, self.jobs, self._recorder, observer, options, stdin)
        self._inquiry = Inquiry(
            self.loop, self._line, observer, self._recorder.label, self._launches_shown, options.timeout
        )
        self._handlers = {
            **self._recorder.handlers,
            wire.OUT: self._output,
            wire.TOLD: self._inquiry.told,
            wire.DONE: self._done,
            wire.TAKEN: self.jobs.taken,
        }
        deadline = options.deadline
        self._deadline = None if deadline is None else self.loop.later(deadline, lambda: self._end(causes.DEADLINE))
        self._stop_signal: int | None = None  # for the commands, once the boot is being ended; 0: all went well
        self._interrupts = 0
        self._root_gone = False
        self._told_kept = False

    def run(self) -> BootReport:
        """Boot, run the command if there is one, end the tree; never raises for what a host does.

        What the observer raised is raised when all has ended.
        """
        try:
            with signals_into(self.loop, self.interrupt):
                self.observer.begin(self)
                self.loop.run()
        finally:
            try:
                self._line.close(at_once=self._interrupts > 1)
            finally:
                self.loop.close()
        self._recorder.finish()
        if self.observer.raised is not None:
            raise self.observer.raised
        self._set_seconds()
        return self.report

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the boot."""
        return monotonic() - self._start

    def stop(self) -> None:
        """End the boot early, as an interrupt does."""
        self._end(causes.INTERRUPTED)

    def halt(self) -> None:
        """End a tree that was kept, in good order; one that is not complete is interrupted."""
        self._end("" if self._told_kept else causes.INTERRUPTED)

    def show_launches(self) -> None:
        """Have the observer's ``log`` tell where commands run, and which launches are under way, as SIGUSR1 does."""
        for line in self._recorder.commands_running():
            self.observer.log(line)
        self._inquiry.ask()

    def look(self) -> None:
        """Have the observer's ``under_way`` called with the launches under way."""
        self._inquiry.look()

    def eased(self) -> None:
        """The observer has passed on all output that it was given."""
        self._eased += 1
        if self._late is not None:
            self._late.eased()
        self._credits.passed_on(self._unpaid)
        self._unpaid = 0
        if self._root_gone:
            self.loop.stop()

    # -- what comes --------------------------------------------------------------------------------

    def _first_messages(self) -> Iterator[wire.Message]:
        return first_messages(self.hosts, self.options, self._start, waits=self._late is not None)

    def _heard(self, kind: int, body: bytes) -> None:
        """A message from the root. PONG has no handler: that it came is all there is to it."""
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(body)
        if self._recorder.complete:
            if self._kept is None:
                self._end()
            elif not self._told_kept and self._stop_signal is None:
                self._told_kept = True
                self._kept()

    def _output(self, body: bytes) -> None:
        if unpack_out(body)[1] != FIRST:  # whoever runs another job has room for it, or has had it held
            self._recorder.output(body)
            self._credits.passed_on(len(body))
            return
        if self._cutting:
            self._recorder.cut(body)
            self._credits.passed_on(len(body))
            return
        self._recorder.output(body)
        self._unpaid += len(body)
        if not self.observer.full:
            self.eased()

    def _done(self, body: bytes) -> None:
        """Every host is up or has failed."""
        self.growth.finished(body)
        if self.growth.under_way:
            return
        if self._recorder.booted:
            self.observer.booted()
            return
        self._recorder.booted = True
        self.report.seconds = round(self.elapsed, 4)
        self._line.send(wire.GO)
        if self._deadline is not None:
            self._deadline.cancel()
        self.observer.booted()
        if self._late is not None:
            self._begin_late(self._late)

    def _begin_late(self, command: LateCommand) -> None:
        """All is up, or has failed: the command begins that has waited for that."""
        if self.options.barrier and self.report.failed:
            self.report.barred = True
            self._recorder.not_run()
            return
        ranks = [rank for rank, host in enumerate(self.hosts) if host.schedule and self._is_up(host)]
        command.begin(ranks, len(self.hosts))

    def _is_up(self, host: Host) -> bool:
        return self.report.hosts[host.label].state == "up"

    def interrupt(self, number: int) -> None:
        """A signal came: USR1 shows what is under way, any other ends the boot; twice, at once."""
        if number == signal.SIGUSR1:
            self.show_launches()
            return
        self._interrupts += 1
        if self._stop_signal is None:
            self.report.signal = number
        if self._interrupts > 1 or self._root_gone:
            self.loop.stop()
        else:
            self._end(causes.INTERRUPTED, number)

    # -- the end -----------------------------------------------------------------------------------

    def _end(self, why: str = "", number: int = signal.SIGTERM) -> None:
        """Stop the tree, once; ``why``, if it is stopped early. The launches under way are shown before."""
        if self._stop_signal is not None:
            return
        self._stop_signal = number if why else 0
        self._set_seconds()
        self._inquiry.even_none = False
        if why:
            self.report.ended_by = why
            self.report.barred = self._late is not None and not self._late.begun
            self.observer.stopping(why)
            self._hurry_reader(self._eased - 1, monotonic() + READ_ON)
            if self._last_look and not self._recorder.booted:
                self._inquiry.ask()
        if not self._inquiry.asked:
            self._line.stop(self._stop_signal)

    def _hurry_reader(self, eased: int, end: float) -> None:
        """A reader that has read nothing since the last look, or is still behind at the end, gets no more output."""
        if (self.observer.full and eased == self._eased) or monotonic() > end:
            self._cutting = True
            self._credits.passed_on(self._unpaid)
            self._unpaid = 0
        else:
            eased = self._eased
            self.loop.later(READER_GRACE, lambda: self._hurry_reader(eased, end))

    def _launches_shown(self) -> None:
        """What waited for it goes on."""
        if self._stop_signal is not None:
            self._line.stop(self._stop_signal)

    def _root_lost(self, reason: str) -> None:
        """Nothing more comes from the root: end as soon as the output has been read."""
        self._root_gone = True
        if self._stop_signal is None:
            self.report.ended_by = causes.LOST
            self.observer.log(f"mpboot's root process ended unexpectedly: {reason}")
        self._recorder.flush()
        if not self.observer.full or self._cutting:
            self.loop.stop()
        elif self.report.ended_by:
            self.loop.later(READER_GRACE, self.loop.stop)

    def _set_seconds(self) -> None:
        """The boot has taken so long, if that is not known already."""
        self.report.seconds = self.report.seconds or round(self.elapsed, 4)
