"""Variables of the environment: those that were meant for mpboot and are misspelt, and those that gave an option."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

PREFIX = "MPBOOT_"
# What mpboot itself gives to commands, and `mpboot env` to a shell: no options, or one that is known anyway.
GIVEN = ("MPBOOT_RANK", "MPBOOT_SIZE", "MPBOOT_HOST", "MPBOOT_SESSION", "MPBOOT_TOKEN")
OTHERS = {"MPBOOT_NAME": "SESSION"}  # what the rule would give for an option whose variable has another name
LIKE = 0.8  # how alike, from 0 to 1, a misspelt name and what was meant are; a program's own are less


def misspelt(environ: Mapping[str, str], known: Collection[str]) -> str:
    """A line about variables that are nearly those of options, or an empty text; ``known``: the variables of all."""
    strange = sorted({name for name in environ if name.upper().startswith(PREFIX)} - {*known, *GIVEN})
    if not strange:
        return ""
    from difflib import get_close_matches

    bare = [name[len(PREFIX) :] for name in (*known, *GIVEN)]
    near = {name: get_close_matches(name[len(PREFIX) :].upper(), bare, 1, LIKE) for name in strange}
    near.update({name: [OTHERS[name]] for name in strange if name in OTHERS})
    pairs = [f"{name} (did you mean {PREFIX}{meant[0]}?)" for name, meant in near.items() if meant]
    return f"warning: no variable of mpboot's: {', '.join(pairs)}" if pairs else ""


def named(text: str, ctx: Any) -> str:
    """A line about options, with the variable behind each option whose value came from there."""
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name)
        if param.envvar and source is not None and source.name == "ENVIRONMENT":
            option = max(param.opts, key=len)
            text = re.sub(rf"(?<![\w-]){option}(?![\w-])(?! \()", f"{option} ({param.envvar})", text, count=1)
    return text
