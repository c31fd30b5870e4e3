"""One running rsh, a small shell script: its pipes, what interrupts it, its end and that of all below it."""

from __future__ import annotations

import os
import posix
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from select import POLLIN

import pytest

from mpboot.net.wire import piece
from mpboot.workers import family, rsh
from mpboot.workers.pipes import Writer, ready
from mpboot.workers.relay import Relay
from mpboot.workers.rsh import Cancelled, Interrupts, Rsh
from tests.workers.given import KEY, LONG, gone

Start = Callable[[str], Rsh]


@pytest.fixture
def start(interrupts: tuple[Interrupts, Writer]) -> Iterator[Start]:
    """Have lines of shell run as an rsh."""
    started: list[Rsh] = []

    def begin(lines: str) -> Rsh:
        started.append(Rsh(["sh", "-c", lines], posix.environ, interrupts[0]))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.end()
        one.close()


def never() -> float | None:
    return None


class Said(dict[int, bytes]):
    """What an rsh says, by descriptor."""

    def __call__(self, fd: int, data: bytes) -> None:
        self[fd] = self.get(fd, b"") + data


def line_of(one: Rsh) -> bytes:
    """The first line of what an rsh says, byte by byte."""
    line = b""
    while not line.endswith(b"\n"):
        assert ready(one.stdout, POLLIN, LONG)
        line += os.read(one.stdout, 1)
    return line


# -- following an rsh ------------------------------------------------------------------------------


def test_bytes_go_in_and_come_out_however_many(start: Start) -> None:
    one, said = start("head -c 1000004 | wc -c; head -c 300000 /dev/zero >&2; exit 3"), Said()
    one.feed(b"abcd")
    one.feed(bytes(1000000))
    assert one.follow(never, said) == 3
    assert said[one.stdout] == b"1000004\n"
    assert len(said[one.stderr]) == 300000


def test_stdin_stays_open(start: Start) -> None:
    one, said = start("head -c 2; echo more; read more; exit 9"), Said()
    one.feed(b"ab")
    until: list[float] = []

    def limit() -> float | None:
        if one.stdout in said and b"more" in said[one.stdout] and not until:
            until.append(time.monotonic() + 0.1)
        return until[0] if until else None

    with pytest.raises(TimeoutError):
        one.follow(limit, said)


def test_an_rsh_that_wants_no_input_gets_none(start: Start) -> None:
    one, said = start("exec <&-; echo closed; sleep 0.05; exit 4"), Said()
    assert line_of(one) == b"closed\n"
    one.feed(bytes(1 << 20))
    assert one.follow(never, said) == 4


def test_its_last_words_are_read_in_many_pieces(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsh, "CHUNK", 10)
    one, said = start("echo some words; echo more of them; echo and the last"), Said()
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    assert one.follow(never, said) == 0
    assert said[one.stdout].endswith(b"\nand the last\n")


def test_its_last_words_are_read(start: Start) -> None:
    one, said = start("head -c 60000 /dev/zero; echo last"), Said()
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    assert one.follow(never, said) == 0
    assert said[one.stdout].endswith(b"\0last\n")


def test_the_limit_is_asked_at_each_turn(start: Start) -> None:
    one, said = start("echo a; read line; exit 1"), Said()

    def limit() -> float | None:
        return time.monotonic() - 1 if said else None  # once it has spoken

    with pytest.raises(TimeoutError):
        one.follow(limit, said)
    assert said == {one.stdout: b"a\n"}


def test_a_limit_ends_the_wait(start: Start) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        start("exec sleep 60").follow(lambda: begin + 0.1, Said())
    assert 0.1 <= time.monotonic() - begin < LONG


@pytest.mark.parametrize("said", [b"\0\0\0\1N", b"\0"])
def test_any_word_of_the_parents_cancels(start: Start, interrupts: tuple[Interrupts, Writer], said: bytes) -> None:
    _, orders = interrupts
    os.write(orders.fd, said)
    if len(said) == 1:  # it ended in the middle of a word
        os.close(orders.fd)
    with pytest.raises(Cancelled):
        start("exec sleep 60").follow(never, Said())
    if len(said) > 1:
        assert not ready(interrupts[0].parent, POLLIN, 0.0)  # it has been read


def test_the_parents_end_cancels(start: Start, interrupts: tuple[Interrupts, Writer]) -> None:
    os.close(interrupts[1].fd)
    with pytest.raises(Cancelled):
        start("exec sleep 60").follow(never, Said())


def test_what_an_rsh_leaves_behind_is_not_waited_for(start: Start) -> None:
    one = start("sleep 60 & exit 5")
    assert one.follow(never, Said()) == 5
    assert one.held
    left = family.family(one.pid, family.start_of(one.pid))
    assert left
    one.end()
    assert all(gone(pid) for pid, _ in left)


def test_one_that_left_nothing_is_not_held(start: Start) -> None:
    one = start("read line; exit 5")
    assert not one.held
    one.feed(b"x\n")
    one.follow(never, Said())
    # Both pipes were at their end.
    assert not one.held


def test_what_is_left_behind_may_write_for_ever(start: Start) -> None:
    one, said = start("yes & exit 6"), Said()
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    assert ready(one.stdout, POLLIN, LONG)
    assert one.follow(never, said) == 6
    assert 0 < len(said[one.stdout]) <= rsh.LAST_READS * rsh.CHUNK
    one.end()


def test_whether_it_has_read_of_its_input(start: Start) -> None:
    one, said = start("dd bs=1 count=1; sleep 60"), Said()
    assert not one.has_read()
    one.feed(b"input")
    with pytest.raises(TimeoutError):
        one.follow(lambda: time.monotonic() - 1 if one.stderr in said else None, said)
    assert one.has_read()


def test_one_that_reads_nothing_has_read_nothing(start: Start) -> None:
    one, begin = start("exec sleep 60"), time.monotonic()
    one.feed(b"input")
    with pytest.raises(TimeoutError):
        one.follow(lambda: begin + 0.1, Said())
    assert not one.has_read()


def test_what_is_not_written_yet_is_not_read(start: Start) -> None:
    one = start("exec sleep 60")
    one.feed(bytes(1 << 20))
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        one.follow(lambda: begin + 0.1, Said())
    assert not one.has_read()


def test_of_one_whose_pipes_are_closed_nothing_is_known(start: Start) -> None:
    one = start("exec sleep 60")
    one.feed(b"input")
    one.end()
    one.close()
    assert not one.has_read()


def test_a_relay_has_rshs_stdio(start: Start, tmp_path: Path) -> None:
    """…until the parent ends it; what rsh writes to stderr is still read here."""
    (tmp_path / "piece").write_bytes(piece(KEY, b"got down\n"))
    one, said = start(f"read line; echo trouble >&2; echo $line; cat {tmp_path}/piece; exec cat >&2"), Said()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one.hand_over(Relay(one.stdin, one.stdout, listener.getsockname()[1], piece(KEY, b"begun "), KEY))
        parent, _ = listener.accept()
    heard: list[bytes] = []

    def talk() -> None:
        with parent:
            parent.settimeout(LONG)
            parent.sendall(b"down\n")
            while not heard or not heard[-1].endswith(b"got down\n"):
                heard.append((heard[-1] if heard else b"") + parent.recv(100))

    thread = threading.Thread(target=talk)
    thread.start()
    with pytest.raises(Cancelled):
        one.follow(never, said)
    thread.join(LONG)
    assert heard[-1] == b"begun got down\n"
    assert said == {one.stderr: b"trouble\n"}


def test_closing_an_rsh_closes_its_relay(start: Start) -> None:
    one = start("exec sleep 60")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one.hand_over(Relay(one.stdin, one.stdout, listener.getsockname()[1], b"", KEY))
        parent, _ = listener.accept()
    one.end()
    one.close()
    parent.settimeout(LONG)
    assert parent.recv(1) == b""
    parent.close()


# -- its end ---------------------------------------------------------------------------------------


def test_the_times_are_those_that_the_documents_tell() -> None:
    assert rsh.TERM_GRACE == 0.5


def test_the_end_is_term_first(start: Start, tmp_path: Path) -> None:
    one = start(f"trap 'echo ended > {tmp_path}/said; exit 1' TERM; echo ready; while :; do sleep 0.01; done")
    line_of(one)
    one.end()
    assert (tmp_path / "said").read_text() == "ended\n"
    assert one.process.poll() == 1


def test_then_kill(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsh, "TERM_GRACE", 0.1)
    one = start("trap '' TERM; echo ready; while :; do sleep 0.01; done")
    line_of(one)
    begin = time.monotonic()
    one.end()
    assert one.process.poll() == -signal.SIGKILL
    assert time.monotonic() - begin >= 0.1


def test_all_below_it_ends_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """…be it stopped, deaf, in another session, or without a parent since the first signal."""
    monkeypatch.setattr(rsh, "TERM_GRACE", 0.1)
    one = start(
        "trap 'exit 1' TERM; setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.01; done' & "
        "sleep 60 & kill -STOP $!; echo $!; wait"
    )
    below = [int(line_of(one)), int(line_of(one))]
    one.end()
    assert all(gone(pid) for pid in below)


def close_another(start: Start) -> None:
    """Have another rsh run, and close it when it has ended."""
    another = start("exit 0")
    os.waitid(os.P_PID, another.pid, os.WEXITED | os.WNOWAIT)
    another.close()


def test_what_not_even_kill_ends_is_reaped_later(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsh, "TERM_GRACE", 0.01)
    monkeypatch.setattr(rsh, "KILL_GRACE", 0.01)
    one = start("exec sleep 60")
    with monkeypatch.context() as patched:
        patched.setattr(family, "send", lambda *_: None)  # as if it slept in the kernel
        one.end()
    one.close()
    assert rsh._unreaped == [one.process]
    close_another(start)
    assert rsh._unreaped == [one.process]
    os.kill(one.pid, signal.SIGKILL)
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    close_another(start)
    assert rsh._unreaped == []
