"""What two looks at a client mean: its phase, what it waits for, for how long, and whether it hangs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psutil
import pytest

from mpboot.clientline import read_words
from mpboot.inspect.judge import Finding, examine, judge_client, logged_in
from mpboot.inspect.look import Client, Inspector
from mpboot.tree import causes
from tests.inspect.clients import PEER, PID, client, tcp

PATIENCE = 5.0


def judged(patience: float = PATIENCE, /, **changes: Any) -> Finding:
    """The verdict on a client that two looks saw alike."""
    one = client(**changes)
    return judge_client(replace(one), one, patience)


def summary(found: Finding) -> tuple[str, str, str]:
    return found.verdict, found.phase, found.waits


# -- logged in or not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "changes", "entered"),
    [
        ("ssh h5", {}, True),
        ("ssh h5", {"copies": False}, False),
        ("ssh h5", {"copies": True, "tcp": []}, True),
        ("ssh -N h5", {"copies": False}, True),
        ("ssh -W x:1 h5", {"copies": False}, True),
        ("ssh -N h5", {"copies": False, "tcp": [tcp(received=1200)]}, True),
        ("ssh -N h5", {"copies": False, "tcp": [tcp(received=1199)]}, False),
        ("ssh -N h5", {"copies": False, "tcp": [tcp(exact=False)]}, False),
        ("ssh -N h5", {"copies": False, "tcp": []}, False),
        ("ssh -N h5", {"copies": False, "via": psutil.Process()}, False),
        ("plink h5", {"copies": False, "name": "plink"}, True),
        ("plink h5", {"copies": False, "name": "plink", "tcp": [tcp(received=1199)]}, False),
        *[
            (f"{name} h5", {"copies": False, "name": name, "tcp": [tcp(received=received)]}, received > 0)
            for name in ("rsh", "rlogin", "remsh", "rsh-redone-rsh")
            for received in (0, 1)
        ],
    ],
)
def test_logged_in(line: str, changes: dict[str, Any], entered: bool) -> None:
    assert logged_in(client(**changes), read_words(line.split())) is entered


# -- before the login ------------------------------------------------------------------------------


def test_a_host_that_does_not_answer() -> None:
    found = judged(copies=False, age=31.25, tcp=[tcp(state="SYN_SENT", exact=False)])
    assert summary(found) == (causes.CONNECT_TIMEOUT, "connect", f"an answer to its SYN from {PEER}")
    assert (found.still, found.exact, found.hung, found.host, found.peer) == (31.25, False, True, "h5", PEER)
    assert found.detail == f"no answer to SYN from {PEER} for 31 s"


def test_a_server_that_says_nothing() -> None:
    found = judged(copies=False, tcp=[tcp(received=0)])
    waits = f"the first byte from {PEER}: it took the connection, nothing came"
    assert summary(found) == (causes.HANDSHAKE_TIMEOUT, "handshake", waits)
    assert (found.still, found.exact) == (60.0, True)
    assert found.detail == f"{PEER} took the connection, then nothing came for 60 s"


def test_a_login_that_stands_still() -> None:
    found = judged(copies=False, tcp=[tcp(received=1, state="CLOSE_WAIT")])
    waits = f"{PEER} to finish keys or login: 1 bytes came"
    assert summary(found) == (causes.HANDSHAKE_TIMEOUT, "handshake", waits)
    unknown = judged(copies=False, tcp=[tcp(exact=False)])
    assert summary(unknown) == (causes.HANDSHAKE_TIMEOUT, "handshake", f"{PEER} to finish keys or login")


def test_a_prompt() -> None:
    found = judged(99.0, copies=False, prompt="/dev/pts/2", echo=False)
    waits = "a person at /dev/pts/2: a password or passphrase"
    assert summary(found) == (causes.PASSWORD_PROMPT, "handshake", waits)
    assert found.detail == "ssh waits at /dev/pts/2 for a person"
    found = judged(copies=False, prompt="/dev/pts/2", tcp=[], shares=True)
    waits = "a person at /dev/pts/2: an answer, such as yes to a new host key"
    assert summary(found) == (causes.PASSWORD_PROMPT, "connect", waits)


def test_a_name_server_that_does_not_answer() -> None:
    found = judged(copies=False, tcp=[], asks="10.0.0.53")
    assert summary(found) == (causes.RESOLVE, "connect", "the name server 10.0.0.53")
    assert found.detail == "no answer from the name server 10.0.0.53 for 100 s"
    assert found.peer == ""
    found = judged(copies=False, tcp=[tcp(state="SYN_SENT", exact=False)], asks="10.0.0.53")
    assert found.verdict == causes.CONNECT_TIMEOUT


def test_something_on_this_machine() -> None:
    found = judged(copies=False, tcp=[])
    assert summary(found) == (causes.CONNECT_TIMEOUT, "connect", "a program, file or lock on this machine")
    assert found.detail == "ssh did not get to the host for 100 s"
    found = judged(copies=False, tcp=[], status=psutil.STATUS_DISK_SLEEP)
    assert found.waits == "the kernel: a disk or file system"


def test_another_process_that_has_the_connection() -> None:
    found = judged(copies=False, tcp=[], shares=True)
    assert summary(found) == ("unknown", "", "another process that has the connection (ControlMaster?)")
    assert not found.hung
    assert judged(copies=False, shares=True).phase == "handshake"


def test_patience() -> None:
    waiting = {"copies": False, "tcp": [tcp(quiet=5.0)]}
    assert judged(5.0, **waiting).verdict == causes.HANDSHAKE_TIMEOUT
    found = judged(5.01, **waiting)
    assert summary(found) == ("starting", "handshake", f"{PEER} to finish keys or login: 4000 bytes came")
    assert (found.still, found.hung) == (5.0, False)
    # Where the kernel tells nothing, it is no longer still than it is old.
    assert judged(5.0, copies=False, tcp=[], age=4.99).verdict == "starting"
    assert judged(5.0, copies=False, tcp=[], age=5.0).verdict == causes.CONNECT_TIMEOUT


@pytest.mark.parametrize(
    "before",
    [{"reads": 8}, {"writes": 7}, {"copies": True}, {"prompt": "/dev/tty"}, {"cpu": 1.47},
     {"tcp": [tcp()]}],
)  # fmt: skip
def test_movement_is_no_hang(before: dict[str, Any]) -> None:
    now = client(copies=False, tcp=[])
    found = judge_client(replace(now, **before), now, PATIENCE)
    assert (found.verdict, found.still, found.exact) == ("starting", 0.0, False)


@pytest.mark.parametrize("before", [{"cpu": 1.48}, {"age": 1.0}, {"waits_in": "x"}, {"echo": False}])
def test_what_is_no_movement(before: dict[str, Any]) -> None:
    now = client(copies=False, tcp=[])
    found = judge_client(replace(now, **before), now, PATIENCE)
    assert (found.verdict, found.still) == (causes.CONNECT_TIMEOUT, 100.0)


@pytest.mark.parametrize("before", [{"state": "SYN_SENT"}, {"peer": "x"}, {"received": 1}, {"sent": 1}])
def test_bytes_that_came_or_went_are_movement(before: dict[str, Any]) -> None:
    now = client(copies=False)
    found = judge_client(replace(now, tcp=[tcp(**before)]), now, PATIENCE)
    assert (found.verdict, found.still, found.exact) == ("starting", 60.0, True)


def test_a_new_client_is_starting() -> None:
    found = judge_client(None, client(copies=False, tcp=[]), PATIENCE)
    assert (found.verdict, found.still, found.exact) == ("starting", 0.0, False)
    assert judge_client(None, client(copies=False, prompt="/dev/tty"), PATIENCE).verdict == "starting"


def test_the_first_connection_counts() -> None:
    """Others are those that somebody tunnels through it."""
    quiet, busy = tcp(quiet=60.0, received=0), tcp(peer="x:1", quiet=0.0, received=9999)
    found = judged(copies=False, tcp=[quiet, busy])
    assert (found.verdict, found.still, found.peer) == (causes.HANDSHAKE_TIMEOUT, 60.0, PEER)
    assert not logged_in(client(copies=False, tcp=[quiet, busy]), read_words(["ssh", "-N", "h5"]))
    gone = tcp(unsent=48, resent=3, unanswered=61.0)
    assert judged(tcp=[gone, busy]).verdict == causes.LOST
    assert judged(tcp=[busy, gone]).verdict == "healthy"


# -- what is no client's fault ---------------------------------------------------------------------


def test_stopped_and_zombie_are_not_hung() -> None:
    found = judged(status=psutil.STATUS_STOPPED)
    waits = f"SIGCONT: somebody stopped it (kill -CONT {PID} lets it go on)"
    assert (summary(found), found.hung) == (("stopped", "session", waits), False)
    assert judged(status=psutil.STATUS_STOPPED, copies=False).phase == "handshake"
    found = judged(status=psutil.STATUS_ZOMBIE)
    waits = "its parent, which has not taken note of its end"
    assert (summary(found), found.hung) == (("ended", "", waits), False)


def test_what_is_not_ours_to_see() -> None:
    found = judged(reads=-1, tcp=[], copies=False)
    assert summary(found) == ("unknown", "", "? (another user's: only root can see)")
    assert judged(reads=-1, copies=False).verdict == causes.HANDSHAKE_TIMEOUT
    assert judged(reads=0, tcp=[], copies=False).verdict == causes.CONNECT_TIMEOUT


# -- after the login -------------------------------------------------------------------------------


def test_nobody_types() -> None:
    assert summary(judged()) == ("idle", "session", "the remote shell, or whoever types")
    assert summary(judged(command=["ssh", "h5", "ls"])) == ("idle", "session", "the remote command")
    for flag in "NW":
        assert summary(judged(command=["ssh", f"-{flag}x", "h5"]))[2] == "users of its connection"


def test_healthy_is_what_moved() -> None:
    assert judged(tcp=[tcp(quiet=4.99)]).verdict == "healthy"
    assert judged(tcp=[tcp(quiet=5.0)]).verdict == "idle"
    assert judged(tcp=[], age=1.0).verdict == "idle"  # what is not known exactly may be older
    now = client(tcp=[])
    assert judge_client(replace(now, reads=1), now, PATIENCE).verdict == "healthy"


def test_a_peer_that_is_gone() -> None:
    gone = tcp(unsent=48, resent=3, quiet=0.5, unanswered=61.0)
    found = judged(tcp=[gone])
    assert summary(found) == (causes.LOST, "session", f"{PEER} to acknowledge 48 bytes")
    assert (found.still, found.detail) == (61.0, f"{PEER} has acknowledged nothing for 61 s")
    for change in ({"resent": 2}, {"unsent": 0}, {"unanswered": 4.99}):
        assert judged(tcp=[replace(gone, **change)]).verdict in ("idle", "healthy")
    assert judged(tcp=[replace(gone, unanswered=5.0)]).verdict == causes.LOST


def test_a_reader_that_does_not_read() -> None:
    found = judged(tcp=[tcp(unread=100_000)])
    assert summary(found) == ("idle", "session", "whoever reads its output: 100000 bytes wait")
    found = judged(tcp=[tcp(unsent=5)])
    assert summary(found) == ("idle", "session", "the far side to take 5 bytes")
    for waiting in ({"unread": 1}, {"unsent": 1}):
        now = client(tcp=[tcp(**waiting)])
        found = judge_client(replace(now, reads=1), now, PATIENCE)
        assert summary(found) == ("healthy", "session", "the remote shell, or whoever types")


class TestAShellThatNeverSaysAWord:
    WAITS = "the shell's first prompt"

    def test_hangs(self) -> None:
        found = judged(written=4000)
        assert summary(found) == (causes.SHELL_HANG, "shell", self.WAITS)
        assert found.detail == "logged in, but the shell has not said a word for 60 s"
        assert summary(judged(60.0, written=0)) == (causes.SHELL_HANG, "shell", self.WAITS)
        assert summary(judged(60.1, written=0)) == ("starting", "shell", self.WAITS)

    @pytest.mark.parametrize(
        "changes",
        [{"written": 4001}, {"written": -1}, {"written": 0, "tcp": []}, {"written": 0, "tcp": [tcp(exact=False)]},
         {"written": 0, "via": psutil.Process()}, {"written": 0, "stdin": "pipe:[5]"},
         {"written": 0, "stdin": "/dev/null"}, {"written": 0, "command": ["ssh", "h5", "ls"]},
         *[{"written": 0, "command": ["ssh", f"-{flag}", "h5"]} for flag in "NTfns"]],
    )  # fmt: skip
    def test_any_other_does_not(self, changes: dict[str, Any]) -> None:
        found = judged(**changes)
        assert (found.verdict, found.phase) == ("idle", "session")

    @pytest.mark.parametrize(
        "changes",
        [{"stdin": "/dev/tty1"}, {"stdin": "/dev/console"}, {"stdin": "pipe:[5]", "command": ["ssh", "-tt", "h5"]}],
    )
    def test_terminals(self, changes: dict[str, Any]) -> None:
        assert judged(written=0, **changes).verdict == causes.SHELL_HANG
        assert judged(written=0, stdin="pipe:[5]", command=["ssh", "-t", "h5"]).verdict == "idle"


# -- looking until it is clear ---------------------------------------------------------------------


class Time:
    """Looks that cost nothing, and time that passes only between them."""

    def __init__(self, *looks: dict[int, Client]) -> None:
        self.now = 100.0
        self.looks: list[float] = []
        self.inspector = Inspector()
        self.inspector.look = self._look  # type: ignore[method-assign]
        self._shown = looks

    def _look(self) -> dict[int, Client]:
        self.looks.append(self.now - 100.0)
        return self._shown[min(len(self.looks), len(self._shown)) - 1]

    def pause(self, length: float) -> None:
        self.now += length

    def examine(self, interval: float = 1.0, patience: float = PATIENCE) -> list[Finding]:
        return examine(self.inspector, interval, patience, lambda: self.now, self.pause)


def test_two_looks_where_all_is_clear() -> None:
    time = Time({3: client(), 1: client(name="b")})
    assert [(one.client.name, one.verdict) for one in time.examine(0.25)] == [("b", "idle"), ("ssh", "idle")]
    assert time.looks == [0.0, 0.25]


def test_it_looks_on_only_while_a_client_is_young() -> None:
    young = [{1: client(copies=False, tcp=[tcp(quiet=3.0 + second)])} for second in range(9)]
    time = Time(*young)
    assert [one.verdict for one in time.examine()] == [causes.HANDSHAKE_TIMEOUT]
    assert time.looks == [0.0, 1.0, 2.0]


def test_it_does_not_look_for_ever() -> None:
    """What moves all the time is told to be starting when the patience is at an end."""
    time = Time(*({1: client(copies=False, tcp=[], reads=number)} for number in range(99)))
    assert [one.verdict for one in time.examine()] == ["starting"]
    assert time.looks == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    time = Time(*({1: client(copies=False, tcp=[], reads=number)} for number in range(99)))
    time.examine(2.0, 3.5)
    assert time.looks == [0.0, 2.0, 4.0, 6.0]


def test_each_look_is_compared_with_the_one_before() -> None:
    moved = client(copies=False, tcp=[], reads=7)
    still = client(copies=False, tcp=[], reads=8)
    time = Time({1: moved, 2: moved}, {1: still, 2: moved}, {1: still, 2: moved})
    assert [one.verdict for one in time.examine()] == [causes.CONNECT_TIMEOUT] * 2
    assert time.looks == [0.0, 1.0, 2.0]


def test_a_second_between_looks_and_five_of_patience() -> None:
    time = Time(*({1: client(copies=False, tcp=[], reads=number)} for number in range(99)))
    examine(time.inspector, clock=lambda: time.now, pause=time.pause)
    assert time.looks == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_who_came_or_went_meanwhile_is_not_told_of() -> None:
    time = Time({1: client(), 2: client()}, {2: client(), 3: client()})
    assert len(time.examine()) == 1
    assert Time({}, {1: client()}).examine() == []
    gone = Time({1: client()}, {})
    assert gone.examine() == []
    assert gone.looks == [0.0, 1.0]
