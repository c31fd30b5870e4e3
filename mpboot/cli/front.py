"""How the command line is read: which command is meant, what belongs to the hosts, what --help shows."""

from __future__ import annotations

from typing import Any

import typer
import typer.core

from mpboot.cli import habits

DEFAULT_COMMAND = "boot"


class Front(typer.core.TyperGroup):
    """The group of commands: the first word that is none of them begins the arguments of `boot`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take off the COMMAND behind `--`, and see which command of mpboot's is meant."""
        if "--" in args:
            at = args.index("--")
            args, ctx.obj = args[:at], args[at + 1 :]
        own = [name for param in self.get_params(ctx) for name in param.opts]
        chosen = bool(args) and (args[0] in self.commands or args[0] in own)
        if not chosen and (args or not ctx.resilient_parsing):
            args = [DEFAULT_COMMAND, *args]
        if args[:1] == [DEFAULT_COMMAND] and not ctx.resilient_parsing:
            boot = self.commands[DEFAULT_COMMAND]
            with typer.Context(boot, parent=ctx, info_name=DEFAULT_COMMAND) as inner:
                habits.check_arguments(args[1:], boot.get_params(inner), ctx.obj is not None)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The commands, those first that are used most."""
        return list(self.commands)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """What stands behind `Usage:` in the help."""
        return ["[boot] [HOSTFILE] [OPTIONS] [-- COMMAND …]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the commands, and the options of the one that is nearly always meant."""
        super().format_options(ctx, formatter)
        boot = self.commands[DEFAULT_COMMAND]
        with typer.Context(boot, parent=ctx, info_name=DEFAULT_COMMAND) as inner:
            records = [param.get_help_record(inner) for param in boot.params if param.param_type_name == "option"]
            with formatter.section("Options of boot"):
                formatter.write_dl([record for record in records if record])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer the commands, and what could begin the arguments of `boot`."""
        boot = self.commands[DEFAULT_COMMAND]
        with typer.Context(boot, parent=ctx, info_name=DEFAULT_COMMAND, resilient_parsing=True) as inner:
            more = boot.shell_complete(inner, incomplete)
        found = super().shell_complete(ctx, incomplete)
        known = {item.value for item in found}
        return [*found, *(item for item in more if item.value not in known)]
