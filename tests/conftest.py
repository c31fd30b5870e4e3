"""What holds for all tests, also where several processes run them at once (pytest -n): who may run beside whom.

Tests marked ``alone`` take the time of something, or need the machine for themselves: no other test runs meanwhile.
Those marked ``long`` run where files are named, and where MPBOOT_REQUIRE has that word.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

MOST_PROCESSES = 8
ALL = "MPBOOT_TESTS_ALL"  # says to the processes that run tests that long ones are wanted
LONG = ("whole", "tools", "inspect")  # rooms whose files take longest

if settings.default is not None:
    # An example takes longer where other tests run beside it, which says nothing of the code.
    settings.register_profile("beside others", settings.default, deadline=None)
    settings.load_profile("beside others")
    # Under another Python: see tools/test.
    settings.register_profile("once more", settings.default, deadline=None, max_examples=15)


class Turns:
    """Whose turn it is among the processes that run tests: that of any of them, or of one alone.

    Both the room and the gate are locks on what is there anyway. A process that runs a test holds the room: shared, or
    exclusively for a test that must be alone. As long as it waits for the room it holds the gate, so nobody gets ahead.
    """

    def __init__(self) -> None:
        self._gate = os.open(__file__, os.O_RDONLY)
        self._room = os.open(Path(__file__).parent, os.O_RDONLY)
        self._alone = False

    def take(self, alone: bool) -> None:
        """Wait until a test may run; at once where this process is alone already."""
        if alone and self._alone:
            return
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        self._alone = alone

    def give(self) -> None:
        """Let others run, also where something that the test has forked still has the descriptor."""
        fcntl.flock(self._room, fcntl.LOCK_UN)
        self._alone = False


TURNS = pytest.StashKey[Turns]()


def is_alone(item: pytest.Item | None) -> bool:
    """Is this a test that nothing may run beside?"""
    return item is not None and item.get_closest_marker("alone") is not None


def pytest_configure(config: pytest.Config) -> None:
    """Only one of several processes has to wait for its turn; the first knows whether long tests are wanted."""
    if hasattr(config, "workerinput"):
        config.stash[TURNS] = Turns()
        return
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    os.environ[ALL] = str(int(named or "long" in os.environ.get("MPBOOT_REQUIRE", "").replace(",", " ").split()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that there are more."""
    if os.environ[ALL] == "0":
        terminalreporter.write_line("Those that take long were left out: name their files, or MPBOOT_REQUIRE=long.")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)  # before pytest-timeout's, whose clock is not to run yet
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Wait for the turn of a test, where other processes run tests too."""
    turns = item.config.stash.get(TURNS, None)
    if turns is None:
        yield
        return
    turns.take(is_alone(item))
    yield
    if not (is_alone(item) and is_alone(nextitem)):
        turns.give()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is long, unless it is wanted; where several processes share the files, put them in order.

    They begin with tests that must be alone: later they would keep all waiting.
    Files that need clusters come next, then the others in which whole programs run: the last ones should be short, so
    that all processes end at about the same time.
    """
    if os.environ[ALL] == "0":
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if not item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
    if TURNS in config.stash:
        slow = {item.path for item in items if any(map(item.get_closest_marker, ("cluster", "sshd", "rsh")))}
        here = Path(__file__).parent
        items.sort(
            key=lambda item: (
                not is_alone(item),
                item.path not in slow,
                not any((here / room) in item.path.parents for room in LONG),
            )
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The processes of `pytest -n auto`: twice as many as processors, since most tests wait for most of the time."""
    return min(MOST_PROCESSES, 2 * len(os.sched_getaffinity(0)))
