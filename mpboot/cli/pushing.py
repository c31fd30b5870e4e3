"""A boot with --push: the tree is booted, files go through it, and then the command runs where they are."""

import errno
import os
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Optional

from mpboot.cli import files, inputs, json_file, outputs
from mpboot.cli.codes import LOST_CODE, UsageError
from mpboot.cli.exec import followed
from mpboot.cli.sink import Sink, complain, standard_sinks
from mpboot.cli.telling import after_boot, tell

if TYPE_CHECKING:
    from mpboot.cli.output import Output
    from mpboot.head.options import Options
    from mpboot.head.report import BootReport
    from mpboot.hosts.sources import HostList

ALONE = 10.0  # seconds after which a tree ends that is not to be kept, and that nobody uses: its client was killed


def pairs_of(given: list[str]) -> list[tuple[str, str]]:
    """Source and destination of each --push. UsageError, also for a source that is not there."""
    found = []
    for one in given:
        source, _, dest = one.rpartition(":")
        if not source or not dest:
            raise UsageError(f"--push {one}: say what, and where to: SOURCE:DEST")
        try:
            os.stat(source)  # noqa: PTH116 - a slash at its end counts
        except (OSError, ValueError) as error:
            raise UsageError(f"--push {source}: {getattr(error, 'strerror', None) or error}") from None
        if not os.access(source, os.R_OK):
            raise UsageError(f"--push {source}: {os.strerror(errno.EACCES)}")
        found.append((source, dest))
    return found


class Pushing:
    """One such boot. ``session``: what there is to say of one that is to be kept; None: it ends with the command."""

    def __init__(self, found: "HostList", options: "Options", session: Optional[dict[str, Any]], quiet: bool) -> None:
        self._options, self._hosts, self._quiet = options, found.hosts, quiet
        self._keeps = session is not None
        self._session = session or {"name": f"push-{os.getpid()}", "idle_timeout": ALONE, "rejoin": False}
        self._name: str = self._session["name"]
        self._out, self._err = standard_sinks()
        self._begun = monotonic()
        self._code = 0  # the worst that came of anything but hosts and commands
        if not quiet:
            inputs.warn(found, self._err)

    def run(
        self,
        pushes: list[tuple[str, str]],
        enough: Optional[int],
        target: Optional[int],
        gather: bool,
        output_dir: Optional[str],
        stdin: int,
    ) -> int:
        """Do it; returns the exit code."""
        out, err = self._out, self._err
        directory = output_dir if self._options.command else None
        output = outputs.choose(out, err, gather, directory, [host.label for host in self._hosts])
        report, stays = self._boot()
        try:
            if stays:
                ready = self._push(report, pushes)
                if self._options.command and not report.ended_by:
                    self._command(report, ready, output, stdin)
        finally:
            if stays and not self._keeps:
                self._halt()
        code = max(self._code, report.exit_code(enough)) if not report.signal else report.exit_code(enough)
        if target is not None:
            code = json_file.write_json(target, report.to_json(), out, err, code)
        complain(out, err)
        if self._keeps:
            self._say(err, *after_boot(self._name, stays, report, self._quiet))
        err.flush()
        if err.broken or err.error:
            code = LOST_CODE
        return code if report.signal else out.outcome(code)

    # -- inside ------------------------------------------------------------------------------------

    def _say(self, err: Sink, *lines: str) -> None:
        from mpboot.text import printable

        err.write("".join(f"mpboot: {printable(line)}\n" for line in lines).encode("utf-8", "backslashreplace"))

    def _boot(self) -> "tuple[BootReport, bool]":
        """Boot the tree, and say how that went; does it stay?"""
        from mpboot.cli.progress import Progress
        from mpboot.session.start import KeptBoot

        bare = replace(self._options, command=(), env=(), cwd="", command_timeout=0.0, barrier=False)
        progress = Progress(self._out, self._err, outputs.choose(self._out, self._err, False, None, ()), self._quiet)
        boot = KeptBoot(self._hosts, bare, progress, last_look=not self._quiet, **self._session)
        try:
            report = boot.run()
        finally:
            progress.end()
        tell(report, self._err, self._quiet, self._options, None)
        return report, boot.kept

    def _push(self, report: "BootReport", pushes: list[tuple[str, str]]) -> list[str]:
        """Push one after the other; the hosts that have got all."""
        from mpboot.session.handle import Session
        from mpboot.tree import causes

        ready = [label for label, host in report.hosts.items() if host.state == "up"]
        for source, dest in pushes:
            if not ready:
                break
            found = files.carried(
                "push", lambda show, watched, source=source, dest=dest: Session(self._name).push(  # type: ignore[misc]
                    [source], dest, ready, progress=show, watched=watched  # noqa: B023
                )
            )  # fmt: skip
            files.tell(self._err, found, self._quiet)
            self._code = max(self._code, int(not found.good))
            for label in ready:
                if not found.hosts[label].done:
                    report.hosts[label].push = found.hosts[label].to_dict()
            ready = [label for label in ready if found.hosts[label].done]
            if found.signal:
                report.ended_by, report.signal = causes.INTERRUPTED, found.signal
                break
        return ready

    def _command(self, report: "BootReport", ready: list[str], output: "Output", stdin: int) -> None:
        """Run the command on these hosts, and keep in the report how it has ended."""
        from mpboot.head.report import OUTPUT
        from mpboot.session.handle import Session
        from mpboot.text import fold
        from mpboot.tree import causes

        options = self._options
        missing = [label for label in report.hosts if label not in set(ready)]
        if options.barrier and missing:
            report.barred = True
            self._say(self._err, f"{fold(missing)}: not up, or without its files: the command was not run")
        limits = [options.command_timeout] if options.command_timeout else []
        if options.deadline is not None:
            limits.append(options.deadline - (monotonic() - self._begun))
        if limits and min(limits) <= 0:
            report.ended_by = causes.DEADLINE
            self._say(self._err, "deadline reached: the command was not run")
            self._code = max(self._code, 1)
        if not ready or report.barred or report.ended_by:
            return
        job = Session(self._name).begin(
            options.command, ready, dict(options.env), options.cwd or None, min(limits, default=None), stdin=stdin >= 0
        )  # fmt: skip
        with job:
            follow, code = followed(job, self._out, self._err, output, stdin)
        if output.complaint:
            report.note(OUTPUT, output.complaint, output.spoilt)
            self._code = code
        if follow.signal:
            report.ended_by, report.signal = causes.INTERRUPTED, follow.signal
        for label, end in job.ends.items():
            host = report.hosts[label]
            host.begun, host.exit, host.killed = True, end.exit, end.signal
            if end.exit is None:
                host.fail(end.cause or causes.LOST, "", host.attempts, host.parent, end.detail, "")

    def _halt(self) -> None:
        from mpboot.session.handle import Session
        from mpboot.session.registry import SessionError

        with suppress(SessionError):
            Session(self._name).halt()
