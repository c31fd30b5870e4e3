"""Advice: for every cause a line that says what a person can do."""

from __future__ import annotations

import re

import pytest

from mpboot.advice import ADVICE, advice
from mpboot.tree import causes
from mpboot.workers import relay
from tests.cli.commands import COMMANDS

OPTIONS = {name for command in COMMANDS.values() for param in command.params for name in param.opts}


def test_each_cause_and_nothing_else_has_it() -> None:
    assert set(ADVICE) == set(causes.ALL)


@pytest.mark.parametrize("cause", causes.ALL)
def test_is_one_printable_line(cause: str) -> None:
    line = advice(cause)
    assert line.isprintable()
    assert line == line.strip()
    assert bool(line) is (cause != causes.INTERRUPTED)


def test_differs_by_cause() -> None:
    assert len(set(ADVICE.values())) == len(ADVICE)


def test_names_only_options_that_there_are() -> None:
    named = {option for line in ADVICE.values() for option in re.findall(r"--[a-z-]+", line)}
    assert named <= OPTIONS
    assert "--shell-probe" in named


@pytest.mark.parametrize("cause", [causes.AGENT_CRASH, causes.RSH_FAILED])
def test_a_limit_of_processes_is_no_fault_to_be_reported(cause: str) -> None:
    line = advice(cause, "no room for a process on h3: sh: 1: Cannot fork")
    assert "limit of processes" in line
    assert "report" not in line
    assert advice(cause, "something else") == advice(cause)


CHANGED = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"


def test_a_changed_host_key_may_be_an_attack() -> None:
    line = advice(causes.HOST_KEY, CHANGED)
    assert "attack" in line
    assert "ssh-keygen -R HOST" in line
    for detail in ("Host key verification failed.", "No ED25519 host key is known for h7 and you have requested …"):
        assert advice(causes.HOST_KEY, detail) == ADVICE[causes.HOST_KEY]
        assert "ssh-keyscan" in advice(causes.HOST_KEY, detail)
    assert "HostKeyAlgorithms" in advice(causes.HOST_KEY, "no matching host key type found. Their offer: ssh-dss")


@pytest.mark.parametrize(
    ("rsh", "line"),
    [
        ("ssh", "ssh HOST true"), ("rsh", "rsh HOST true"), ("ssh -i key", "ssh -i key HOST true"),
        ("ssh {host} sudo", "ssh HOST sudo true"), ("./own -u {user} {host}", "./own -u USER HOST true"),
        ("local", "sh -c true"), ("ssh " + "x" * 90, "that of --rsh, with true as its command"),
    ],
)  # fmt: skip
def test_a_remote_shell_is_tried_by_hand_as_it_was_given(rsh: str, line: str) -> None:
    assert advice(causes.RSH_FAILED, "", rsh) == f"run the same remote shell by hand: {line}"


@pytest.mark.parametrize("rsh", ["rsh", "/usr/bin/rsh -l joe", "remsh", "./own {host}", "local", "plink -batch"])
@pytest.mark.parametrize("cause", causes.ALL)
def test_who_uses_no_ssh_is_not_told_of_ssh(rsh: str, cause: str) -> None:
    line = advice(cause, "", rsh)
    assert [word for word in line.split() if "ssh" in word and word != "sshd"] == []
    assert bool(line) is (cause != causes.INTERRUPTED)


@pytest.mark.parametrize("cause", [causes.REFUSED, causes.HANDSHAKE_TIMEOUT, causes.AUTH])
def test_an_rsh_has_another_server(cause: str) -> None:
    assert "in.rshd" in advice(cause, "", "rsh")
    assert "sshd" not in advice(cause, "", "rsh")


def test_of_what_is_no_cause_is_empty() -> None:
    assert advice("hungry") == ""


def test_who_was_to_speak_through_rsh_is_not_told_to_do_so() -> None:
    told = advice(causes.CALLBACK_BLOCKED, relay.NOTHING)
    assert "the same remote shell by hand" in told
    assert "--transport" not in told
