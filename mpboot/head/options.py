"""How to boot: what the front door takes, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpboot.tree.policy import AUTO, Policy, choose_topology
from mpboot.workers import commandline


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
        if not self.timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {self.timeout:g}")
        if self.deadline is not None and not self.deadline > 0:
            raise ValueError(f"deadline must be more than 0 seconds, not {self.deadline:g}")
        if not self.wait_for >= 0:
            raise ValueError(f"wait_for can't be negative ({self.wait_for:g})")
        if self.retries < 0:
            raise ValueError(f"retries can't be negative ({self.retries})")
        if self.transport not in ("auto", "tcp", "stdio"):
            raise ValueError(f"no transport {self.transport!r}: there are auto, tcp, stdio")
        if self.shell_probe not in commandline.SHELL_PROBES:
            raise ValueError(f"no shell probe {self.shell_probe!r}: there are {', '.join(commandline.SHELL_PROBES)}")
        try:
            commandline.rsh_argv(self.rsh, "host", self.user, None, self.timeout, "")
        except ValueError as error:
            raise ValueError(f"rsh {self.rsh!r} can't be split into words: {error}") from None
