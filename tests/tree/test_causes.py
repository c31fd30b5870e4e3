"""The list of causes: closed, each told by its word, and which of them are tried again or elsewhere."""

from __future__ import annotations

from mpboot.tree import causes

WORDS = """
resolve refused unreachable connect-timeout handshake-timeout password-prompt host-key auth shell-hang no-python
agent-crash callback-blocked lost rsh-missing rsh-failed deadline interrupted
"""


def test_every_cause_of_the_list_is_one() -> None:
    assert [*causes.ALL] == WORDS.split()
    assert {value for name, value in vars(causes).items() if name.isupper() and isinstance(value, str)} == {*causes.ALL}


def test_a_host_that_still_starts_may_answer_so() -> None:
    assert {"refused", "unreachable", "connect-timeout", "handshake-timeout"} == causes.STARTING


def test_what_may_be_the_launchers_own_fault_is_tried_by_an_ancestor() -> None:
    """As docs/architecture.md has it, under "A failure is blamed on the right machine"."""
    keys = {"password-prompt", "host-key", "auth"}
    network = {"resolve", "unreachable", "callback-blocked"}
    assert {*keys, *network, "rsh-missing", "rsh-failed"} == causes.LAUNCHERS
