"""What is done with findings: shown, and what is hung ended, if a person wants it; with real processes to end."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from mpboot.inspect import command
from mpboot.inspect.command import ask, end, run
from mpboot.inspect.judge import Finding
from mpboot.inspect.look import Client, Inspector
from tests.inspect.clients import PEER, PID, client, finding, tcp
from tests.support.waiting import until

# -- a command without looks of its own ------------------------------------------------------------


def idle(pid: int = PID) -> Client:
    return client(process=psutil.Process(pid))


def hung(pid: int = PID) -> Client:
    return client(process=psutil.Process(pid), copies=False)


class Seen(Inspector):
    """What is seen at each pair of looks, instead of real processes."""

    def __init__(self, *pairs: list[Client], pids: list[int] | None = None, everybody: bool = False) -> None:
        super().__init__(pids=pids or (), everybody=everybody)
        self.pairs = [pair for pair in pairs for _ in range(2)]

    def look(self) -> dict[int, Client]:
        return {one.pid: one for one in self.pairs.pop(0)}


def written(text: str) -> int:
    print(text)
    return 0


def done(inspector: Inspector, *, as_json: bool = False, kill: bool = False, sure: bool = False) -> int:
    return run(inspector, 0.0, 0.0, written if as_json else None, kill, sure)


class TestShown:
    def test_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert done(Seen([hung()])) == 1
        told = capsys.readouterr()
        assert told.out.split("\n")[0].split() == ["PID", "PEER", "PHASE", "STILL", "VERDICT", "WAITS", "FOR"]
        assert told.out.count("\n") == 2
        assert told.err == "mpboot: 1 of 1 hung; mpboot inspect PID tells more, --kill-hung ends\n"

    def test_nothing_hung(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert done(Seen([idle()], everybody=True)) == 0
        told = capsys.readouterr()
        assert told.out.split()[:2] == ["PID", "USER"]
        assert told.err == ""

    def test_detail(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert done(Seen([idle(), hung(1)], pids=[PID, 1])) == 1
        told = capsys.readouterr()
        first, second = told.out.split("\n\n")
        assert first.startswith("process     1, ")
        assert second.startswith(f"process     {PID}, ")
        assert [line.split("  ")[0] for line in second.split("\n")] == [
            "process", "command", "peer", "phase", "last moved", "waits for", "in kernel", "terminal", "did",
            "connection", "verdict", "",
        ]  # fmt: skip
        assert told.err == ""

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert done(Seen([hung()], pids=[PID]), as_json=True) == 1
        told = capsys.readouterr()
        assert [one["pid"] for one in json.loads(told.out)["clients"]] == [PID]
        assert told.out.endswith("}\n")
        assert told.err == ""
        assert done(Seen([hung()]), as_json=True) == 1
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        ("inspector", "line"),
        [
            (Seen([]), "no ssh or rsh client of yours is running here"),
            (Seen([], everybody=True), "no ssh or rsh client is running here"),
            (Seen([], pids=[1]), "it ended meanwhile"),
        ],
    )
    def test_nothing_there(self, capsys: pytest.CaptureFixture[str], inspector: Inspector, line: str) -> None:
        assert done(inspector, kill=True) == 0
        told = capsys.readouterr()
        assert told.out.strip() == ""
        assert told.err == f"mpboot: {line}\n"


# -- a person is asked -----------------------------------------------------------------------------


def answered(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("answer", "wants"),
    [("y\n", True), ("YES\n", True), (" yes \n", True), ("y", True), ("n\n", False), ("\n", False), ("", False),
     ("yep\n", False)],
)  # fmt: skip
def test_answers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, wants: bool) -> None:
    answered(monkeypatch, answer)
    assert ask([finding()]) is wants
    told = capsys.readouterr()
    lines = told.err.split("\n")
    assert lines[1].startswith(f"{str(PID).ljust(3)}  h5 ({PEER})  handshake  ")
    line_given = "" if answer.endswith("\n") else "\n"  # whoever gave no line gets one
    says = "" if wants else "mpboot: nothing is ended\n"
    assert "\n".join(lines[2:]) == f"End {PID}? [y/N] {line_given}{says}"
    assert told.out == ""


def test_several_are_these(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answered(monkeypatch, "n\n")
    assert not ask([finding(), finding()])
    assert capsys.readouterr().err.endswith(f"End {PID}, {PID}? [y/N] mpboot: nothing is ended\n")


# -- what is hung is ended -------------------------------------------------------------------------


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    with subprocess.Popen(["sleep", "1000"]) as one:
        yield psutil.Process(one.pid)
        one.kill()


def ends(process: psutil.Process) -> bool:
    """Has it ended, or become a zombie?"""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class TestKillHung:
    def test_without_a_question(self, sleeper: psutil.Process, capsys: pytest.CaptureFixture[str]) -> None:
        assert done(Seen([hung(sleeper.pid), idle()]), kill=True, sure=True) == 0
        assert ends(sleeper)
        assert capsys.readouterr().err == f"mpboot: ended: {sleeper.pid}, ssh h5: handshake-timeout\n"

    def test_a_no(
        self, sleeper: psutil.Process, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answered(monkeypatch, "n\n")
        assert done(Seen([hung(sleeper.pid)]), kill=True) == 1
        assert not ends(sleeper)
        assert "ended:" not in capsys.readouterr().err

    def test_a_yes_and_a_second_look(
        self, sleeper: psutil.Process, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of two that hung one has moved on meanwhile, which is left alone."""
        answered(monkeypatch, "y\n")
        inspector = Seen([hung(sleeper.pid), hung()], [hung(sleeper.pid), idle()])
        assert done(inspector, kill=True) == 0
        assert ends(sleeper)
        assert capsys.readouterr().err.split("? [y/N] ")[1].split("\n") == [
            f"mpboot: {PID} has moved on: left alone", f"mpboot: ended: {sleeper.pid}, ssh h5: handshake-timeout", "",
        ]  # fmt: skip
        assert inspector.pairs == []

    def test_who_has_ended_meanwhile_is_forgotten(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answered(monkeypatch, "y\n")
        assert done(Seen([hung()], []), kill=True) == 0
        assert capsys.readouterr().err.endswith("? [y/N] ")

    def test_nothing_hung(self) -> None:
        assert done(Seen([idle()]), kill=True, sure=True) == 0

    def test_what_can_not_be_ended(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(command, "end", lambda found: found)
        assert done(Seen([hung()]), kill=True, sure=True) == 1
        assert capsys.readouterr().err == f"mpboot: can't be ended: {PID}, ssh h5: handshake-timeout\n"

    def test_what_it_calls_itself_is_escaped(self, sleeper: psutil.Process, capsys: pytest.CaptureFixture[str]) -> None:
        evil = client(process=sleeper, copies=False, command=["ssh", "\x1b[2J"])
        assert done(Seen([evil]), kill=True, sure=True) == 0
        assert "\x1b" not in capsys.readouterr().err


# -- the end of processes --------------------------------------------------------------------------


def of(process: psutil.Process, *below: psutil.Process) -> Finding:
    return finding(client=client(process=process, below=[*below]))


@contextmanager
def script(text: str) -> Iterator[subprocess.Popen[str]]:
    """A shell that runs a script, from when it has said a line; whatever is tested, it ends."""
    with subprocess.Popen(["sh", "-c", text], stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline()
            yield started
        finally:
            started.kill()


def test_the_end_of_a_client_and_all_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TERM_GRACE", 0.3)  # an orphan may stay a zombie for a while
    with script("sleep 1000 & echo $!; wait") as parent:
        process = psutil.Process(parent.pid)
        (child,) = process.children()
        assert end([of(process, child)]) == []
        assert ends(process)
        assert ends(child)


def test_a_stopped_process_ends_too(sleeper: psutil.Process) -> None:
    sleeper.suspend()
    assert end([of(sleeper)]) == []
    assert ends(sleeper)


def test_who_ignores_the_polite_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "TERM_GRACE", 0.05)
    with script("trap '' TERM; echo here; exec sleep 1000") as stubborn:
        process = psutil.Process(stubborn.pid)
        assert end([of(process)]) == []
        assert ends(process)


def test_a_zombie_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but its parent can take it away."""
    monkeypatch.setattr(command, "TERM_GRACE", 0.05)
    monkeypatch.setattr(command, "KILL_GRACE", 0.05)
    with script("sleep 1000 & echo $!; exec sleep 1001") as parent:
        until(lambda: psutil.Process(parent.pid).name() == "sleep")  # as long as it is a shell, it may take it away
        (child,) = psutil.Process(parent.pid).children()
        assert end([of(child)]) == []
        assert child.status() == psutil.STATUS_ZOMBIE


class Protected(psutil.Process):
    """A process that is not ours to end."""

    def terminate(self) -> None:
        raise psutil.AccessDenied(self.pid)

    kill = resume = terminate

    def wait(self, timeout: float | None = None) -> int:
        raise psutil.TimeoutExpired(timeout or 0.0, self.pid)


def test_what_can_not_be_ended_is_told(monkeypatch: pytest.MonkeyPatch, sleeper: psutil.Process) -> None:
    monkeypatch.setattr(command, "TERM_GRACE", 0.01)
    monkeypatch.setattr(command, "KILL_GRACE", 0.01)
    protected, mortal = of(Protected()), of(sleeper)
    assert end(one for one in (protected, mortal)) == [protected]
    assert ends(sleeper)
    below = of(sleeper, Protected())
    assert end([below]) == [below]


def test_times() -> None:
    assert (command.TERM_GRACE, command.KILL_GRACE) == (2.0, 1.0)
    assert tcp().quiet > 0  # what the clients here have been, hung or idle
