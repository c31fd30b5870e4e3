"""Memory: what is left, and what a launch holds, from files as systems have them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.node import memory

MEMINFO = "MemTotal:       24683916 kB\nMemFree:         100 kB\nMemAvailable:    4000 kB\n"


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """All that can be read."""
    made = {"/proc/meminfo": MEMINFO}
    monkeypatch.setattr(memory, "read", lambda path: made.get(path, ""))
    return made


def test_a_machine_without_groups(files: dict[str, str]) -> None:
    assert memory.available() == 4000 * 1024
    files["/proc/meminfo"] = "MemTotal: 100 kB\n"  # older than 3.14
    assert memory.available() is None


@pytest.mark.parametrize(("most", "left"), [
    ("3000000", 3000000 - 2500000 + 1000), ("max", 4096000), ("9" * 30, 4096000),
])  # fmt: skip
def test_a_group_of_the_second_version_and_those_above_it(files: dict[str, str], most: str, left: int) -> None:
    files["/proc/self/cgroup"] = "0::/jobs/17\n"
    files["/sys/fs/cgroup/jobs/17/memory.max"] = "max\n"
    files["/sys/fs/cgroup/jobs/17/memory.current"] = "1000\n"
    files["/sys/fs/cgroup/jobs/memory.max"] = f"{most}\n"
    files["/sys/fs/cgroup/jobs/memory.current"] = "2500000\n"
    files["/sys/fs/cgroup/jobs/memory.stat"] = "anon 5\ninactive_file 1000\nactive_file 7\n"
    assert memory.available() == left


def test_a_group_of_the_first_version_in_a_container(files: dict[str, str]) -> None:
    """Its path is the host's, the files are the container's."""
    files["/proc/self/cgroup"] = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n1:cpuset:/x\n0::/\n"
    files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "1000000\n"
    files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "900000\n"
    files["/sys/fs/cgroup/memory/memory.stat"] = "inactive_file 1\ntotal_inactive_file 50000\n"
    assert memory.available() == 150000
    files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = "2000000\n"
    assert memory.available() == 0


def test_lines_that_say_nothing(files: dict[str, str]) -> None:
    files["/proc/self/cgroup"] = "nonsense\n::\n:memory\n\n"
    files["/proc/meminfo"] = "MemAvailable:\nx\nMemAvailable: many kB\nMemAvailable: 7 kB\n"
    assert memory.available() == 7 * 1024


def test_a_launch_is_its_rsh_and_its_worker(files: dict[str, str]) -> None:
    files["/proc/20/status"] = "Name:\tssh\nPPid:\t19\nVmRSS:\t  9000 kB\n"
    files["/proc/19/smaps_rollup"] = "5 - 7 ---p 0 00:00 0 [rollup]\nRss: 4000 kB\nPss: 1100 kB\nPss_Dirty: 1 kB\n"
    assert memory.held_by_launch(20) == (9000 + 1100) * 1024, "an ssh that may not be looked into has its RSS"
    files["/proc/20/smaps_rollup"] = "Rss: 9000 kB\nPss: 5000 kB\n"
    assert memory.of_launches([18, 20]) == (4000 * 1024, 6100 * 1024), "18 has ended"


@pytest.mark.parametrize("parent", [1, os.getpid()], ids=["init", "us"])
def test_an_rsh_whose_worker_has_died_tells_nothing(files: dict[str, str], parent: int) -> None:
    files["/proc/20/status"] = f"PPid:\t{parent}\nVmRSS:\t9000 kB\n"
    assert memory.held_by_launch(20) == 0
    assert memory.of_launches([20]) == (4000 * 1024, 0)


def test_this_machine(tmp_path: Path) -> None:
    left = memory.available()
    assert left is not None
    assert left > 1 << 20
    assert memory.read(str(tmp_path / "none")) == ""
    assert memory.read(str(tmp_path)) == ""


@pytest.fixture
def launch() -> Iterator[int]:
    """The pid of a process that a process below this one has started."""
    code = (
        "import subprocess as s\n"
        "p = s.Popen(['sh', '-c', 'echo; read line'], stdin=s.PIPE, stdout=s.PIPE)\n"
        "p.stdout.read(1); print(p.pid, flush=True); p.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        yield pid
        os.kill(pid, 9)
        worker.wait(30)


def test_processes_of_this_machine(launch: int) -> None:
    assert memory.held(launch) > 50_000
    assert memory.held_by_launch(launch) > memory.held(launch) + 1_000_000
    assert memory.held(1 << 30) == 0
