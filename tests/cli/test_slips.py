"""Slips: what is said, and that what may be meant passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpboot.cli import slips


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hosts", "–odd", "“odd”"):  # noqa: RUF001
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["a", "—json", "-"], "'—json' begins with a dash that is no hyphen: type --json"),
        (["–b"], "'–b' begins with a dash that is no hyphen: type -b"),  # noqa: RUF001
        (["-–timeout"], "'-–timeout' begins with a dash that is no hyphen: type --timeout"),  # noqa: RUF001
        (["—"], "'—' begins with a dash that is no hyphen: type --"),
        (["‘n1"], "'‘n1' begins with a quote that no shell knows: type n1"),  # noqa: RUF001
        (["“a b”"], "'“a b”' begins with a quote that no shell knows: type 'a b'"),
    ],
)
def test_typography(words: list[str], meant: str) -> None:
    assert slips.of_typography(words) == meant


@pytest.mark.parametrize("word", ["–odd", "“odd”", "--json", "-", "", "n1", "a–b", "--name=–x"])  # noqa: RUF001
def test_what_may_be_meant(word: str) -> None:
    assert slips.of_typography([word]) == ""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("-u", "root", "-u takes seconds, as in pdsh and clush; a user is given as -l root"),
        ("-f", "hosts", "-f takes a number of launches at once; a file of hosts needs no option: mpboot hosts"),
        ("-u", "5", ""), ("-u", "2.5", ""), ("-u", "3m", ""), ("-f", "nosuch", ""), ("-f", None, ""),
    ],
)  # fmt: skip
def test_values(name: str, value: str | None, said: str) -> None:
    assert slips.of_value(name, value) == said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sh", "-c", "ls", "-l", "/tmp"], "sh -c runs 'ls' alone: was sh -c 'ls -l /tmp' meant?"),
        (["/bin/bash", "-c", "echo", "hi"], "bash -c runs 'echo' alone: was bash -c 'echo hi' meant?"),
        (["echo", "a", "|", "wc"], "'|' is a word for echo, no shell reads it: was sh -c 'echo a | wc' meant?"),
        (
            ["a", "x y", "&&", "b"],
            """'&&' is a word for a, no shell reads it: was sh -c 'a '"'"'x y'"'"' && b' meant?""",
        ),
        (["date", ">", "/tmp/x"], "'>' is a word for date, no shell reads it: was sh -c 'date > /tmp/x' meant?"),
    ],
)
def test_commands_for_a_shell(command: list[str], said: str) -> None:
    assert slips.of_command(command) == said


@pytest.mark.parametrize(
    "command",
    [
        ["ls"], ["sh"], ["sh", "-c", "ls"], ["sh", "-c", "ls -l", "x", "y"], ["sh", "-c", '"$@"', "sh", "a", "|"],
        ["sh", "script", "|", "x"], ["find", "/", "-exec", "rm", "{}", ";"], ["test", "a", "<", "b"], ["echo", "a|b"],
    ],
)  # fmt: skip
def test_commands_that_are_meant(command: list[str]) -> None:
    assert slips.of_command(command) == ""
