"""The options of all commands: their variables, their help, what a shell is offered."""

from __future__ import annotations

import os
from typing import Any

import pytest
import typer
import typer.main

from mpboot.cli import arguments
from mpboot.cli import options as own
from tests.cli.commands import COMMANDS

ONLY_TYPED = {"--version", "--install-completion", "--show-completion", "--kill-hung", "--yes", "--env", "-n",
              "-S", "--detach", "--long", "--signal", "--shell", "--ssh-config", "--verify",
              "--push", "--fold"}  # fmt: skip

SET = ("exec", "push", "pull", "shrink")  # take a set of a session's hosts


def options(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "option"]


EVERY = [(name, option) for name, command in COMMANDS.items() for option in options(command)]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MPBOOT_")]:
        monkeypatch.delenv(name)


def read(kind: Any, *words: str, default: object = None, **variables: str) -> Any:
    """What a command with this argument or option is given, or the complaint about it."""

    def command(value: Any) -> list[Any]:
        return [value]

    command.__annotations__["value"] = kind
    command.__defaults__ = (default,)
    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            return app(list(words), standalone_mode=False)[0]
        except typer.BadParameter as error:
            return error.message


@pytest.mark.parametrize(("command", "option"), EVERY, ids=[f"{name} {option.opts[0]}" for name, option in EVERY])
def test_an_option_has_help_and_its_variable(command: str, option: Any) -> None:
    long = max(option.opts, key=len)
    variable = "MPBOOT_" + long[2:].upper().replace("-", "_")
    if (long, command) != ("--name", "inspect"):
        variable = variable.replace("MPBOOT_NAME", "MPBOOT_SESSION")
    of_session = command in SET and long in ("--hosts", "--exclude")  # a variable for a boot must not choose there
    unlisted = long in ONLY_TYPED or of_session
    assert option.envvar == (None if unlisted else variable)
    assert option.help
    assert option.help.endswith((".", "]", ")"))
    assert option.is_flag or option.metavar


def test_the_commands_have_the_options_that_they_share() -> None:
    names = {name: {option.opts[0] for option in options(command)} for name, command in COMMANDS.items()}
    assert names["boot"] <= names["plan"]
    assert {"--json", "--name"} == names["boot"] & names["inspect"]


@pytest.mark.parametrize(
    ("kind", "name", "good", "value", "bad"),
    [
        (arguments.Children, "--children", "auto", 0, "0"),
        (arguments.Topology, "--topology", "ring", "ring", "star"),
        (arguments.Timeout, "--timeout", "0.5", 0.5, "0"),
        (arguments.Deadline, "--deadline", "9", 9.0, "inf"),
        (arguments.WaitFor, "--wait-for", "0", 0.0, "-1"),
        (arguments.Retries, "--retries", "20", 20, "21"),
        (arguments.User, "--user", "joe", "joe", "-x"),
        (arguments.Transport, "--transport", "stdio", "stdio", "udp"),
        (arguments.ShellProbe, "--shell-probe", "none", "none", "maybe"),
        (arguments.Python, "--python", "~/py/python3", "~/py/python3", "-c"),
        (own.Interval, "--interval", "2", 2.0, "0"),
        (own.Patience, "--patience", "2", 2.0, "0"),
        (own.Cost, "--cost", "0.1", 0.1, "0"),
        (own.Latency, "--latency", "report", "report", "0"),
        (own.Slow, "--slow", "10%", 0.1, "101%"),
        (own.Dead, "--dead", "10%", 0.1, "-1%"),
        (own.HostsCount, "--hosts-count", "1000000", 1_000_000, "1000001"),
    ],
)
def test_a_value_is_checked_wherever_it_comes_from(kind: Any, name: str, good: str, value: object, bad: str) -> None:
    variable = "MPBOOT_" + name[2:].upper().replace("-", "_")
    assert read(kind) is None
    assert read(kind, name, good) == value
    assert read(kind, **{variable: good}) == value
    assert "must be" in read(kind, name, bad)
    assert "must be" in read(kind, **{variable: bad})


@pytest.mark.parametrize(("variable", "on"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_of_a_flag(variable: str, on: bool) -> None:
    assert read(arguments.Quiet, default=False, MPBOOT_QUIET=variable) is on


@pytest.mark.parametrize("name", ["Attach", "Quiet", "Verbose", "Everybody", "KillHung", "Yes", "Simulate"])
def test_a_flag_that_is_not_given_is_off(name: str) -> None:
    assert read(getattr(arguments, name, None) or getattr(own, name), default=False) is False


def test_a_short_name() -> None:
    assert read(arguments.Verbose, "-v", default=False) is True
    assert read(arguments.Verbose, default=False, MPBOOT_VERBOSE="1") is True


def test_process_numbers() -> None:
    assert read(own.Pids, "1", "22") == [1, 22]
    assert not read(own.Pids)
    assert "must be a number from 1" in read(own.Pids, "0")
