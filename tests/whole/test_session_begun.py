"""The beginning of a session that does not get to its end: interrupted, halted, or without the client that began it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.kept import Kept, kept
from tests.support.run_mpboot import LOCAL
from tests.support.waiting import until


@pytest.fixture
def user() -> Iterator[Kept]:
    """Somebody without a session."""
    with kept() as made:
        yield made


@pytest.mark.parametrize("options", [(), ("--stdin", "/dev/null")])
def test_one_whose_command_is_interrupted_is_not_kept_and_not_said_to_be(user: Kept, options: tuple[str, ...]) -> None:
    begun = user.start("--hosts", "h[1-3]", *LOCAL, "--keep", *options, "--", "sleep", "983")
    until(lambda: sum("sleep 983" in one for one in user.family().values()) == 4)  # the client, too
    begun.send_signal(signal.SIGINT)
    _, errors = begun.communicate(timeout=15)
    assert begun.returncode == 130
    assert b"interrupted: 3 of 3 hosts up" in errors
    assert b"is kept" not in errors
    user.gone()


def test_one_that_is_halted_while_its_command_runs_says_so(user: Kept) -> None:
    begun = user.start("--hosts", "h[1-3]", *LOCAL, "--keep", "--", "sleep", "983")
    until(lambda: sum("sleep 983" in one for one in user.family().values()) == 4)  # the client, too
    assert user.mpboot("halt").returncode == 0
    _, errors = begun.communicate(timeout=15)
    assert begun.returncode == 130
    assert b"interrupted: 3 of 3 hosts up" in errors
    user.gone()


def test_one_that_is_halted_before_its_hosts_are_up_does_not_blame_them(user: Kept) -> None:
    begun = user.start("--hosts", "h[1-3]", "--rsh", "sh -c 'sleep 983' {host}", "--keep")
    until(lambda: sum("sleep 983" in one for one in user.family().values()) >= 3)
    assert user.mpboot("halt").returncode == 0
    _, errors = begun.communicate(timeout=15)
    assert begun.returncode == 130
    assert b"interrupted: 0 of 3 hosts up" in errors
    assert b"root process" not in errors
    user.gone()
