"""Completion for the shell in use: click has the scripts, here is where they go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import click

from mpboot.cli.codes import UsageError

VARIABLE = "_MPBOOT_COMPLETE"  # by which a shell asks mpboot what could follow


class Place(NamedTuple):
    """Where a shell's completion goes, below the user's home."""

    script: str
    startup: str = ""  # the file that a shell reads when it starts, where it has to be told of the script
    line: str = ""  # what it is told there


PLACES = {
    "bash": Place(".bash_completions/mpboot.sh", ".bashrc", "source {script}"),
    "zsh": Place(".zfunc/_mpboot", ".zshrc", "autoload -Uz compinit; compinit; source {script}"),
    "fish": Place(".config/fish/completions/mpboot.fish"),
}


def shell_in_use() -> str:
    """The shell that mpboot was typed in, or the user's login shell where it was typed in none."""
    import psutil

    above = [process.name() for process in psutil.Process().parents()]
    login = Path(os.environ.get("SHELL", "")).name
    for name in [*above, login]:
        if name in PLACES:
            return name
    raise UsageError(f"completion is there for {', '.join(PLACES)}, and this is none of them")


def script_of(shell: str, command: click.Command) -> str:
    """The shell's code that has it ask mpboot."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    return kind(command, {}, "mpboot", VARIABLE).source()


def install(shell: str, text: str, home: Path) -> Path:
    """Write the script, and have the shell read it when it starts; returns where it is."""
    place = PLACES[shell]
    path = home / place.script
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if place.startup:
        startup = home / place.startup
        line = place.line.format(script=f"'{path}'")
        before = startup.read_text(errors="replace") if startup.exists() else ""
        if line not in before.splitlines():
            with startup.open("a") as file:
                file.write(("" if before.endswith("\n") or not before else "\n") + line + "\n")
    return path


def show_option(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    """--show-completion: print the script."""
    if wanted:
        click.echo(script_of(shell_in_use(), ctx.command))
        ctx.exit()


def install_option(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    """--install-completion: put it where the shell finds it."""
    if not wanted:
        return
    shell = shell_in_use()
    try:
        path = install(shell, script_of(shell, ctx.command), Path.home())
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}: --show-completion prints what belongs there") from None
    click.echo(f"{shell} completion is in {path}: it is there in the next shell that you start")
    ctx.exit()
