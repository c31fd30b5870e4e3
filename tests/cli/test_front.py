"""How the command line is read: which command is meant, what belongs to the hosts, what --help shows."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from mpboot.cli.front import Front


@click.group(cls=Front)
@click.version_option("7")
def group() -> None:
    """A group with two commands."""


@group.command("boot")
@click.argument("hostfile", required=False)
@click.option("--timeout", help="So long.")
@click.pass_obj
def boot(command: list[str] | None, hostfile: str | None, timeout: str | None) -> None:
    click.echo(("boot", hostfile, timeout, command))


@group.command("apply")
@click.pass_obj
def apply(command: list[str] | None) -> None:
    click.echo(("apply", command))


def said(*words: str) -> str:
    return CliRunner().invoke(group, words).output.strip()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], ("boot", None, None, None)),
        (["hosts"], ("boot", "hosts", None, None)),
        (["boot", "hosts"], ("boot", "hosts", None, None)),
        (["--timeout", "3"], ("boot", None, "3", None)),
        (["boots"], ("boot", "boots", None, None)),
        (["./apply"], ("boot", "./apply", None, None)),
        (["apply"], ("apply", None)),
        (["hosts", "--", "ls", "-l"], ("boot", "hosts", None, ["ls", "-l"])),
        (["--", "ls"], ("boot", None, None, ["ls"])),
        (["hosts", "--", "sh", "--", "apply"], ("boot", "hosts", None, ["sh", "--", "apply"])),
        (["hosts", "--"], ("boot", "hosts", None, [])),
        (["apply", "--", "ls"], ("apply", ["ls"])),
        (["--", "--help"], ("boot", None, None, ["--help"])),
    ],
)
def test_which_command_is_meant(words: list[str], meant: tuple[Any, ...]) -> None:
    assert said(*words) == str(meant)


def test_options_in_front_of_a_command() -> None:
    assert said("--version").endswith("7")
    assert said("--help").startswith("Usage:")


def test_help_shows_the_commands_in_their_order_and_the_options_of_boot() -> None:
    lines = said("--help").splitlines()
    assert lines[0].endswith("[boot] [HOSTFILE] [OPTIONS] [-- COMMAND …]")
    words = [line.split()[0] for line in lines if line.startswith("  ")]
    assert words.index("boot") < words.index("apply")
    options = lines[lines.index("Options of boot:") + 1 :]
    assert [line.split() for line in options] == [["--timeout", "TEXT", "So", "long."]]


class TestCompletion:
    def offered(self, incomplete: str) -> list[str]:
        with click.Context(group, info_name="mpboot") as context:
            return [item.value for item in group.shell_complete(context, incomplete)]

    def test_of_commands(self) -> None:
        assert self.offered("ap") == ["apply"]

    def test_of_what_begins_the_arguments_of_boot(self) -> None:
        assert self.offered("--t") == ["--timeout"]

    def test_each_once(self) -> None:
        found = self.offered("--")
        assert sorted(found) == sorted(set(found))
        assert {"--help", "--version", "--timeout"} <= set(found)
