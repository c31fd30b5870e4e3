"""The options of all commands: their variables, their help, what a shell is offered."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from mpboot.cli import arguments
from mpboot.cli.main import app

ONLY_TYPED = {"--version", "--install-completion", "--show-completion", "--kill-hung", "--yes"}


def options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option)]


EVERY = [(name, option) for name, command in app.commands.items() for option in options(command)]


def read(decorator: Any, *words: str, **variables: str) -> Any:
    """What a command with this argument or option is given, or its complaint."""
    got: list[Any] = []

    def command(**given: Any) -> None:
        got.extend(given.values())

    result = CliRunner().invoke(click.command("x")(decorator(command)), words, env={**variables})
    return got[0] if got else result.output


@pytest.mark.parametrize(("command", "option"), EVERY, ids=[f"{name} {option.opts[0]}" for name, option in EVERY])
def test_an_option_has_help_and_its_variable(command: str, option: click.Option) -> None:
    long = max(option.opts, key=len)
    variable = "MPBOOT_" + long[2:].upper().replace("-", "_")
    unlisted = long in ONLY_TYPED or (command, long) == ("inspect", "--json")  # which is a flag there
    assert option.envvar == (None if unlisted else variable)
    assert option.help
    assert option.help.endswith((".", "]", ")"))
    assert option.is_flag or option.metavar


def test_the_commands_have_the_options_that_they_share() -> None:
    names = {name: {option.opts[0] for option in options(command)} for name, command in app.commands.items()}
    assert {"--hosts", "--children", "--topology", "--json"} == names["boot"] & names["plan"]
    assert {"--json"} == names["boot"] & names["inspect"]


@pytest.mark.parametrize(
    ("decorator", "name", "good", "value", "bad"),
    [
        (arguments.children, "--children", "auto", 0, "0"),
        (arguments.topology, "--topology", "ring", "ring", "star"),
        (arguments.timeout, "--timeout", "0.5", 0.5, "0"),
        (arguments.deadline, "--deadline", "9", 9.0, "inf"),
        (arguments.wait_for, "--wait-for", "0", 0.0, "-1"),
        (arguments.retries, "--retries", "20", 20, "21"),
        (arguments.user, "--user", "joe", "joe", "-x"),
        (arguments.transport, "--transport", "stdio", "stdio", "udp"),
        (arguments.shell_probe, "--shell-probe", "none", "none", "maybe"),
        (arguments.interval, "--interval", "2", 2.0, "0"),
        (arguments.patience, "--patience", "2", 2.0, "0"),
        (arguments.cost, "--cost", "0.1", 0.1, "0"),
        (arguments.latency, "--latency", "report", "report", "0"),
        (arguments.slow, "--slow", "10%", 0.1, "101%"),
        (arguments.dead, "--dead", "10%", 0.1, "-1%"),
        (arguments.hosts_count, "--hosts-count", "1000000", 1_000_000, "1000001"),
    ],
)
def test_a_value_is_checked_wherever_it_comes_from(
    decorator: Any, name: str, good: str, value: object, bad: str
) -> None:
    variable = "MPBOOT_" + name[2:].upper().replace("-", "_")
    assert read(decorator) is None
    assert read(decorator, name, good) == value
    assert read(decorator, **{variable: good}) == value
    assert "must be" in read(decorator, name, bad)
    assert "must be" in read(decorator, **{variable: bad})


@pytest.mark.parametrize(("variable", "on"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_of_a_flag(variable: str, on: bool) -> None:
    assert read(arguments.quiet, MPBOOT_QUIET=variable) is on


@pytest.mark.parametrize(
    "name", ["attach", "quiet", "verbose", "everybody", "json_flag", "kill_hung", "yes", "simulate"]
)
def test_a_flag_that_is_not_given_is_off(name: str) -> None:
    assert read(getattr(arguments, name)) is False


def test_a_short_name() -> None:
    assert read(arguments.verbose, "-v") is True
    assert read(arguments.verbose, MPBOOT_VERBOSE="1") is True


def test_process_numbers() -> None:
    assert read(arguments.pids, "1", "22") == (1, 22)
    assert read(arguments.pids) == ()
    assert "must be a number from 1" in read(arguments.pids, "0")


def test_a_shell_is_offered_remote_shells() -> None:
    with click.Context(app.commands["boot"]) as context:
        rsh = next(option for option in options(app.commands["boot"]) if option.name == "rsh")
        assert [item.value for item in rsh.shell_complete(context, "")] == ["ssh", "rsh", "local"]
        assert [item.value for item in rsh.shell_complete(context, "lo")] == ["local"]
