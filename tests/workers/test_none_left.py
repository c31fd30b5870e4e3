"""Whether anything is left of a process, found without a look at all processes: real ones, and a kernel played."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.workers import family as module
from mpboot.workers.family import family, none_left, start_of

TOKEN = b"MPBOOT_TOKEN=none-left"
# It is replaced by its own child again and again, in a session of its own, until its standard input ends.
HOPPER = """import os, select
if not os.fork():
    os.setsid()
    os.write(1, b"x")
    while not select.select([0], [], [], 0)[0]:
        if os.fork():
            os._exit(0)
"""


class Ended:
    """A leader of a session that has ended, and is not reaped; what it has left ends with its standard input."""

    def __init__(self, *argv: str) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "MPBOOT_TOKEN": "none-left"},
        )  # fmt: skip
        self.start = start_of(self.process.pid)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

    def none_left(self, seconds: float = 0.1) -> bool:
        return none_left(self.process.pid, TOKEN, seconds)

    def family(self) -> list[tuple[int, int]]:
        return family(self.process.pid, self.start, TOKEN)

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.read()  # until the last of them has gone
        self.process.stdout.close()
        self.process.wait()


Start = Callable[..., Ended]


@pytest.fixture
def ended() -> Iterator[Start]:
    all_of_them: list[Ended] = []

    def start(*argv: str) -> Ended:
        all_of_them.append(Ended(*argv))
        return all_of_them[-1]

    yield start
    for one in all_of_them:
        one.end()


def test_nothing_is_left_of_one_that_left_nothing(ended: Start) -> None:
    """Other processes of the machine may leave it open, now and then."""
    assert any(ended("true").none_left() for _ in range(50))


@pytest.mark.parametrize(
    "command",
    [
        "cat <&3 &",
        "setsid cat <&3 &",
        "(setsid cat <&3 &) &",
        "setsid env -u MPBOOT_TOKEN sh -c 'MPBOOT_TOKEN=none-left exec cat' <&3 &",
        "env -i cat <&3 &",
    ],
)
def test_what_is_left_is_seen(ended: Start, command: str) -> None:
    left = ended("sh", "-c", f"exec 3<&0; {command}")
    while not left.family():
        assert not left.none_left()  # it is on its way to where it is found
    assert not left.none_left()


def test_one_that_is_always_another_process_is_seen(ended: Start) -> None:
    for _ in range(30):
        left = ended(sys.executable, "-I", "-S", "-c", HOPPER)
        assert not left.none_left()


def test_nobody_knows_of_one_that_ran_for_long(ended: Start) -> None:
    left = ended("true")
    assert not any(left.none_left(seconds=1e6) for _ in range(50))


@pytest.mark.parametrize("missing", ["/proc/sys/kernel/pid_max", "/proc/loadavg"])
def test_nobody_knows_without_proc(ended: Start, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    left, read = ended("true"), module._read

    def without(path: str) -> bytes:
        if path == missing:
            raise FileNotFoundError(path)
        return read(path)

    monkeypatch.setattr(module, "_read", without)
    assert not any(left.none_left() for _ in range(50))


def test_nobody_knows_where_a_container_has_numbers_of_its_own(
    ended: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As lxcfs has them, which are some seconds old."""
    monkeypatch.setattr(module, "LOAD", str(tmp_path / "loadavg"))
    left = ended("true")
    (tmp_path / "loadavg").write_text(f"0.0 0.0 0.0 1/2 {left.process.pid}\n")
    assert not left.none_left()


class Played:
    """A kernel in which something may happen between any two looks at it."""

    LEADER = 1000

    def __init__(self, moves: list[tuple[str, int]]) -> None:
        self._moves = moves
        self.newest = self.LEADER
        # By number: session, token in its environment, of the family, becomes another program just now
        self.living: dict[int, tuple[int, bool, bool, bool]] = {500: (500, False, False, False)}
        self.zombies: set[int] = {self.LEADER}
        self._fork((self.LEADER, True, True, False))

    def _fork(self, one: tuple[int, bool, bool, bool]) -> None:
        self.newest += 1
        self.living[self.newest] = one

    def go_on(self) -> None:
        """Something happens, or nothing."""
        what, which = self._moves.pop() if self._moves else ("", 0)
        if not what or not self.living:
            return
        pid = sorted(self.living)[which % len(self.living)]
        session, has, ours, becomes = one = self.living[pid]
        if what == "fork":
            self._fork(one)
        elif what == "exit":
            del self.living[pid]
            self.zombies.add(pid)
        elif what == "setsid":
            self.living[pid] = pid, has, ours, becomes
        else:
            self.living[pid] = session, has, ours, not becomes

    def read(self, path: str) -> bytes:
        self.go_on()
        if path.endswith("/pid_max"):
            return b"32768\n"
        if path == "/proc/loadavg":
            return b"0.0 0.0 0.0 1/200 %d\n" % self.newest
        pid = int(path.split("/")[2])
        if pid in self.living:
            return b"%d (x) S 1 1 1" % pid
        if pid in self.zombies:
            return b"%d (x) Z 1 1 1" % pid
        raise FileNotFoundError(path)

    def getsid(self, pid: int) -> int:
        self.go_on()
        if pid in self.living:
            return self.living[pid][0]
        raise ProcessLookupError

    def environment(self, pid: int) -> bytes:
        self.go_on()
        _, has, _, becomes = self.living.get(pid, (0, False, False, True))
        return b"" if becomes else b"A=1\0" + TOKEN * has


@given(st.lists(st.tuples(st.sampled_from(["", "fork", "exit", "setsid", "exec"]), st.integers(0, 100)), max_size=60))
def test_whatever_happens_meanwhile(moves: list[tuple[str, int]]) -> None:
    world = Played(list(moves))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_read", world.read)
        patch.setattr(module, "_environment", world.environment)
        patch.setattr("posix.getsid", world.getsid)
        sure = none_left(world.LEADER, TOKEN, 0.1)
    if sure:
        assert not [pid for pid, one in world.living.items() if one[2]]
