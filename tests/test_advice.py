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


def test_of_what_is_no_cause_is_empty() -> None:
    assert advice("hungry") == ""


def test_who_was_to_speak_through_rsh_is_not_told_to_do_so() -> None:
    told = advice(causes.CALLBACK_BLOCKED, relay.NOTHING)
    assert "the same remote shell by hand" in told
    assert "--transport" not in told
