"""How the command line is read: which command is meant, what belongs to the hosts, what --help shows."""

from __future__ import annotations

from typing import Any

import typer.core

DEFAULT_COMMAND = "boot"
OF_THE_FRONT = ("--help", "--version", "--install-completion", "--show-completion")


def _unconverted(params: Any) -> Any:
    """The parameters, taking values as they come where they are text, or not given: typer's converter loads slowly."""
    for param in params:
        if "process_value" not in vars(param):
            param.process_value = _Unconverted(param)
    return params


class _Unconverted:
    def __init__(self, param: Any) -> None:
        self._param = param
        self._convert = param.process_value

    def __call__(self, ctx: Any, value: Any) -> Any:
        if value is None or (isinstance(value, str) and not getattr(self._param, "is_flag", False)):
            return value if self._param.callback is None else self._param.callback(ctx, self._param, value)
        return self._convert(ctx, value)


class Command(typer.core.TyperCommand):
    """A command whose values are all text or flags."""

    def get_params(self, ctx: Any) -> Any:
        """What it takes."""
        return _unconverted(super().get_params(ctx))


class Front(typer.core.TyperGroup):
    """The group of commands: the first word that is none of them begins the arguments of `boot`."""

    def get_params(self, ctx: Any) -> Any:
        """What it takes before a command."""
        return _unconverted(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take off the COMMAND behind `--`, and see which command of mpboot's is meant."""
        if "--" in args:
            at = args.index("--")
            args, ctx.obj = args[:at], args[at + 1 :]
        chosen = bool(args) and (args[0] in self.commands or args[0] in OF_THE_FRONT)
        if not chosen and (args or not ctx.resilient_parsing):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The usage line."""
        return ["[boot] [HOSTFILE] [OPTIONS] [-- COMMAND …]"]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands, and the options of the one that is nearly always meant."""
        super().format_options(ctx, formatter)
        boot = self.commands[DEFAULT_COMMAND]
        with type(ctx)(boot, info_name=DEFAULT_COMMAND, parent=ctx) as inner:
            records = [param.get_help_record(inner) for param in boot.get_params(inner)]
            with formatter.section("Options of boot"):
                formatter.write_dl([record for record in records if record and not record[0].startswith("--help")])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The commands, and what could begin the arguments of `boot`."""
        boot = self.commands[DEFAULT_COMMAND]
        with type(ctx)(boot, info_name=DEFAULT_COMMAND, parent=ctx, resilient_parsing=True) as inner:
            more = boot.shell_complete(inner, incomplete)
        found = super().shell_complete(ctx, incomplete)
        known = {item.value for item in found}
        return [*found, *(item for item in more if item.value not in known)]
