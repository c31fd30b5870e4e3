"""The commands' output gathered: equal outputs once, at the end, under the set of their hosts, as ``clush -b`` does.

Memory has a bound: a host that writes very much is not gathered, its lines are shown as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING, Any

from mpboot.cli.output import Lines, encoded
from mpboot.cli.screen import colourless
from mpboot.net.outlet import STDOUT
from mpboot.text import fold, printable

if TYPE_CHECKING:
    from mpboot.cli.sink import Sink

PIECE = 1 << 13  # bytes in which an output is held
MOST_OF_HOST = 4 << 20  # bytes that are held of one host
MOST = 64 << 20  # and of all, what is equal counted once
SEPARATOR = "-" * 15
COLOUR = 94  # of headers on a terminal, as clush has it


class Gathered(Lines):
    """Standard output is kept until the end, standard error is shown as it comes."""

    def __init__(self, out: Sink, err: Sink, hosts: Sequence[str] = ()) -> None:
        """As Lines has it."""
        super().__init__(out, err, hosts)
        self._order = {host: number for number, host in enumerate(hosts)}
        self._fold = Fold()
        self._begun: dict[str, _Begun] = {}
        self._codes: dict[str, int | None] = {}
        self._let_go: list[str] = []  # hosts that are not gathered any more

    def line(self, host: str, stream: int, line: bytes, whole: bool = True) -> None:
        """Keep it, or show it."""
        begun = self._begun.get(host)
        if stream != STDOUT or (begun is not None and begun.let_go):
            super().line(host, stream, line, whole)
            return
        if begun is None:
            begun = self._begun[host] = _Begun()
        begun.add(line, whole)
        if len(begun.rest) >= PIECE:
            self._keep(host, begun)

    def ended(self, host: str, code: int | None) -> None:
        """Remember how: hosts where all went well come first."""
        self._codes[host] = code

    def finish(self, patience: float | None = None) -> list[str]:
        """Show what was gathered."""
        end = None if patience is None else monotonic() + patience
        cut = super().finish(patience)
        if len(self._let_go) > 1:
            self.say(f"too much output to gather: {fold(self._let_go)}")
        for host, begun in self._begun.items():
            if not begun.let_go:
                self._fold.add(host, bytes(begun.rest))
        unread = False
        for hosts, pieces in sorted(self._fold.groups(), key=self._place):
            if not unread:
                self._show(hosts, pieces)
                unread = bool(self._out.flush(None if end is None else max(0.0, end - monotonic())))
            if unread:
                cut += [host for host in hosts if host not in cut]
        return cut

    # -- inside ------------------------------------------------------------------------------------

    def _keep(self, host: str, begun: _Begun) -> None:
        """Hold whole pieces; where that is too much, show the host's lines from its first on."""
        while len(begun.rest) >= PIECE:
            is_new = self._fold.add(host, bytes(begun.rest[:PIECE]))
            del begun.rest[:PIECE]
            begun.held += PIECE
            if begun.held > MOST_OF_HOST or (is_new and self._fold.size > MOST):
                self._release(host, begun)
                return

    def _release(self, host: str, begun: _Begun) -> None:
        if not self._let_go:
            self.say(f"{printable(host)}: too much output to gather: its lines are shown as they come")
        self._let_go.append(host)
        text = BytesIO(b"".join([*self._fold.take(host), bytes(begun.rest), b"\n"]))
        self._begun[host] = _Begun(let_go=True)
        for line in text:
            super().line(host, STDOUT, line[:-1])

    def _place(self, group: tuple[list[str], list[bytes]]) -> tuple[bool, int, int, int]:
        """Where a group comes: by its best exit code, then the largest, then the first by its hosts' order."""
        hosts = group[0]
        codes = [code for code in map(self._codes.get, hosts) if code is not None]
        return not codes, min(codes, default=0), -len(hosts), min(self._order.get(host, 0) for host in hosts)

    def _show(self, hosts: list[str], pieces: list[bytes]) -> None:
        """Write a group: its header, and the output, which ends with the end of a line."""
        count = f" ({len(hosts)})" if len(hosts) > 1 else ""
        hosts.sort(key=lambda host: self._order.get(host, 0))
        header = encoded(f"{SEPARATOR}\n{printable(fold(hosts))}{count}\n{SEPARATOR}")
        reset = b""
        if self._out.is_terminal:
            if not colourless():
                header = b"\x1b[%dm%s\x1b[0m" % (COLOUR, header)
            reset = b"\x1b[0m" if any(b"\x1b" in piece for piece in pieces) else b""
        self._out.write(header + b"\n")
        for piece in pieces:
            self._out.write(piece)
        self._out.write(reset + b"\n")


class _Begun:
    """What a host has written: the end of it, which fills no piece yet, and how much came before."""

    def __init__(self, let_go: bool = False) -> None:
        self.let_go = let_go
        self.rest = bytearray()
        self.held = 0  # bytes
        self._ended = False  # an end of a line is to follow what is there

    def add(self, line: bytes, whole: bool) -> None:
        """Take a line. An end stands between two lines, and none behind the last, whether there was one or not."""
        self.rest += b"\n" + line if self._ended else line
        self._ended = whole


class Fold:
    """Outputs in pieces, what begins alike held once: ClusterShell's MsgTree, from which one can be taken again."""

    def __init__(self) -> None:
        from ClusterShell.MsgTree import MsgTree

        self.size = 0  # bytes that are held
        self._tree: Any = MsgTree()
        self._top: Any = None  # where the first pieces hang

    def add(self, host: str, piece: bytes) -> bool:
        """Hold a piece of a host's output; was it not there yet?"""
        before = self._tree.get(host, self._top)
        count = len(before.children) if before is not None else 0
        self._tree.add(host, piece)
        parent = self._tree.get(host).parent
        if before is None:
            self._top = parent
        is_new = len(parent.children) > count
        self.size += len(piece) if is_new else 0
        return is_new

    def take(self, host: str) -> list[bytes]:
        """The pieces of a host's output, which is forgotten; what no other output begins with is held no longer."""
        last = self._tree.get(host)
        if last is None:
            return []
        pieces: list[bytes] = list(last.lines())
        self._tree.remove(lambda key: key == host)
        used = {id(element) for _, element in self._tree.items()}
        while last.parent is not None and not last.children and id(last) not in used:
            self.size -= len(last.msgline)
            del last.parent.children[last.msgline]
            last = last.parent
        return pieces

    def groups(self) -> Iterator[tuple[list[str], list[bytes]]]:
        """For each different output the hosts, and its pieces; nothing may be added any more."""
        for element, hosts in self._tree.walk():
            yield hosts, list(element.lines())
