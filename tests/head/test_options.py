"""How to boot: the defaults, what follows from what, and what can't be."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import pytest

from mpboot.head.options import Options


def test_the_defaults() -> None:
    assert asdict(Options()) == {
        "children": 0, "topology": "adaptive", "timeout": 30.0, "deadline": None, "retries": 1, "wait_for": 0.0,
        "rsh": "ssh", "user": None, "transport": "auto", "shell_probe": "inline", "python": "python3", "attach": False,
        "command": (), "verbose": False, "env": (), "cwd": "", "command_timeout": 0.0, "barrier": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "topology", "children"),
    [
        ({"children": 3}, "tree", 3),
        ({"topology": "tree"}, "tree", 4),
        ({"topology": "adaptive", "children": 3}, "adaptive", 3),
        ({"topology": "ring"}, "ring", 0),
    ],
)
def test_topology_and_children_follow_from_each_other(given: dict[str, Any], topology: str, children: int) -> None:
    options = Options(**given)
    assert (options.topology, options.children) == (topology, children)


@pytest.mark.parametrize(
    "given",
    [
        {"timeout": 0.001, "deadline": 0.001},
        {"wait_for": 0, "retries": 0},
        {"transport": "tcp", "shell_probe": "separate"},
        {"transport": "stdio", "shell_probe": "none"},
        {"python": "~/my venv/bin/python3.12"},
        {"rsh": "ssh -o 'A b' {host}"},
        {"rsh": "sh -c 'f() { exec ${SHELL} -c \"$2\"; }; {run} f $1' {host}"},
        {"rsh": "${HOME}/bin/rsh -o A={x,y} {user}@{host}:{port}"},
        {"rsh": "local", "command": ["echo", "x y"]},
        {"command": ("true",)},
    ],
)
def test_what_can_be(given: dict[str, Any]) -> None:
    options = asdict(Options(**given))
    assert {name: options[name] for name in given} == given


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"timeout": 0}, "timeout must be a number of seconds, more than 0, not 0"),
        ({"timeout": -1}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be .* not nan"),
        ({"timeout": float("inf")}, "timeout must be .* not inf"),
        ({"deadline": 0}, "deadline must be a number of seconds, more than 0, not 0"),
        ({"deadline": float("inf")}, "deadline must be .* not inf"),
        ({"deadline": float("nan")}, "deadline must be"),
        ({"wait_for": -0.5}, "wait_for must be a number of seconds, 0 or more, not -0.5"),
        ({"wait_for": float("inf")}, "wait_for must be"),
        ({"wait_for": float("nan")}, "wait_for must be"),
        ({"retries": -1}, r"retries can't be negative \(-1\)"),
        ({"children": -1}, "children must be"),
        ({"topology": "star"}, "no topology 'star': there are adaptive, tree"),
        ({"transport": "udp"}, "no transport 'udp': there are auto, tcp, stdio"),
        ({"transport": ""}, "no transport ''"),
        ({"shell_probe": "maybe"}, "no shell probe 'maybe': there are inline, separate, none"),
        ({"python": "-c"}, "python can't be '-c': give a path or a name, of letters, "),
        ({"python": ""}, "python can't be ''"),
        ({"python": "a$b"}, "python can't be"),
        ({"python": "it's"}, "python can't be"),
        ({"python": "a" * 151}, "python can't be"),
        ({"python": 3}, "python must be a text, not 3"),
        ({"rsh": "ssh 'a"}, "rsh \"ssh 'a\" can't be split into words: No closing quotation"),
        ({"rsh": " "}, "rsh ' ' can't be split into words"),
        (
            {"rsh": "ssh {foo}"},
            "rsh 'ssh {foo}': nothing can be filled in for {foo}: there are {host}, {user}, {port}$",
        ),
        ({"rsh": "wrap -p {Port} {user}@{host}"}, "nothing can be filled in for {Port}:"),
        ({"rsh": "ssh {}"}, "nothing can be filled in for {}:"),
        ({"command": "uptime"}, r"command must be a list of words, not one string \('uptime'\)"),
    ],
)
def test_what_can_not_be(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Options(**given)


def test_they_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Options().timeout = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"retries": 1.5}, "retries must be a whole number, not 1.5"),
        ({"children": True}, "children must be a whole number, not True"),
        ({"timeout": "3"}, "timeout must be a number of seconds, not '3'"),
        ({"wait_for": None}, "wait_for must be a number of seconds, not None"),
        ({"deadline": True}, "deadline must be a number of seconds, not True"),
        ({"verbose": 3}, "verbose must be True or False, not 3"),
        ({"attach": None}, "attach must be True or False, not None"),
        ({"rsh": ["ssh"]}, "rsh must be a text, not"),
        ({"user": 3}, "user must be a text, not 3"),
        ({"command": [3]}, "command must be a list of words, not"),
        ({"command": 3}, "command must be a list of words, not 3"),
        ({"command": {"a", "b"}}, "command must be a list of words, not"),
        ({"command": iter(["a"])}, "command must be a list of words, not"),
        ({"command": b"ls"}, "command must be a list of words, not b'ls'"),
        ({"command": ["a\0b"]}, "command must be a list of words, not"),
        ({"command": ["a\ud800"]}, "command must be a list of words, not"),
        ({"env": [("A", "a\ud800")]}, "env must be pairs"),
        ({"env": 5}, "env must be pairs"),
        ({"env": {"A": "a"}}, "env must be pairs"),
        ({"cwd": "/a\ud800"}, "cwd can't hold half of a character"),
        ({"command": ["", "a"]}, "command must begin with a program"),
        ({"rsh": "a\0b"}, "rsh can't hold a NUL character"),
        ({"user": "-oProxyCommand=x"}, "bad user name"),
        ({"command": "uptime"}, "command must be a list of words, not one string"),
        ({"rsh": "x" * 16385}, "rsh has 16385 characters, 16384 is the most"),
    ],
)
def test_what_is_of_another_type_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Options(**given)


def test_the_longest_rsh_that_there_may_be() -> None:
    assert len(Options(rsh="x" * 16384).rsh) == 16384
    assert Options(timeout=3, deadline=4, wait_for=0).deadline == 4
