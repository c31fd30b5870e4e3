"""A job as an ssh login: what sshd would run for it, with which terminal. It travels as the words of a RUN.

Terminals are described by names (``VERASE=127``), not by termios's numbers: those differ from machine to machine.
"""

from __future__ import annotations

from mpboot.net.fields import row, text, whole
from mpboot.net.jobs import NUMBER, packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Sequence, Tuple

    Size = Tuple[int, int, int, int]  # of a terminal: rows, columns, and both in pixels

ABOUT, COMMAND, SHELL, SUBSYSTEM, CONNECT = "about", "command", "shell", "subsystem", "connect"
RECEIVE, SEND = "receive", "send"  # files
KINDS = (ABOUT, COMMAND, SHELL, SUBSYSTEM, CONNECT, RECEIVE, SEND)
FREE, FORCED, NO_TERMINAL = (
    "0",
    "1",
    "2",
)  # what "about" says of sshd's rules: it forces what runs, or gives no terminal
CONNECTED = b"+"  # on stderr, where "connect" has come about; else it says there why not
MOST = (1 << 16) - 1  # of a terminal's rows, and so on
_SIDE = 2  # bytes of each
LONGEST = 1 << 20  # characters of a command
LONGEST_TERM = 256  # and of a terminal's type
# What can be said of a terminal: each a switch, or a key with its number.
SWITCHES = (
    ("iflag", ("IGNPAR", "PARMRK", "INPCK", "ISTRIP", "INLCR", "IGNCR", "ICRNL", "IXON", "IXANY", "IXOFF", "IMAXBEL")),
    ("oflag", ("OPOST", "ONLCR", "OCRNL", "ONOCR", "ONLRET")),
    ("lflag", ("ISIG", "ICANON", "ECHO", "ECHOE", "ECHOK", "ECHONL", "NOFLSH", "TOSTOP", "IEXTEN", "ECHOCTL",
               "ECHOKE")),
)  # fmt: skip
KEYS = ("VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VEOL", "VEOL2", "VSTART", "VSTOP", "VSUSP", "VREPRINT", "VWERASE",
        "VLNEXT", "VDISCARD")  # fmt: skip
_NAMES = frozenset(name for _, names in SWITCHES for name in names).union(KEYS)


class Login:
    """What is asked of a host.

    ``kind``: "about" (only who and where the agent is), "command", "shell", "subsystem", "connect", "receive" or "send"
    (files: code, and what to do, come on standard input). ``what``: the command, the subsystem's name, or host and
    port to connect to (``host 22``). ``term``: the terminal's type, "" for none; ``size`` and ``modes`` are its own.
    """

    __slots__ = ("kind", "modes", "size", "term", "what")

    def __init__(
        self, kind: str, what: str = "", term: str = "", size: Size = (0, 0, 0, 0), modes: Sequence[str] = ()
    ) -> None:
        self.kind = kind
        self.what = what
        self.term = term
        self.size = size
        self.modes = list(modes)

    def words(self) -> list[str]:
        """It as a RUN's words."""
        return [self.kind, self.what, self.term, *map(str, self.size), *self.modes]

    @classmethod
    def unpack(cls, words: Sequence[str]) -> Login:
        """The login in a RUN's words. ValueError."""
        kind, what, term, *size = row(list(words[:7]), 7)
        if kind not in KINDS:
            raise ValueError("no such login")
        if not all(one.isdigit() for one in size):
            raise ValueError("a terminal of no possible size")
        for mode in words[7:]:
            name, _, value = mode.partition("=")
            if name not in _NAMES or not value.isdigit() or len(value) > 3:
                raise ValueError("no such mode of a terminal")
        sides = [whole(int(one[:8]), 0, MOST) for one in size]
        shape = (sides[0], sides[1], sides[2], sides[3])
        return cls(kind, text(what, LONGEST), text(term, LONGEST_TERM), shape, words[7:])

    @property
    def settings(self) -> Dict[str, int]:
        """The terminal's modes by name."""
        return {name: int(value) for name, _, value in (mode.partition("=") for mode in self.modes)}


def pack_window(job: int, size: Size) -> bytes:
    """WINDOW: the terminal of a job has another size."""
    return packed(job) + b"".join(side.to_bytes(_SIDE, "big") for side in size)


def unpack_window(body: bytes) -> Size:
    """The size. ValueError."""
    if len(body) != NUMBER + 4 * _SIDE:
        raise ValueError("no size of a terminal")
    rows, columns, x, y = (int.from_bytes(body[at : at + _SIDE], "big") for at in range(NUMBER, len(body), _SIDE))
    return rows, columns, x, y
