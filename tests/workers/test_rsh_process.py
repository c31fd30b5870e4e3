"""A child with pipes and a session of its own, by posix_spawn and by hand."""

from __future__ import annotations

import os
import posix
import signal
from select import POLLIN

import pytest

from mpboot.workers import rsh
from mpboot.workers.pipes import ready
from mpboot.workers.rsh import RshProcess
from tests.workers.given import LONG, descriptors


def output(child: RshProcess) -> bytes:
    """All that a child says."""
    said = b""
    while ready(child.stdout, POLLIN, LONG):
        piece = os.read(child.stdout, 1000)
        if not piece:
            return said
        said += piece
    raise AssertionError(said)


CHILD = "read line; echo $line; cut -d' ' -f6 /proc/$$/stat; echo $MPBOOT_TEST; grep SigIgn /proc/self/status; exit 7"


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_child_leads_a_session_and_ignores_no_signal(by_hand: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise NotImplementedError

    if by_hand:  # as where posix_spawn can't make a session
        monkeypatch.setattr(os, "posix_spawnp", refuse)
    child = RshProcess(["sh", "-c", CHILD], {**posix.environ, b"MPBOOT_TEST": b"given"})
    assert child.poll() is None
    os.write(child.stdin, b"hello\n")
    *said, ignored = output(child).split()
    assert said == [b"hello", b"%d" % child.pid, b"given", b"SigIgn:"]
    assert not any(int(ignored, 16) >> number - 1 & 1 for number in rsh.IGNORED)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert (child.poll(), child.poll()) == (7, 7)
    child.close()
    child.close()


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_is_not_there_leaves_no_descriptor(by_hand: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise NotImplementedError

    if by_hand:
        monkeypatch.setattr(os, "posix_spawnp", refuse)
    before = descriptors()
    with pytest.raises(FileNotFoundError, match="No such file"):
        RshProcess(["/nonexistent/rsh"], posix.environ)
    assert descriptors() == before


def test_a_word_with_a_nul_in_it_is_none() -> None:
    before = descriptors()
    with pytest.raises(ValueError, match="null"):
        RshProcess(["sh", "a\0b"], posix.environ)
    assert descriptors() == before


def test_the_end_by_a_signal_is_a_negative_code() -> None:
    child = RshProcess(["sh", "-c", "kill -USR1 $$"], posix.environ)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert child.poll() == -signal.SIGUSR1
    child.close()


def test_a_child_that_somebody_else_has_reaped_has_ended() -> None:
    child = RshProcess(["true"], posix.environ)
    os.waitpid(child.pid, 0)
    assert child.poll() is not None
    child.close()
