"""The command line of an ssh or rsh client, read as the client reads it."""

from __future__ import annotations

import shutil
import string
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.clientline import VALUED, VALUED_LONG, Words, read_words


@pytest.mark.parametrize(
    ("line", "host", "command", "flags"),
    [
        ("ssh", "", "", ""),
        ("ssh a", "a", "", ""),
        ("ssh joe@a", "a", "", ""),
        ("ssh j@oe@a", "a", "", ""),
        ("ssh a ls -l", "a", "ls -l", ""),
        ("ssh -t a", "a", "", "t"),
        ("ssh -tt -4 a", "a", "", "tt4"),
        ("ssh -p 22 a", "a", "", "p"),
        ("ssh -p22 a", "a", "", "p"),
        ("ssh -tp 22 a", "a", "", "tp"),
        ("ssh -tp22 a", "a", "", "tp"),
        ("ssh -pt 22 a", "22", "a", "p"),
        ("ssh -NT -L 1:b:3 joe@a", "a", "", "NTL"),
        ("ssh a -l joe ls -l", "a", "ls -l", "l"),
        ("ssh a -- ls -- x", "a", "ls -- x", ""),
        ("ssh -- a ls", "a", "ls", ""),
        ("ssh - ls", "-", "ls", ""),
        ("ssh ssh://a", "a", "", ""),
        ("ssh ssh://joe@a:2222 ls", "a:2222", "ls", ""),
        ("ssh -oProxyCommand=x a", "a", "", "o"),
        ("ssh -p", "", "", "p"),
        ("plink -pw secret joe@a ls", "a", "ls", ""),
        ("plink -batch a", "a", "", "b"),
        ("rsh -l joe a date", "a", "date", "l"),
    ],
)
def test_lines(line: str, host: str, command: str, flags: str) -> None:
    assert read_words(line.split()) == Words(host, tuple(command.split()), flags)


@pytest.mark.parametrize("name", VALUED_LONG)
def test_a_long_option_takes_a_word_with_it(name: str) -> None:
    assert read_words(["plink", name, "value", "a"]) == Words("a")


def test_no_line_at_all() -> None:
    assert read_words([]) == Words()


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh")
def test_ssh_itself_takes_a_value_for_the_same_options() -> None:
    """Where an option lacks its value, ssh says so; where it takes none, it misses the host or does what it asks."""
    valued = set()
    for letter in string.ascii_letters:
        said = subprocess.run(
            ["ssh", f"-{letter}"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if f"option requires an argument -- {letter}" in said.stderr:
            valued.add(letter)
    assert valued - {"P"} <= VALUED  # of which a newer ssh may have more than the oldest
    assert VALUED - valued <= {"P"}


@given(st.lists(st.text(max_size=9), max_size=9))
def test_any_words(words: list[str]) -> None:
    read = read_words(words)
    assert list(read.command) == words[len(words) - len(read.command) :]
    assert not read.command or read.host
