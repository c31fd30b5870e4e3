"""Which ways the commands' output goes, as the options say it: for a boot's command and for any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpboot.cli.output import Lines, Output

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink


def choose(out: Sink, err: Sink, gather: bool, directory: str | None, hosts: Sequence[str]) -> Output:  # noqa: ARG001
    """The Output for ``--gather`` and ``--output-dir``; ``hosts``: the labels of all whose output may come."""
    if gather:
        from mpboot.cli.gathered import Gathered

        return Gathered(out, err, hosts)
    return Lines(out, err, hosts)
