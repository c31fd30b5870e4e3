"""How the command line is read: which command is meant, what belongs to the hosts, what --help shows."""

# No postponed annotations: typer does not evaluate them on Python 3.9.
from typing import Annotated, Any, Optional

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from mpboot.cli.front import Front

app = typer.Typer(cls=Front, rich_markup_mode=None)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo("7")
        raise typer.Exit


@app.callback()
def group(version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True)] = False) -> None:
    """A group with two commands."""
    assert not version


@app.command("boot")
def boot(
    ctx: typer.Context,
    hostfile: Annotated[Optional[str], typer.Argument()] = None,
    timeout: Annotated[Optional[str], typer.Option(metavar="TEXT", help="So long.")] = None,
) -> None:
    typer.echo(("boot", hostfile, timeout, ctx.obj))


@app.command("apply")
def apply(ctx: typer.Context) -> None:
    typer.echo(("apply", ctx.obj))


def said(*words: str) -> str:
    return CliRunner().invoke(app, words).output.strip()


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
    options = lines[lines.index("Launches:") + 1 :]
    assert options[0].split() == ["--timeout", "TEXT", "So", "long."]
