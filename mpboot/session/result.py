"""What came of a command on the hosts of a session."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpboot.session.run import HostEnd
from mpboot.text import fold


@dataclass
class Result:
    """What came of a command: by host its end, its stdout and its stderr (bytes). ``job``: its number."""

    job: int
    seconds: float  # from its start until its end everywhere
    ends: dict[str, HostEnd] = field(default_factory=dict)
    stdout: dict[str, bytes] = field(default_factory=dict)
    stderr: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)  # what there is to say of its end on a host

    @property
    def exit_codes(self) -> dict[str, int | None]:
        """By host; None where it was lost: ``ends`` says why."""
        return {host: end.exit for host, end in self.ends.items()}

    @property
    def exit_code(self) -> int:
        """The largest exit code; a host that was lost counts as 255."""
        return max((end.code for end in self.ends.values()), default=0)

    def gathered(self) -> list[tuple[str, bytes]]:
        """Equal outputs (stdout) once, as (set of hosts, such as node[1-3]; output); most hosts first."""
        found: dict[bytes, list[str]] = {}
        for host, text in self.stdout.items():
            found.setdefault(text, []).append(host)
        return [(fold(hosts), text) for text, hosts in sorted(found.items(), key=lambda one: -len(one[1]))]
