"""A command's standard input: a real pipe."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from mpboot.node.feed import Feed
from tests.node.commanding import Host
from tests.node.played import Rounds, open_files

MUCH = bytes(range(256)) * 1024  # more than a pipe holds


class Fed:
    """A feed whose far end the test reads."""

    def __init__(self, loop: Rounds) -> None:
        self.taken = 0
        self.feed = Feed(loop, self._take)

    def _take(self, count: int) -> None:
        self.taken += count


@pytest.fixture
def fed(loop: Rounds) -> Iterator[Fed]:
    made = Fed(loop)
    yield made
    made.feed.close()


def test_all_comes_and_then_the_end(fed: Fed, loop: Rounds) -> None:
    before = open_files()
    assert fed.feed.put(0, MUCH)
    assert 0 < fed.taken < len(MUCH)
    assert fed.feed.put(len(MUCH), b"")
    assert (fed.feed.ended, fed.feed.open) == (True, True)
    got = b""
    while len(got) < len(MUCH):
        got += os.read(fed.feed.end, 1 << 16)
        loop.once()
    assert os.read(fed.feed.end, 1) == b""
    assert (got, fed.taken, fed.feed.open) == (MUCH, len(MUCH), False)
    fed.feed.close_end()
    assert len(before - open_files()) == 2


def test_what_is_missing_is_seen_and_the_reader_sees_no_end(fed: Fed) -> None:
    """Else it would take the part that it has for all."""
    assert fed.feed.put(0, b"abc")
    assert not fed.feed.put(4, b"e")
    fed.feed.cut()
    assert os.read(fed.feed.end, 10) == b"abc"
    os.set_blocking(fed.feed.end, False)
    with pytest.raises(BlockingIOError):
        os.read(fed.feed.end, 10)
    assert fed.feed.put(5, b"f")
    assert fed.feed.put(6, b"")
    with pytest.raises(BlockingIOError):
        os.read(fed.feed.end, 10)
    assert (fed.taken, fed.feed.open) == (4, True)
    fed.feed.close()
    assert os.read(fed.feed.end, 10) == b""
    fed.feed.close_end()


def test_what_waits_when_it_is_cut_counts_as_taken(fed: Fed, loop: Rounds) -> None:
    assert fed.feed.put(0, MUCH)
    written = fed.taken
    fed.feed.cut()
    assert fed.taken == len(MUCH)
    got = 0
    os.set_blocking(fed.feed.end, False)
    while got < written:
        got += len(os.read(fed.feed.end, 1 << 16))
        loop.once()
    with pytest.raises(BlockingIOError):
        os.read(fed.feed.end, 1)
    fed.feed.close_end()


def test_who_reads_no_more_holds_nobody_up(fed: Fed) -> None:
    """What comes is dropped, and counts as taken."""
    fed.feed.close_end()
    assert fed.feed.put(0, MUCH)
    assert (fed.taken, fed.feed.open) == (len(MUCH), False)
    assert fed.feed.put(len(MUCH), b"more")
    assert fed.taken == len(MUCH) + 4


def test_what_waits_counts_as_taken_when_it_is_closed(fed: Fed) -> None:
    assert fed.feed.put(0, MUCH)
    fed.feed.close()
    fed.feed.close()
    assert fed.taken == len(MUCH)
    fed.feed.close_end()


def test_a_command_has_no_end_of_another_s_standard_input(loop: Rounds) -> None:
    """Else the other would never come to the end of its own."""
    host, first = Host(loop), Feed(loop, lambda _: None)
    try:
        host.begin("cat; echo over", stdin=first.end)
        first.close_end()
        other = host.begin("ls -l /proc/$$/fd; echo listed; exec sleep 300")
        host.until_it_says(b"listed\n")
        assert b" 0 -> /dev/null" in host.text()
        assert b"pipe:[%d]" % os.fstat(first._fd).st_ino not in host.text()
        assert first.put(0, b"fed\n")
        assert first.put(4, b"")
        host.until_it_ended()
        assert (host.text()[-9:], host.codes, other.running) == (b"fed\nover\n", [0], True)
    finally:
        host.close()
        first.close()


def test_a_terminal_for_which_no_descriptor_is_left_is_not_left_open(loop: Rounds) -> None:
    terminal = os.openpty()
    free = os.dup(0)
    os.close(free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Feed(loop, lambda _: None, terminal)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    os.close(terminal[0])  # the caller's
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(terminal[1])
