"""The real command in a process of its own, and a look at what is left of it: for the tests of what people see."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import IO, Any

from tests.support.waiting import until

MPBOOT = [sys.executable, "-m", "mpboot"]
LOCAL = ("--rsh", "local")
# What an rsh of our own ends with where it does what it is asked: it is no login, so no files are read.
LOGIN = 'SHELL= exec /bin/sh -c "$*"'
FOREIGN = ("MPBOOT_", "SLURM_", "PBS_", "LSB_", "PE_HOSTFILE", "OAR_", "COBALT_", "NO_COLOR", "COLUMNS")


def environment(**more: str) -> dict[str, str]:
    """An environment without options or a batch system's allocation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "TERM": "xterm", **more}


def mpboot(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, with nothing on standard input; ``more`` variables."""
    return subprocess.run(
        [*MPBOOT, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(**more),
        timeout=30,
        check=False,
    )


def script(path: Path, text: str) -> str:
    """An rsh of our own; $host is the host, the rest the command."""
    path.write_text("#!/bin/sh\nhost=$1; shift\n" + text + "\n")
    path.chmod(0o755)
    return str(path)


def processes_with(mark: str) -> dict[int, str]:
    """The processes that live and have this variable: pid and command line."""
    found = {}
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            state = (directory / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and mark.encode() in (directory / "environ").read_bytes().split(b"\0"):
                found[int(directory.name)] = (directory / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


class Running:
    """The command, running; its processes are known by a variable that all of them inherit."""

    def __init__(self, *arguments: str, **popen: Any) -> None:
        self.mark = f"MARK_OF_A_TEST={uuid.uuid4().hex}"
        name, value = self.mark.split("=")
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*MPBOOT, *arguments],
            stdin=popen.pop("stdin", subprocess.DEVNULL),
            env=environment(**{name: value, **popen.pop("variables", {})}),
            **popen,
        )

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output, where it is a pipe of ours."""
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """Its standard error."""
        assert self.process.stderr is not None
        return self.process.stderr

    def family(self) -> dict[int, str]:
        """Its processes that live, agents and commands included: pid and command line."""
        return processes_with(self.mark)

    def peaks(self) -> dict[int, int]:
        """The most memory, in MB, that each of its processes ever had."""
        found = {}
        for pid in self.family():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            peak = status.partition("VmHWM:")[2].split()
            if peak:  # a zombie, which it may have become by now, has none
                found[pid] = int(peak[0]) >> 10
        return found

    def end(self, seconds: float = 3.0) -> int:
        """Its exit code; it has so many seconds to come, and then nothing of it may be left."""
        try:
            code = self.process.wait(seconds)
            until(lambda: not self.family(), 5.0, lambda: f"left: {self.family()}")
        finally:
            self.kill()
        return code

    def kill(self) -> None:
        """Whatever a test did: leave nothing."""
        for pid in self.family():
            try:
                os.kill(pid, 9)
            except OSError:
                continue
        self.process.wait(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
