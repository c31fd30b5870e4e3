"""The jobs of a kept tree in the head: told again to who has another parent, and their ends gathered."""

from __future__ import annotations

import pytest

from mpboot.head.jobs import LONGEST, PIECE, End, Job, Jobs
from mpboot.net import wire
from mpboot.net.commands import Exit
from mpboot.net.jobs import STDIN_WINDOW, Run, job_of, packed, unpack_signal, unpack_stdin
from mpboot.net.outlet import STDOUT, pack_out
from mpboot.node.dispatch import unpack_to
from mpboot.tree import causes


class Heard:
    """Who wants to know what becomes of a job."""

    def __init__(self) -> None:
        self.ends: dict[int, End] = {}
        self.said: list[tuple[int, int, bytes]] = []
        self.notes: list[tuple[int, str]] = []
        self.wanted = 0
        self.overs = self.breaks = 0

    def output(self, rank: int, stream: int, data: bytes) -> None:
        self.said.append((rank, stream, data))

    def ended(self, rank: int, end: End) -> None:
        self.ends[rank] = end

    def noted(self, rank: int, text: str) -> None:
        self.notes.append((rank, text))

    def wants(self, count: int) -> None:
        self.wanted += count

    def over(self) -> None:
        self.overs += 1

    def broken(self) -> None:
        self.breaks += 1


class Head:
    """The jobs, and what the root is told: to whom, and what."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[int], int, bytes]] = []
        self.jobs = Jobs(self._send)

    def _send(self, kind: int, body: bytes) -> None:
        assert kind == wire.TO
        self.sent.append(unpack_to(body))

    def begin(self, *ranks: int, stdin: bool = False) -> tuple[Job, Heard]:
        heard = Heard()
        job = self.jobs.prepare(["true"], [], ranks, heard, stdin=stdin)
        self.jobs.begin(job)
        return job, heard


@pytest.fixture
def head() -> Head:
    return Head()


def test_one_job_from_its_beginning_to_its_end(head: Head) -> None:
    job, heard = head.begin(4, 2)
    ((ranks, kind, body),) = head.sent
    assert (ranks, kind, Run.unpack(body).job) == ([2, 4], wire.RUN, job.number)
    head.jobs.output(pack_out(2, job.number, STDOUT, b"four"))
    head.jobs.exited(Exit(2, job.number, 3, 0, 0.5, 4))
    head.jobs.exited(Exit(2, job.number, 9, 0, 0.5, 4))  # told again
    head.jobs.output(pack_out(2, job.number, STDOUT, b"late"))
    assert (heard.said, heard.ends, heard.overs) == ([(2, 1, b"four")], {2: End(3, seconds=0.5)}, 0)
    head.jobs.exited(Exit(4, job.number, 0, 15, 1.0, 0))
    assert (heard.ends[4], heard.overs, head.jobs.running) == (End(0, 15, 1.0), 1, {})


def test_output_that_is_missing_is_counted(head: Head) -> None:
    job, heard = head.begin(1)
    head.jobs.output(pack_out(1, job.number, STDOUT, b"abc"))
    head.jobs.exited(Exit(1, job.number, 0, 0, 0.5, 10))
    assert heard.ends[1].missing == 7


def test_a_host_with_another_parent_is_told_all_again(head: Head) -> None:
    job, _ = head.begin(1, 2)
    head.jobs.signal(job, 10, False)
    head.jobs.hold(job, True)
    head.sent.clear()
    head.jobs.up_again(2)
    (run, signal, hold) = head.sent
    assert [(ranks, kind) for ranks, kind, _ in head.sent] == [([2], wire.RUN), ([2], wire.SIGNAL), ([2], wire.HOLD)]
    assert Run.unpack(run[2]).again
    assert unpack_signal(signal[2]) == (10, False)
    assert hold[2] == packed(job.number) + b"\1"
    head.jobs.exited(Exit(2, job.number, 0, 0, 0.5, 0))
    head.sent.clear()
    head.jobs.up_again(2)
    assert head.sent == []


def test_a_lost_host_ends_its_part_of_each_job(head: Head) -> None:
    _, one = head.begin(1, 2)
    other, two = head.begin(2)
    head.jobs.lost(2, "silent")
    assert [(heard.ends[2].code, heard.ends[2].cause, heard.overs) for heard in (one, two)] == [
        (None, causes.LOST, 0), (None, causes.LOST, 1),
    ]  # fmt: skip
    head.jobs.exited(Exit(2, other.number, 0, 0, 0.5, 0))
    assert two.overs == 1
    head.jobs.all_lost("the tree has ended")
    assert (one.ends[1].detail, one.overs) == ("the tree has ended", 1)


def test_a_job_for_nobody_is_over_at_once(head: Head) -> None:
    _, heard = head.begin()
    assert (heard.overs, head.sent, head.jobs.running) == (1, [], {})


@pytest.mark.parametrize(
    ("argv", "login"), [(["a\ud800"], False), (["x" * LONGEST], False), (["nothing"], True), (["command"], True)]
)
def test_what_no_host_would_take_is_no_job(head: Head, argv: list[str], login: bool) -> None:
    with pytest.raises(ValueError, match=r"."):
        head.jobs.prepare(argv, [], [1], Heard(), login=login)
    assert (head.sent, head.jobs.running) == ([], {})


def test_standard_input_in_pieces_within_what_is_wanted(head: Head) -> None:
    job, heard = head.begin(1, stdin=True)
    data = bytes(range(256)) * (STDIN_WINDOW // 256)
    head.sent.clear()
    head.jobs.feed(job, data)
    head.jobs.feed_end(job)
    pieces = [unpack_stdin(body) for _, _, body in head.sent]
    assert {kind for _, kind, _ in head.sent} == {wire.STDIN}
    assert {job_of(body) for *_, body in head.sent} == {job.number}
    assert b"".join(piece for _, piece in pieces) == data
    assert [offset for offset, _ in pieces] == list(range(0, STDIN_WINDOW + 1, PIECE))
    assert job.room == 0
    head.jobs.taken(packed(job.number) + packed(100))
    assert (job.room, heard.wanted) == (100, 100)


@pytest.mark.parametrize("body", [b"", packed(2), packed(0) + packed(1), packed(2) + packed(STDIN_WINDOW + 1)])
def test_what_is_no_word_of_input_changes_nothing(head: Head, body: bytes) -> None:
    job, heard = head.begin(1, stdin=True)
    with pytest.raises(ValueError, match=r"."):
        head.jobs.taken(body)
    assert (job.room, heard.wanted) == (STDIN_WINDOW, 0)


@pytest.mark.parametrize("how", ["output", "wants", "noted", "ended"])
def test_a_listener_that_fails_costs_its_own_job_and_no_other(
    head: Head, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    faults: list[str] = []
    head.jobs.fault = faults.append
    bad, broken = head.begin(0, 1, stdin=True)
    good, heard = head.begin(0, stdin=True)

    def fails(*_: object) -> None:
        raise ValueError("this one is odd")

    monkeypatch.setattr(broken, how, fails)
    for _ in range(2):
        head.jobs.output(pack_out(0, bad.number, STDOUT, b"some"))
        head.jobs.noted(0, "some more")
        head.jobs.taken(packed(bad.number) + b"\0\0\0\1")
    assert len(faults) == broken.breaks == (how != "ended")
    for number in (bad.number, good.number):
        head.jobs.exited(Exit(0, number, 0, 0, 0.1, 4))
    head.jobs.exited(Exit(1, bad.number, 0, 0, 0.1, 0))
    assert "this one is odd" in faults[0]
    assert broken.breaks == 1
    assert broken.overs == 1
    assert [unpack_signal(body)[0] for _, kind, body in head.sent if kind == wire.SIGNAL] == [9]
    assert heard.ends[0].code == 0
    assert not head.jobs.running
