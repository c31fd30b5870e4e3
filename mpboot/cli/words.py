"""A command's words, sorted as typer will read them: options, their values, and words that are neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FLAGS = ("--help", "-h", "--version", "-V")  # understood by every command
COMPLETED = ("bash", "zsh", "fish")  # shells
COMPLETION = ("--install-completion", "--show-completion")
ASKED = "_MPBOOT_OFFER"  # the variable by which a shell asks what may come next
# Other launchers' options, in one word.
ONE_DASH = (
    "-host", "-hosts", "-hostfile", "-machinefile", "-np", "-map-by", "-bind-to", "-ppn", "-wdir", "-genv", "-env",
)  # fmt: skip


@dataclass(frozen=True)
class Word:
    """An option, or (``name`` is empty) a word that is none.

    ``at``: where it stands. ``value``: what follows an option that takes one, or None. ``param``: the command's own
    option, as typer has it; None for a foreign one and for the FLAGS. ``apart``: the value is a word of its own.
    """

    at: int
    name: str = ""
    value: str | None = None
    param: Any = None
    apart: bool = False

    @property
    def is_foreign(self) -> bool:
        """Is it an option that the command has not?"""
        return bool(self.name) and self.param is None and self.name not in FLAGS

    @property
    def lacks_value(self) -> bool:
        """Does it take a value, and has none?"""
        return self.param is not None and not self.param.is_flag and self.value is None


def options_of(params: Iterable[Any]) -> dict[str, Any]:
    """The options of a command by each of their names."""
    return {name: param for param in params if param.param_type_name == "option" for name in param.opts}


def read(args: Sequence[str], options: Mapping[str, Any]) -> list[Word]:
    """The words of a command line, without its ``--`` and what follows; ``options`` by name."""
    found: list[Word] = []
    at = 0
    while at < len(args):
        word = args[at]
        if word == "-" or not word.startswith("-"):
            found.append(Word(at))
        elif word.startswith("--"):
            found.append(_long(word, at, args, options))
        else:
            found += _letters(word, at, args, options)
        at += 2 if found[-1].apart else 1
    return found


def _long(word: str, at: int, args: Sequence[str], options: Mapping[str, Any]) -> Word:
    """An option such as --timeout=3, or --timeout and a word behind it."""
    name, equals, value = word.partition("=")
    param = options.get(name)
    if equals or param is None or param.is_flag:
        return Word(at, name, value if equals else None, param)
    return _with_next(name, at, args, param)


def _letters(word: str, at: int, args: Sequence[str], options: Mapping[str, Any]) -> list[Word]:
    """Options of one letter: -v, -bv, -w LIST, -wLIST; a word such as -help is one foreign option."""
    whole = word.partition("=")[0]
    if len(word) > 2 and ("-" + whole in {*options, *FLAGS} or whole in ONE_DASH):
        return [Word(at, whole)]
    found: list[Word] = []
    for place, letter in enumerate(word[1:], 2):
        name = "-" + letter
        param = options.get(name)
        if param is None and name not in FLAGS:
            whole = word if word[1:].isdigit() else name  # a number, as a signal's or a job's
            return [*found, Word(at, whole, word[place:] if whole == name and word[place:] else None)]
        if param is None or param.is_flag:
            found.append(Word(at, name, None, param))
        elif word[place:]:
            return [*found, Word(at, name, word[place:], param)]
        else:
            return [*found, _with_next(name, at, args, param)]
    return found


def _with_next(name: str, at: int, args: Sequence[str], param: Any) -> Word:
    if at + 1 < len(args):
        return Word(at, name, args[at + 1], param, apart=True)
    return Word(at, name, None, param)
