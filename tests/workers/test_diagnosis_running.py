"""A launch that still runs: when it is given up, in which phase it is, and what the watcher and the worker agree on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.tree import causes
from mpboot.workers import diagnosis
from mpboot.workers.diagnosis import (
    AGENT,
    CALLBACK,
    CONNECT,
    HANDSHAKE,
    SHELL,
    Evidence,
    agree,
    is_own,
    judge,
    phase_of,
)

Verdict = tuple[str, str, str]
SYN = [("SYN_SENT", "10.0.0.5:22")]
spans = st.floats(0, 100)
TAKEN = [("CLOSE_WAIT", "10.0.0.4:22"), ("ESTABLISHED", "10.0.0.5:22")]


def evidence(**seen: Any) -> Evidence:
    made = Evidence("ssh", "h005")
    for name, value in seen.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def test_a_new_launch_shows_nothing() -> None:
    made = evidence()
    assert (made.rsh, made.host) == ("ssh", "h005")
    assert (made.seconds, made.exec_error, made.exit_code, made.blocked) == (0.0, "", None, "")
    assert (made.tty, made.stderr, made.noise) == ("", "", "")
    assert not any((made.agent, made.logged_in, made.stopped, made.tcp))


def test_the_words_of_the_manual() -> None:
    assert (CONNECT, HANDSHAKE, SHELL, AGENT, CALLBACK) == ("connect", "handshake", "shell", "agent", "callback")
    assert diagnosis.BUSY_TRIES == 4, "docs/architecture.md, under retries"


# -- phases ----------------------------------------------------------------------------------------

PHASES: list[tuple[dict[str, Any], str]] = [
    ({}, CONNECT),
    ({"tcp": SYN}, CONNECT),
    ({"tcp": TAKEN}, HANDSHAKE),
    ({"tty": "/dev/tty"}, HANDSHAKE),
    ({"tty": "/dev/tty", "logged_in": True}, HANDSHAKE),  # who asks a person has not logged in
    ({"logged_in": True}, SHELL),
    ({"logged_in": True, "tcp": TAKEN}, SHELL),
    ({"agent": True, "logged_in": True, "tty": "/dev/tty", "tcp": TAKEN}, CALLBACK),
]


@pytest.mark.parametrize(("seen", "phase"), PHASES)
def test_phases(seen: dict[str, Any], phase: str) -> None:
    assert phase_of(evidence(**seen)) == phase


# -- what silence means ----------------------------------------------------------------------------

SHELL_SAID = "logged in, but the shell did not get to the agent for 12 s"
SILENCE: list[tuple[dict[str, Any], Verdict]] = [
    ({}, (causes.CONNECT_TIMEOUT, CONNECT, "ssh did not get to the host for 12 s")),
    ({"resolver": "10.0.0.1:53"}, (causes.RESOLVE, CONNECT, "no answer from the name server 10.0.0.1:53 for 12 s")),
    (
        {"resolver": "10.0.0.1:53", "tcp": SYN},
        (causes.CONNECT_TIMEOUT, CONNECT, "no answer to SYN from 10.0.0.5:22 for 12 s"),
    ),
    ({"tcp": SYN}, (causes.CONNECT_TIMEOUT, CONNECT, "no answer to SYN from 10.0.0.5:22 for 12 s")),
    (
        {"tcp": [*SYN, ("SYN_SENT", "10.0.0.6:22")]},
        (causes.CONNECT_TIMEOUT, CONNECT, "no answer to SYN from 10.0.0.5:22 for 12 s"),
    ),
    (
        {"tcp": [("ESTABLISHED", "10.0.0.5:22")]},
        (causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "10.0.0.5:22 took the connection, then nothing came for 12 s"),
    ),
    ({"tty": "/dev/tty"}, (causes.PASSWORD_PROMPT, HANDSHAKE, "ssh waits at /dev/tty for a person")),
    (
        {"tty": "/dev/pts/1", "stderr": "banner\nPassword: \n"},
        (causes.PASSWORD_PROMPT, HANDSHAKE, "ssh waits at /dev/pts/1 for a person: Password:"),
    ),
    ({"logged_in": True}, (causes.SHELL_HANG, SHELL, SHELL_SAID)),
    (
        {"logged_in": True, "noise": "Welcome\n"},
        (causes.SHELL_HANG, SHELL, SHELL_SAID + "; printed: Welcome"),
    ),
    (
        {"logged_in": True, "noise": "Welcome\n", "stderr": "nfs: not responding\n"},
        (causes.SHELL_HANG, SHELL, SHELL_SAID + "; printed: Welcome | nfs: not responding"),
    ),
    (
        {"logged_in": True, "shell": "/bin/dash"},
        (causes.SHELL_HANG, SHELL, SHELL_SAID + ", in /etc/profile or .profile"),
    ),
    (
        {"logged_in": True, "shell": "/bin/dash", "python_began": True, "stderr": "x"},
        (causes.SHELL_HANG, SHELL, SHELL_SAID + ": python was started, and does not begin; printed: x"),
    ),
    ({"agent": True}, (causes.CALLBACK_BLOCKED, CALLBACK, "the agent runs but did not connect back for 12 s")),
    ({"agent": True, "blocked": "10.0.0.1: no answer"}, (causes.CALLBACK_BLOCKED, CALLBACK, "10.0.0.1: no answer")),
    (
        {"tcp": SYN, "stderr": "x\n  ssh: connect to host h port 22: No route to host\r\ny\n"},
        (causes.UNREACHABLE, CONNECT, "ssh: connect to host h port 22: No route to host"),
    ),
]


@pytest.mark.parametrize(("seen", "verdict"), SILENCE)
def test_what_silence_means(seen: dict[str, Any], verdict: Verdict) -> None:
    assert diagnosis.diagnose(evidence(seconds=12.4, **seen)) == verdict
    assert judge(evidence(seconds=12.4, **seen), 0.0, 100.0, expired=True) == verdict


# -- when it is given up ---------------------------------------------------------------------------

LIMITS = [  # what is seen; seconds of a timeout, and seconds after which it is given up
    ({"tcp": SYN}, 30.0, 10.0),
    ({"tcp": SYN}, 24.0, 10.0),
    ({"tcp": SYN}, 60.0, 20.0),
    ({"tcp": TAKEN}, 30.0, 15.0),
    ({"tcp": TAKEN}, 24.0, 15.0),
    ({"tcp": TAKEN}, 60.0, 30.0),
    ({"logged_in": True}, 30.0, 20.0),
    ({"logged_in": True}, 24.0, 20.0),
    ({"logged_in": True}, 60.0, 40.0),
    ({"tty": "/dev/tty"}, 30.0, 0.9),
]


@pytest.mark.parametrize(("seen", "timeout", "limit"), LIMITS)
def test_what_stands_still_for_too_long_is_given_up(seen: dict[str, Any], timeout: float, limit: float) -> None:
    """As docs/architecture.md has it, under "A launch ends"."""
    connects = seen == {"tcp": SYN}
    for seconds, given_up in ((limit - 0.01, False), (limit, True), (limit + 5, True)):
        # A connection that is not made counts from its beginning: SYNs that are sent again are no progress.
        launch = evidence(seconds=seconds if connects else 29.0, **seen)
        verdict = judge(launch, 0.0 if connects else seconds, timeout, expired=False)
        assert verdict == (diagnosis.diagnose(launch) if given_up else None)


@pytest.mark.parametrize("seen", [{}, {"agent": True}])
def test_what_nothing_is_known_of_has_until_the_timeout(seen: dict[str, Any]) -> None:
    launch = evidence(seconds=1e6, **seen)
    assert judge(launch, 1e6, 30.0, expired=False) is None
    assert judge(launch, 0.0, 30.0, expired=True) == diagnosis.diagnose(launch)


@pytest.mark.parametrize(("seconds", "is_root", "given_up"), [
    (5.9, False, False), (6.0, False, True), (29.0, True, False),
])  # fmt: skip
def test_a_name_server_that_is_silent_is_waited_for_at_length_by_the_root_alone(
    seconds: float, is_root: bool, given_up: bool
) -> None:
    launch = evidence(seconds=seconds, resolver="10.0.0.1:53")
    verdict = judge(launch, 0.0, 30.0, False, is_root)
    assert verdict == (diagnosis.diagnose(launch) if given_up else None)


@pytest.mark.parametrize(("seen", "phase"), PHASES)
def test_what_was_stopped_is_given_up_at_once(seen: dict[str, Any], phase: str) -> None:
    launch = evidence(stopped=True, **seen)
    assert judge(launch, 0.0, 30.0, expired=False) == (causes.RSH_FAILED, phase, "ssh was stopped by a signal")


@given(st.sampled_from([seen for seen, _ in PHASES]), spans, spans, st.floats(0.1, 100), st.booleans())
def test_who_is_given_up_stays_so(
    seen: dict[str, Any], still: float, seconds: float, timeout: float, expired: bool
) -> None:
    launch = evidence(seconds=seconds, **seen)
    verdict = judge(launch, still, timeout, expired)
    assert verdict is None or verdict == diagnosis.diagnose(launch)
    assert verdict is not None or not expired
    if verdict is not None:
        launch.seconds += 1
        assert judge(launch, still + 1, timeout, expired) is not None


# -- what both agree on ----------------------------------------------------------------------------

LOST = (causes.CONNECT_TIMEOUT, CONNECT, "no answer to SYN from 10.0.0.5:22 for 12 s")
HANG = (causes.SHELL_HANG, SHELL, "logged in, but the shell did not get to the agent for 12 s")
STOPPED = (causes.RSH_FAILED, CONNECT, "ssh was stopped by a signal")
BLOCKED = (causes.CALLBACK_BLOCKED, CALLBACK, "the agent runs but did not connect back")
TOLD_HANG = "logged in, but the shell did not get to the agent"


@pytest.mark.parametrize(
    ("seen", "states", "stderr", "verdict"),
    [
        (LOST, [], "", LOST),
        (LOST, [], "some words", LOST),
        (LOST, ["shell"], "", (causes.SHELL_HANG, SHELL, TOLD_HANG)),
        (LOST, ["shell"], "a\nnfs\n\n", (causes.SHELL_HANG, SHELL, TOLD_HANG + "; printed: a | nfs")),
        (LOST, ["shell", "agent"], "words", BLOCKED),
        (HANG, [], "", HANG),
        (HANG, ["shell"], "", HANG),
        (HANG, ["shell"], "nfs", (causes.SHELL_HANG, SHELL, HANG[2] + "; printed: nfs")),
        (HANG, [], "nfs", (causes.SHELL_HANG, SHELL, HANG[2] + "; printed: nfs")),
        (
            HANG,
            ["shell=/bin/dash"],
            "nfs",
            (causes.SHELL_HANG, SHELL, HANG[2] + ", in /etc/profile or .profile; printed: nfs"),
        ),
        (
            LOST,
            ["shell=/bin/dash", "python"],
            "",
            (causes.SHELL_HANG, SHELL, TOLD_HANG + ": python was started, and does not begin"),
        ),
        (LOST, ["shell=/bin/bash", "eaten"], "x", (causes.SHELL_HANG, SHELL, diagnosis._eaten("/bin/bash"))),
        (HANG, ["agent"], "", BLOCKED),
        (STOPPED, ["shell", "agent"], "words", STOPPED),
        (STOPPED, [], "", STOPPED),
    ],
)
def test_what_the_watcher_saw_and_what_the_host_has_told(
    seen: Verdict, states: list[str], stderr: str, verdict: Verdict
) -> None:
    assert agree(seen, [(name, 0.5) for name in states], stderr) == verdict


@pytest.mark.parametrize(("seen", "own"), [
    ({"resolver": "10.0.0.1:53"}, True), ({"tcp": SYN}, False), ({"resolver": "10.0.0.1:53", "tcp": SYN}, False),
])  # fmt: skip
def test_where_no_name_server_answers_the_fault_is_the_launching_machines(seen: dict[str, Any], own: bool) -> None:
    cause, _, detail = diagnosis.of_silence(evidence(**seen))
    assert is_own(cause, detail) is own


def test_a_name_that_is_unknown_is_no_fault_of_the_launching_machines() -> None:
    assert not is_own(causes.RESOLVE, "ssh: Could not resolve hostname h005: Name or service not known")
