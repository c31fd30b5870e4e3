"""How the command line is read: which command is meant, what belongs to the hosts, what --help shows."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
import typer.core

from mpboot.cli import about, habits, help, variables, words
from mpboot.cli.codes import UsageError
from mpboot.text import printable

DEFAULT_COMMAND = "boot"


class Front(typer.core.TyperGroup):
    """The group of commands: the first word that is none of them begins the arguments of `boot`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        plan, boot = self.commands.get("plan"), self.commands.get(DEFAULT_COMMAND)
        if plan is not None and boot is not None:
            known = words.options_of(plan.params)
            params = [param for param in boot.params if param.param_type_name == "option"]
            plan.params += [_accepted(param) for param in params if param.opts[0] not in known]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take off the COMMAND behind `--`, and see which command of mpboot's is meant."""
        behind: list[str] | None = None
        if "--" in args:
            at = args.index("--")
            args, behind = args[:at], args[at + 1 :]
        ctx.obj = behind
        if args[:1] == ["help"] and not os.path.lexists("help"):
            args = [*(args[1:2] if args[1:2] and args[1] in self.commands else []), "--help"]
        own = [name for param in self.get_params(ctx) for name in param.opts]
        if args and args[0] in words.FLAGS:
            return super().parse_args(ctx, args[:1])
        if args and args[0].partition("=")[0] in words.COMPLETION:
            name, equals, shell = args[0].partition("=")
            if len(args) + bool(equals) > 2:
                raise UsageError(f"{name} takes one shell: {', '.join(words.COMPLETED)}")
            return super().parse_args(ctx, [f"{name}={shell or ''.join(args[1:])}"])
        if args and args[0] in own:
            return super().parse_args(ctx, args)
        typed = bool(args) and args[0] in self.commands
        name, *rest = args if typed else [DEFAULT_COMMAND, *args]
        every = {name: words.options_of(command.params) for name, command in self.commands.items()}
        rest = habits.settle(name, rest, every, _room(self.commands[name]), behind, typed)
        if rest == ["--version"]:
            return super().parse_args(ctx, rest)
        self._say_misspelt(every, name, words.read(rest, every[name]))
        if name in habits.MOVES and behind is not None:
            rest = [*rest, "--", *behind]
        return super().parse_args(ctx, [name, *rest])

    def _say_misspelt(self, every: Mapping[str, Mapping[str, Any]], name: str, typed: Sequence[words.Word]) -> None:
        """Say which variables look misspelt, but where it is to be quiet."""
        known = {option: {str(one.envvar) for one in every[option].values() if one.envvar} for option in every}
        elsewhere = {*variables.OTHERS} - known[name]  # it is known to another command, and means something else there
        line = variables.misspelt(os.environ, set().union(*known.values()) - elsewhere)
        quiet = os.environ.get("MPBOOT_QUIET", "").lower() in ("1", "true", "t", "yes", "y", "on")
        if line and not quiet and not any(one.name == "--quiet" for one in typed):
            sys.stderr.write(f"mpboot: {printable(line)}\n")

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The commands, those first that are used most."""
        return list(self.commands)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """What stands behind `Usage:` in the help."""
        return [f"[{DEFAULT_COMMAND}] {about.USAGE[DEFAULT_COMMAND]}"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the commands, and the options of the one that is nearly always meant."""
        help.write_examples(DEFAULT_COMMAND, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(200)) for name, command in self.commands.items()])
        boot = self.commands[DEFAULT_COMMAND]
        with typer.Context(boot, parent=ctx, info_name=DEFAULT_COMMAND) as inner:
            help.write_options(boot.params, inner, formatter)
        help.write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Variables and exit codes of that one."""
        help.write_rest(DEFAULT_COMMAND, self.commands[DEFAULT_COMMAND].params, formatter)


def _accepted(param: Any) -> Any:
    """An option of boot's as plan has it: its value is read, and means nothing; its help is that of boot."""
    param = copy.copy(param)
    param.expose_value, param.hidden = False, True
    return param


def _room(command: Any) -> int | None:
    """How many words a command takes that are no options; None for any number."""
    sizes = [param.nargs for param in command.params if param.param_type_name == "argument"]
    return None if -1 in sizes else sum(sizes)
