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


def test_what_can_pass_is_waited_for() -> None:
    """A name may come into DNS, a key may be installed; a password is not typed, and an rsh is not installed here."""
    assert {"password-prompt", "rsh-missing", "deadline", "interrupted"} == {*causes.ALL} - causes.PASSING
