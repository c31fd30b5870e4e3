"""How many launches a machine may begin: it goes on while its processors keep up."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mpboot.net import core
from mpboot.node import pace
from mpboot.node.pace import (
    CROWD,
    DESCRIPTORS,
    EACH,
    RESERVE,
    WAIT,
    YOUNG,
    Pace,
    descriptors,
    room_for_children,
    runnable,
)


class Machine:
    """How many processes are runnable, and what time it is."""

    def __init__(self) -> None:
        self.busy: int | None = 1
        self.now = 100.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(pace, "runnable", lambda: made.busy)
    monkeypatch.setattr(pace, "monotonic", lambda: made.now)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    return made


@pytest.fixture
def files() -> Iterator[tuple[int, int]]:
    """This process may have 100 files open at first, and raise that to 300 itself."""
    before, known = resource.getrlimit(resource.RLIMIT_NOFILE), dict(core._limits)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    core._limits.clear()  # else whatever is started by this process from now on, by other tests, gets 100 as well
    core._limits.update(known)


def test_the_numbers() -> None:
    assert (YOUNG, CROWD, WAIT, EACH, DESCRIPTORS, RESERVE) == (8, 8, 0.01, 0.02, 2, 24)


def test_as_many_begin_as_are_not_young_yet(machine: Machine) -> None:
    ours = Pace()
    assert [ours.go(young) for young in (0, 3, 8)] == [8, 5, 0]
    machine.busy = 32
    assert ours.go(0) == 8
    machine.busy = None  # nobody can tell
    assert ours.go(1) == 7


def test_where_more_are_runnable_nothing_begins_but_one_for_each_time_that_was_waited(machine: Machine) -> None:
    ours = Pace()
    machine.busy = 33
    assert ours.go(0) == 0
    machine.now += 0.019
    assert ours.go(0) == 0
    machine.now += 0.002
    assert ours.go(0) == 1  # 0.021 s since the first look
    assert ours.go(0) == 0
    machine.now += 0.065
    assert ours.go(0) == 3
    machine.now += 5.0
    assert ours.go(2) == 6


def test_the_waiting_begins_anew_when_the_machine_was_free(machine: Machine) -> None:
    ours = Pace()
    machine.busy = 33
    ours.go(0)
    machine.busy, machine.now = 1, machine.now + 5.0
    assert ours.go(0) == 8
    machine.busy, machine.now = 33, machine.now + 5.0
    assert ours.go(0) == 0


def test_a_machine_that_does_not_say_how_many_processors_it_has(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    ours = Pace()
    machine.busy = 8
    assert ours.go(0) == 8
    machine.busy = 9
    assert ours.go(0) == 0


def test_this_process_at_least_can_run() -> None:
    busy = runnable()
    assert busy is not None
    assert busy >= 1


@pytest.mark.parametrize(
    ("text", "busy"), [("0.20 0.18 0.12 5/80 11206\n", 5), ("", None), ("0.20 0.18 0.12", None), ("a b c d/e f", None)]
)
def test_what_the_kernel_says(text: str, busy: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "open", lambda *_, **__: io.StringIO(text), raising=False)
    assert runnable() == busy


def test_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(pace, "open", none, raising=False)
    assert runnable() is None


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(files: tuple[int, int]) -> None:
    assert descriptors() == files[1]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (files[1], files[1])


@pytest.mark.parametrize("error", [OSError, ValueError])
@pytest.mark.usefixtures("files")
def test_where_it_can_not_be_raised_it_remains(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(resource, "setrlimit", refused)
    found = descriptors()
    monkeypatch.undo()
    assert found == 100


def test_room_for_children_is_what_the_workers_leave() -> None:
    code = "from mpboot.node.pace import room_for_children as room; print(room(0), room(100))"
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 300)); {code}"
    out = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out.split() == ["276", "76"]
    assert room_for_children(10) == descriptors() - 44
