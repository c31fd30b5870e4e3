"""The types of the options' values: click reads and checks them, and what is refused is told in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mpboot.tree.policy import AUTO

if TYPE_CHECKING:
    Type = click.ParamType[Any, Any]
else:
    Type = click.ParamType  # which takes parameters from click 8.4 on only

MAX_SECONDS = 1_000_000
MAX_CHILDREN = 100_000
MAX_PID = 1 << 30


class Worded(Type):
    """One of click's types, which says of whatever it refuses what is wanted instead."""

    def __init__(self, kind: Type, wanted: str) -> None:
        """``wanted``: in words that a sentence with «must be» can end in."""
        self.name = kind.name
        self._kind = kind
        self._wanted = wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value as the type reads it."""
        try:
            return self._kind.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"must be {self._wanted}, not '{value}'", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """What the type offers to a shell."""
        return self._kind.shell_complete(ctx, param, incomplete)


class Number(click.FloatRange):
    """A number within limits; click alone would take «nan», which is within any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


class Children(click.IntRange):
    """How many children a node has, or auto."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; that of auto is 0."""
        return AUTO if value == "auto" else super().convert(value, param, ctx)


class Percentage(Number):
    """A percentage, with or without its sign."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The part of 1."""
        return super().convert(value[:-1] if value.endswith("%") else value, param, ctx) / 100


class SecondsOrFile(Type):
    """A number of seconds, or whatever else as a file's name."""

    name = "seconds or file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or the name."""
        is_number = value.replace(".", "", 1).isdigit()
        return SECONDS.convert(value, param, ctx) if is_number else value


class User(Type):
    """A user's name, which becomes a word of rsh's command line."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name as it is."""
        from mpboot.hosts.syntax import USER as PATTERN

        if not PATTERN.fullmatch(value):
            self.fail("is no name", param, ctx)
        return value


def count(least: int, most: int) -> Worded:
    """A type for a whole number from ``least`` to ``most``."""
    return Worded(click.IntRange(least, most), f"a number from {least} to {most}")


def choice(names: tuple[str, ...]) -> Worded:
    """A type for one of the names, which a shell is offered."""
    return Worded(click.Choice(names), f"one of {', '.join(names)}")


SECONDS = Worded(Number(0, MAX_SECONDS, min_open=True), f"a number of seconds, more than 0 and at most {MAX_SECONDS}")
SECONDS_OR_ZERO = Worded(Number(0, MAX_SECONDS), f"a number of seconds, 0 or more and at most {MAX_SECONDS}")
CHILDREN = Worded(Children(1, MAX_CHILDREN), f"a number from 1 to {MAX_CHILDREN}")
PERCENTAGE = Worded(Percentage(0, 100), "a percentage such as 5%")
USER = Worded(User(), "a user's name: letters, digits, dots, dashes and underscores")
PID = count(1, MAX_PID)


def enough_hosts(quorum: str, total: int) -> int:
    """How many of ``total`` hosts a quorum demands: a number of them, or a percentage, rounded up."""
    percent = quorum.endswith("%")
    kind: Type = Number(0, 100, min_open=True) if percent else click.IntRange(1, total)
    try:
        amount = kind.convert(quorum[:-1] if percent else quorum, None, None)
    except click.BadParameter:
        refuse("--quorum", quorum, f"a number of hosts from 1 to {total}, or a percentage above 0, such as 95%")
    return max(1, math.ceil(round(total * amount / 100, 6))) if percent else int(amount)


def refuse(option: str, value: str, wanted: str) -> NoReturn:
    """Refuse an option's value that could be judged only after others."""
    context = click.get_current_context()
    param = next(param for param in context.command.params if option in param.opts)
    raise click.BadParameter(f"must be {wanted}, not '{value}'", context, param)
