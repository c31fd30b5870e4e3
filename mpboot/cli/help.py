"""The help of a command: at most 80 columns, options in groups, then variables, exit codes and examples."""

from __future__ import annotations

from typing import Any

import typer.core

from mpboot.cli import about, variables
from mpboot.cli.codes import UsageError

SAME = "plan also takes all other options of boot, and -- COMMAND; they change nothing."


class Command(typer.core.TyperCommand):
    """A command whose help is grouped, and that names the variable where one has given what is wrong."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise type(error)(variables.named(str(error), ctx)) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name in its usage."""
        usage = about.USAGE.get(str(self.name))
        pieces: list[str] = super().collect_usage_pieces(ctx)
        return [usage] if usage else pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options."""
        arguments = [param.get_help_record(ctx) for param in self.params if param.param_type_name == "argument"]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        write_options(self.get_params(ctx), ctx, formatter)
        if self.name == "plan":
            formatter.write_paragraph()
            formatter.write_text(SAME)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Examples, variables, exit codes."""
        write_examples(str(self.name), formatter)
        write_rest(str(self.name), self.params, formatter)


def write_options(params: list[Any], ctx: Any, formatter: Any) -> None:
    """The groups of options, as tables."""
    for title, found in about.groups(params):
        with formatter.section(title):
            formatter.write_dl([record for param in found if (record := param.get_help_record(ctx))])


def write_examples(command: str, formatter: Any) -> None:
    """The examples of a command."""
    rows = about.COMMANDS[command].examples if command in about.COMMANDS else ()
    if rows:
        with formatter.section("Examples"):
            formatter.write_dl(rows, col_max=42)


def write_rest(command: str, params: list[Any], formatter: Any) -> None:
    """Variables and exit codes."""
    text, others = about.by_variables(params), about.variables(command)
    if text or others:
        with formatter.section("Environment"):
            if text:
                formatter.write_text(text)
            if others:
                formatter.write_dl(others)
    if command in about.COMMANDS:
        with formatter.section("Exit codes"):
            formatter.write_dl(about.COMMANDS[command].exits)
