"""Real boots of this machine's processes in which some hosts are hostile: those whose name is that of a row."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mpboot
from tests.support import hostile, hostile_rows
from tests.support.run_mpboot import LOGIN, Running, environment, script

HOUSE = Path(mpboot.__file__).parents[1]  # what the hostile hosts speak is what is tested
COMMAND = ("sh", "-c", "echo $MPBOOT_HOST runs")
GOOD = ("good1", "good2")
ORPHANS = 2.0  # seconds that a parent waits for the children of one that it has lost


HOSTILE = " ".join([sys.executable, "-I", "-S", hostile.__file__, str(HOUSE)]) + ' "$HOSTILE"'


def rsh(directory: Path, python: str = HOSTILE) -> str:
    """An rsh to this machine, where hosts whose name is not good have a python3 of their own.

    ``python``: what that executes. Hosts that are late come when some hostile host has made a visit.
    """
    own = directory / "bin"
    own.mkdir(exist_ok=True)
    (own / "python3").write_text(f"#!/bin/sh\nexec {python}\n")
    (own / "python3").chmod(0o755)
    return script(
        directory / "rsh",
        f"""export HOSTILE=$host HOSTILE_DID={directory}/did HOSTILE_KEYS={directory}/keys
            case $host in *-late) until [ -e $HOSTILE_DID ]; do sleep 0.02; done;; esac
            case $host in good*) ;; *) PATH={own}:$PATH;; esac
            {LOGIN}""",
    )


class Outcome:
    """What came of a boot."""

    def __init__(self, report: dict[str, Any], done: subprocess.CompletedProcess[str]) -> None:
        self.report = report
        self.hosts: dict[str, dict[str, Any]] = report["hosts"]
        self.code = done.returncode
        self.stdout, self.stderr = done.stdout, done.stderr
        self.seconds: float = report["seconds"]

    def check_good(self, good: Iterable[str] = GOOD) -> None:
        """These are up, and their command ran once, with its output and its exit code. AssertionError."""
        for name in good:
            assert self.hosts[name]["state"] == "up", (self.hosts[name], self.stderr)
            assert self.hosts[name]["exit"] == 0, self.stderr
        others = tuple(f"{name}: " for name in hostile_rows.ROWS)
        ran = [line for line in self.stdout.splitlines() if not line.startswith(others)]
        assert sorted(ran) == sorted(f"{name}: {name} runs" for name in good)
        assert hostile_rows.FORGED not in self.stdout
        assert "Traceback" not in self.stderr

    def said_by(self, name: str) -> str:
        """What a host's command wrote."""
        return "\n".join(line[len(name) + 2 :] for line in self.stdout.splitlines() if line.startswith(f"{name}: "))

    def check_hostile(self, names: Iterable[str]) -> None:
        """Each of these is lost, and the report says for what; or it has done no harm and may stay. AssertionError."""
        for name in names:
            host, row = self.hosts[name], hostile_rows.ROWS[name]
            if not row.said:
                assert (host["state"], host.get("exit")) == ("up", 0), (name, host)
                continue
            assert (host["state"], host.get("cause")) == ("failed", "lost"), (name, host)
            assert re.search(row.said, host["detail"]), (name, host["detail"])


def boot(
    directory: Path,
    hosts: Iterable[str],
    *words: str,
    good: Iterable[str] = GOOD,
    house: Path = HOUSE,
    python: str = HOSTILE,
    together: int = 1,
) -> Outcome:
    """Boot these, with the command, and see that the good ones have noticed nothing.

    ``house`` holds mpboot; ``python``: see rsh; ``together``: hostile hosts that are to get hosts do nothing until so
    many have some.
    """
    names = list(hosts)
    target = directory / "report.json"
    argv = [sys.executable, "-m", "mpboot", "--hosts", ",".join(names), "--rsh", rsh(directory, python)]
    done = subprocess.run(
        [*argv, "--json", str(target), "--timeout", "20", *words, "--", *COMMAND],
        cwd=directory, env=environment(PYTHONPATH=str(house), HOSTILE_TOGETHER=str(together)),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=40,
    )  # fmt: skip
    assert target.exists(), done.stderr
    outcome = Outcome(json.loads(target.read_text()), done)
    outcome.check_good(good)
    rows = [name for name in names if name in hostile_rows.ROWS]
    outcome.check_hostile(rows)
    assert outcome.code == 255 * any(hostile_rows.ROWS[name].said for name in rows)
    return outcome


def impatient(directory: Path) -> Path:
    """A copy of mpboot that gives a child up as soon as there was no news of its hosts for a second.

    Nor does it wait longer for orphans.
    """
    house = directory / "impatient"
    shutil.copytree(HOUSE / "mpboot", house / "mpboot", ignore=shutil.ignore_patterns("__pycache__"))
    for module, said, instead in (
        ("node/care.py", "2 * boot.timeout + STANDSTILL + NEARER * max(0, DEEP - level)", "1.0"),
        ("node/care.py", "(boot.retries + TRIES) * (boot.timeout + PAUSES) + boot.wait_for", "2.0"),
        ("node/care.py", "given_up * max(0, DEEP - level)", "0.0"),
        ("node/agent.py", "BEAT = 2.0", "BEAT = 0.2"),
        ("tree/state.py", "ORPHAN_GRACE = 2.0", "ORPHAN_GRACE = 0.2"),
    ):
        path = house / "mpboot" / module
        text = path.read_text()
        assert text.count(said) == 1
        path.write_text(text.replace(said, instead))
    return house


class Held(Running):
    """A boot whose commands wait until ``release``, so that its processes can be looked at."""

    def __init__(self, directory: Path, hosts: Iterable[str], *words: str, **popen: Any) -> None:
        names = list(hosts)
        self._hosts = len(names)
        self._gate = directory / "gate"
        os.mkfifo(self._gate)
        command = ["sh", "-c", f"{COMMAND[-1]}; read end <{self._gate}; :"]
        super().__init__(
            "--hosts", ",".join(names), "--rsh", rsh(directory), "--timeout", "20", "-v", *words, "--", *command,
            cwd=directory, stderr=subprocess.STDOUT, **popen,
        )  # fmt: skip
        self.said = b""

    def __enter__(self) -> Held:
        return self

    def until_said(self, text: str, count: int = 1) -> None:
        """Read its output until it has this so many times."""
        while self.said.count(text.encode()) < count:
            piece = os.read(self.stdout.fileno(), 1 << 16)
            assert piece, self.said.decode(errors="replace")[-3000:]
            self.said += piece

    def head(self) -> tuple[int, int]:
        """The most memory that its front door and its root ever had, in KB."""
        front = self.process.pid
        root = next(pid for pid in self.family() if parent(pid) == front)
        return peak(front), peak(root)

    def release(self) -> int:
        """Let the commands end; the boot's exit code, when it has ended."""
        gate = os.open(self._gate, os.O_RDWR)
        try:
            os.write(gate, b"\n" * self._hosts)  # held until all have ended: a command may come to it only now
            self.said += self.stdout.read()
            return self.end(10.0)
        finally:
            os.close(gate)


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def peak(pid: int) -> int:
    """The most memory that a process ever had, in KB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])
