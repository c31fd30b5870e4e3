"""How to boot: what the front door takes, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from mpboot.tree.policy import AUTO, Policy, choose_topology
from mpboot.workers import commandline

TRANSPORTS = ("auto", "tcp", "stdio")


@dataclass(frozen=True)
class Options:
    """How to boot. Times in seconds; ``children``, ``retries`` counts. ValueError where a value can't be."""

    children: int = AUTO
    topology: str = ""  # adaptive; tree where only the number of children is said
    timeout: float = 30.0
    deadline: float | None = None
    retries: int = 1
    wait_for: float = 0.0  # seconds in which hosts that are still starting are tried again
    rsh: str = "ssh"
    user: str | None = None
    transport: str = "auto"
    shell_probe: str = commandline.INLINE
    attach: bool = False
    command: Sequence[str] = ()
    verbose: bool = False

    def __post_init__(self) -> None:
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
        if isinstance(self.command, str):
            raise ValueError(f"command must be a list of words, not one string ({self.command!r})")
        try:
            commandline.rsh_words(self.rsh)
        except ValueError as error:
            raise ValueError(f"rsh {self.rsh!r} can't be split into words: {error}") from None
