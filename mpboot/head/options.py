"""How to boot: what the front door takes, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from mpboot.clientline import PYTHON, PYTHON_RULE
from mpboot.hosts.syntax import check_user
from mpboot.tree.policy import AUTO, Policy, choose_topology
from mpboot.workers import commandline

TRANSPORTS = ("auto", "tcp", "stdio")
LONGEST_LIMIT = 4e6  # seconds that a command may be given
PLACES = ("{host}", "{user}", "{port}")  # in an rsh command line
_PLACE = re.compile(r"(?<!\$)\{[A-Za-z_]*\}")  # ${HOME} is a shell's
LONGEST = 1 << 14  # characters of an rsh command line: as many as travel to other launching hosts


@dataclass(frozen=True)
class Options:
    """How to boot. Times are in seconds; ``children`` and ``retries`` are counts. ValueError for a bad value."""

    children: int = AUTO
    topology: str = ""  # adaptive; tree where only the number of children is said
    timeout: float = 30.0
    deadline: float | None = None  # seconds after which an unfinished boot is ended; None: never
    retries: int = 1
    wait_for: float = 0.0  # seconds in which hosts that are still starting are tried again
    rsh: str = "ssh"
    user: str | None = None
    transport: str = "auto"
    shell_probe: str = commandline.INLINE
    python: str = commandline.PYTHON3  # the interpreter on the hosts: a path, or a name to be found there
    attach: bool = False
    command: Sequence[str] = ()
    env: Sequence[tuple[str, str]] = ()  # variables of the command
    cwd: str = ""  # where it runs on the hosts; empty: where a login begins
    command_timeout: float = 0.0  # seconds that it may take; 0: no limit
    barrier: bool = False  # it runs only if all hosts are up, otherwise not at all
    verbose: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        object.__setattr__(self, "topology", choose_topology(self.topology, self.children))
        object.__setattr__(self, "children", Policy(self.topology, self.children).children)
        if not 0 < self.timeout < inf:
            raise ValueError(f"timeout must be a number of seconds, more than 0, not {self.timeout:g}")
        if self.deadline is not None and not 0 < self.deadline < inf:
            raise ValueError(f"deadline must be a number of seconds, more than 0, not {self.deadline:g}")
        if not 0 <= self.wait_for < inf:
            raise ValueError(f"wait_for must be a number of seconds, 0 or more, not {self.wait_for:g}")
        if self.retries < 0:
            raise ValueError(f"retries can't be negative ({self.retries})")
        if self.transport not in TRANSPORTS:
            raise ValueError(f"no transport {self.transport!r}: there are {', '.join(TRANSPORTS)}")
        if self.shell_probe not in commandline.SHELL_PROBES:
            raise ValueError(f"no shell probe {self.shell_probe!r}: there are {', '.join(commandline.SHELL_PROBES)}")
        if not PYTHON.fullmatch(self.python):
            raise ValueError(f"python can't be {self.python!r}: give {PYTHON_RULE}")
        if len(self.rsh) > LONGEST:
            raise ValueError(f"rsh has {len(self.rsh)} characters, {LONGEST} is the most")
        try:
            words = commandline.rsh_words(self.rsh)
        except ValueError as error:
            raise ValueError(f"rsh {self.rsh!r} can't be split into words: {error}") from None
        for place in (one for word in words if not set(word) & set(" \t\n") for one in _PLACE.findall(word)):
            if place not in PLACES:  # in a word with blanks, a script, it may be anything
                raise ValueError(
                    f"rsh {self.rsh!r}: nothing can be filled in for {place}: there are {', '.join(PLACES)}"
                )

    def _check_types(self) -> None:
        """ValueError for what is no number, no text or no truth value where one is wanted."""
        for name in ("children", "retries"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} must be a whole number, not {getattr(self, name)!r}")
        for name in ("timeout", "wait_for", "deadline", "command_timeout"):
            value = getattr(self, name)
            if type(value) not in (int, float) and not (name == "deadline" and value is None):
                raise ValueError(f"{name} must be a number of seconds, not {value!r}")
        for name in ("attach", "verbose", "barrier"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be True or False, not {getattr(self, name)!r}")
        for name in ("topology", "rsh", "transport", "shell_probe", "python", "user", "cwd"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (name == "user" and value is None):
                raise ValueError(f"{name} must be a text, not {value!r}")
            if value is not None and "\0" in value:
                raise ValueError(f"{name} can't hold a NUL character ({value!r})")
            if value is not None and not _is_sayable(value):
                raise ValueError(f"{name} can't hold half of a character ({value!r})")
        if self.user is not None:
            check_user(self.user)
        if isinstance(self.command, str):
            raise ValueError(f"command must be a list of words, not one string ({self.command!r})")
        listed = isinstance(self.command, (list, tuple))
        if not (listed and all(isinstance(word, str) and _is_sayable(word) for word in self.command)):
            raise ValueError(f"command must be a list of words, not {self.command!r}")
        if not isinstance(self.env, (list, tuple)):
            raise ValueError(f"env must be pairs of a name and a value, not {self.env!r}")
        for pair in self.env:
            texts = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
            if not texts or not pair[0] or "=" in pair[0] or not _is_sayable(pair[0] + pair[1]):
                raise ValueError(f"env must be pairs of a name and a value, not {pair!r}")
        if not 0 <= self.command_timeout < LONGEST_LIMIT:
            raise ValueError(f"command_timeout must be a number of seconds, 0 or more, not {self.command_timeout:g}")
        if self.command and not self.command[0]:
            raise ValueError("command must begin with a program, not with an empty word")


def _is_sayable(text: str) -> bool:
    """Can it be a word of a command line? Not with a NUL, nor with half of a character, which has no bytes."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
