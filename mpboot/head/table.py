"""The table of what failed in a boot, for people: folded by cause and by detail, escapes harmless, advice for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Protocol

from mpboot.advice import ADVICE, advice
from mpboot.text import fold, printable
from mpboot.tree import causes

DETAILS = 5  # different details shown of one cause
NARROWEST = 40  # columns that are used even of a terminal that has fewer

_ADDRESS = re.compile(r"\[?\b(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,})\]?(?::\d+)?\b")
_WORD = re.compile(r"[\w.-]+")
_SECONDS = re.compile(r"\b\d+(?:\.\d+)? ?(?:s|ms|seconds)\b")
_PORT = re.compile(r"\bport \d+\b")


class Failure(Protocol):
    """What the table tells of a host that failed."""

    cause: str
    detail: str
    evidence: str
    launcher: str


def failure_table(
    failures: Mapping[str, Failure], width: int | None, verbose: bool, several: bool = False, rsh: str = "ssh"
) -> list[str]:
    """The lines of the table, printable; none if nothing failed. ``failures``: by label.

    ``width``: columns to wrap at, None for never. ``verbose``: tracebacks and rsh's stderr too. ``several``: not only
    the head has launched others, so it is told who tried last. ``rsh``: the command line of the launches.
    """
    lines: list[str] = []
    for cause in causes.ALL:
        failed = {label: failure for label, failure in failures.items() if failure.cause == cause}
        groups = _alike(failed)
        for number, (labels, detail) in enumerate(groups):
            if number == DETAILS and not verbose and len(groups) > DETAILS + 1:
                rest = [label for more, _ in groups[number:] for label in more]
                lines += _row(cause, fold(rest), f"{len(groups) - number} other details; -v shows them", width)
                break
            who = _tried_last([failed[label].launcher for label in labels]) if several else ""
            lines += _row(cause, fold(labels) + who, detail if verbose else _last_line(detail), width)
            if verbose:
                lines += _quoted(detail, failed[labels[0]].evidence)
        for text in dict.fromkeys(advice(cause, failed[labels[0]].detail, rsh) for labels, _ in groups):
            lines += _hanging("    -> ", text, width) if text else []
    told = [cause for cause in causes.ALL if ADVICE[cause] and any(one.cause == cause for one in failures.values())]
    return lines + (_hanging("    -> ", f"more: mpboot explain {' '.join(told)}", width) if told else [])


def _tried_last(launchers: Sequence[str]) -> str:
    """Whose attempt was the last, if anybody's was."""
    names = sorted({*launchers} - {""})
    return f" (last tried from {fold(names)})" if names else ""


def _alike(failed: Mapping[str, Failure]) -> list[tuple[list[str], str]]:
    """(labels, detail) for each detail that differs in more than host, address or seconds; the largest first."""
    groups: dict[str, list[str]] = {}
    for label, failure in failed.items():
        groups.setdefault(_essence(label, failure.detail), []).append(label)
    found = []
    for labels in groups.values():
        details = {failed[label].detail for label in labels}
        first = failed[labels[0]].detail
        found.append((labels, first if len(details) == 1 else f"e.g. {first}"))
    return sorted(found, key=lambda group: -len(group[0]))


def _essence(label: str, detail: str) -> str:
    names = _WORD.findall(label)
    for pattern in (_ADDRESS, _SECONDS, _PORT):
        detail = pattern.sub("<>", detail)
    return _WORD.sub(lambda word: "<>" if word.group().rstrip(".") in names else word.group(), detail)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("e.g. "):
        return "e.g. " + lines[-1]
    return lines[-1] if lines else ""


def _row(cause: str, hosts: str, detail: str, width: int | None) -> Iterator[str]:
    head, *tail = detail.splitlines() or [""]
    indent = f"{cause:<17}  "
    yield from _hanging(indent, printable(f"{hosts}  {head}".rstrip()), width)
    for line in tail:
        yield "    | " + printable(line.rstrip())


def _quoted(detail: str, evidence: str) -> Sequence[str]:
    lines = [line.rstrip() for line in evidence.splitlines() if line.strip()]
    return ["    | " + printable(line) for line in lines if line.strip() not in detail]


def _hanging(indent: str, text: str, width: int | None) -> list[str]:
    if width is None or len(indent) + len(text) <= width:
        return [indent + text]
    return wrap(text, max(width, NARROWEST), initial_indent=indent, subsequent_indent=" " * len(indent),
                break_long_words=False, break_on_hyphens=False)  # fmt: skip
