"""Which ways the commands' output goes, as the options say it: for a boot's command and for any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpboot.cli.output import Lines, Output

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.net.loop import Loop


def choose(out: Sink, err: Sink, gather: bool, directory: str | None, hosts: Sequence[str]) -> Output:
    """The Output for ``--gather`` and ``--output-dir``; ``hosts``: the labels of all whose output may come.

    OutputError where the directory can't be made: nothing should be started then.
    """
    ways: list[Output] = []
    if directory is not None:
        from mpboot.cli.output_dir import OutputDir

        ways.append(OutputDir(directory))
    if gather:
        from mpboot.cli.gathered import Gathered

        ways.append(Gathered(out, err, hosts))
    return Several(ways) if len(ways) > 1 else ways[0] if ways else Lines(out, err, hosts)


class Several(Output):
    """All that comes goes each of these ways."""

    def __init__(self, ways: Sequence[Output]) -> None:
        """``ways``: each gets the output, in this order."""
        super().__init__()
        self._ways = ways
        for way in ways:  # what they call is known later
            way.clear = lambda: self.clear()  # noqa: PLW0108
            way.say = lambda line: self.say(line)  # noqa: PLW0108

    @property
    def full(self) -> bool:
        """Does one of them wait?"""
        return any(way.full for way in self._ways)

    @property
    def complaint(self) -> str:
        """What they have to complain of."""
        return "; ".join(way.complaint for way in self._ways if way.complaint)

    @property
    def spoilt(self) -> list[str]:
        """The hosts of whose output something could not be written."""
        return list(dict.fromkeys(host for way in self._ways for host in way.spoilt))

    def attach(self, loop: Loop | None) -> None:
        """Pass it on."""
        for way in self._ways:
            way.attach(loop)

    def started(self, host: str) -> None:
        """Pass it on."""
        for way in self._ways:
            way.started(host)

    def line(self, host: str, stream: int, line: bytes, whole: bool = True) -> None:
        """Pass it on."""
        for way in self._ways:
            way.line(host, stream, line, whole)

    def ended(self, host: str, code: int | None) -> None:
        """Pass it on."""
        for way in self._ways:
            way.ended(host, code)

    def finish(self, patience: float | None = None) -> list[str]:
        """Finish each."""
        return list(dict.fromkeys(host for way in self._ways for host in way.finish(patience)))
