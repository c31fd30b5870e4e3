"""The command explain: what a cause means, how to look, and what helps, out of the documentation."""

import difflib
import pkgutil
import re
import textwrap
from typing import Annotated, Optional

import typer

from mpboot.cli.codes import UsageError
from mpboot.cli.sink import write_all
from mpboot.tree import causes

WIDTH = 80
PAGE = "troubleshooting.md"
_MORE = re.compile(r"\s+More: \[[^]]*\]\([^)]*\)\.")  # leads to a page that is not installed


def explain_command(
    cause: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="CAUSE…", show_default=False, help="A cause, as a report names it; none for all."),
    ] = None,
) -> int:
    """Tell what a cause means, how to look, and what helps."""
    for word in cause or ():
        if word not in causes.ALL:
            near = difflib.get_close_matches(word.lower(), causes.ALL, 1)
            hint = f"did you mean {near[0]}?" if near else f"the causes are {', '.join(causes.ALL)}"
            raise UsageError(f"{word} is no cause: {hint}")
    found = sections(page())
    texts = (f"{word}\n\n{found[word]}" for word in dict.fromkeys(cause or causes.ALL))
    return write_all("\n\n".join(texts).encode() + b"\n")


def page() -> str:
    """The page, also where mpboot is one file."""
    return (pkgutil.get_data("mpboot", PAGE) or b"").decode()


def sections(page: str) -> dict[str, str]:
    """The text of each section of a page, by its heading, as plain text."""
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    return {title: _plain(_MORE.sub("", text).replace("**", "")) for title, text in zip(parts[1::2], parts[2::2])}


def _plain(text: str) -> str:
    blocks = re.split(r"\n\n|\n(?=- )", text.strip())
    return "\n\n".join(
        textwrap.fill(
            " ".join(block.split()), WIDTH, subsequent_indent="  " * block.startswith("- "), break_on_hyphens=False
        )
        for block in blocks
    )
