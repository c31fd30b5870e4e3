"""What becomes of the commands' output, whoever runs them: the face of it, and the plainest, lines as they come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Callable

from mpboot.cli.screen import colourless
from mpboot.net.outlet import STDOUT

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink
    from mpboot.net.loop import Loop

LABEL = re.compile(rb"(?:\x1b\[\d+m)?(.*?):(?:\x1b\[0m)? ")  # what stands in front of a line of output
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # of hosts, as terminals number them


class Output:
    """Takes what the commands write. Labels name hosts; what is asked of it never waits, but for ``finish``.

    ``clear``: called before something is written on a terminal, to take off what is drawn there. ``say``: called with a
    line to tell the person, should there be anything to tell.
    """

    def __init__(self) -> None:
        self.clear: Callable[[], None] = lambda: None
        self.say: Callable[[str], None] = lambda _: None

    @property
    def full(self) -> bool:
        """Is there output that waits for its reader? Then no more is to come; a Sink's ``drained`` tells of the end."""
        return False

    @property
    def complaint(self) -> str:
        """A line that says what could not be written, what the sinks say apart; empty if nothing was lost."""
        return ""

    @property
    def spoilt(self) -> list[str]:
        """The hosts of whose output that is true."""
        return []

    def attach(self, loop: Loop | None) -> None:
        """Do what need not be done at once when the loop has time, from now on; with None, at once."""

    def started(self, host: str) -> None:
        """The command was started on a host."""

    def line(self, host: str, stream: int, line: bytes, whole: bool = True) -> None:
        """A line (without its end) of stdout (1) or stderr (2); where it is not ``whole``, no end of it follows."""

    def ended(self, host: str, code: int | None) -> None:
        """The command has ended on a host, and all of its output has come; None: its exit code is not known."""

    def finish(self, patience: float | None = None) -> list[str]:  # noqa: ARG002
        """No more comes: write all that is left, with so many seconds for its reader; None: as long as he takes.

        Called once, when the sinks are attached to no loop. Returns the hosts whose output was not all written in time.
        """
        return []


class Lines(Output):
    """Each line as it comes, with its host in front, stdout and stderr kept apart."""

    def __init__(self, out: Sink, err: Sink, hosts: Sequence[str] = ()) -> None:
        """``hosts``: all whose output may come."""
        super().__init__()
        self._out, self._err = out, err
        self._hosts = hosts
        self._labels = Labels()

    @property
    def full(self) -> bool:
        """Does anything wait in a sink?"""
        return bool(self._out.pending or self._err.pending)

    def line(self, host: str, stream: int, line: bytes, whole: bool = True) -> None:  # noqa: ARG002
        """Write it; a line's part is a line here."""
        sink = self._out if stream == STDOUT else self._err
        if sink.is_terminal:
            self.clear()
            sink.write(self._labels.coloured(host, line))
        else:
            if sink.is_pipe:
                self.clear()  # whoever reads it may write to the terminal
            sink.write(encoded(host) + b": " + line + b"\n")

    def finish(self, patience: float | None = None) -> list[str]:
        """Have the rest read."""
        end = None if patience is None else monotonic() + patience
        forgotten = self._out.flush(patience)
        forgotten += self._err.flush(None if end is None else max(0.0, end - monotonic()))
        return self._hosts_in(forgotten) if forgotten else []

    def _hosts_in(self, output: bytes) -> list[str]:
        known = {encoded(host): host for host in self._hosts}
        found = (LABEL.match(line) for line in output.splitlines())
        return list(dict.fromkeys(known[one[1]] for one in found if one is not None and one[1] in known))


class Labels:
    """The hosts' names in front of their output on a terminal, each in a colour of its own where there are any."""

    def __init__(self) -> None:
        self._plain = colourless()
        self._colours: dict[str, int] = {}

    def coloured(self, host: str, line: bytes) -> bytes:
        """A line of output with its host in front; colours that the line sets end with it."""
        label = encoded(host) + b":"
        if not self._plain:
            colour = self._colours.setdefault(host, COLOURS[len(self._colours) % len(COLOURS)])
            label = b"\x1b[%dm%s\x1b[0m" % (colour, label)
        reset = b"\x1b[0m" if b"\x1b" in line else b""
        return b"%s %s%s\n" % (label, line, reset)


def encoded(label: str) -> bytes:
    """A host's label as it is written."""
    return label.encode("utf-8", "backslashreplace")
