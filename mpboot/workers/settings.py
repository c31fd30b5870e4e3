"""What all launches of a node have in common, settled by the parent before the first of them."""

from __future__ import annotations

import marshal

from mpboot.workers import commandline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from mpboot.net.messages import BootSettings

    States = List[Tuple[str, float]]  # name, monotonic time
    # How a launch ended: cause (empty if the agent took over), phase, detail, states, the end of stderr.
    Verdict = Tuple[str, str, str, States, str]
    Target = Tuple[int, int, str, Optional[str], Optional[int], str]  # launch, rank, host name, user, port, label


class Settings:
    """What all launches of a boot have in common; ``values`` are settle's, and plain."""

    def __init__(self, values: Dict[str, Any]) -> None:
        self.rsh: str = values["rsh"]
        self.words: List[str] = values["words"]  # of rsh, split
        self.timeout: float = values["timeout"]
        self.shell_probe: str = values["shell_probe"]
        self.attach: bool = values["attach"]
        self.port: int = values["port"]  # the parent's accept socket
        self.ssh_options: List[str] = values["ssh_options"]
        self._kit: Tuple[Any, ...] = values["kit"]  # with the config it makes the payload: see bundle.py and leaf.py
        self._agent: Tuple[Any, ...] = values["agent"]

    def payload(self, target: Target, marker: str) -> bytes:
        """The bytes that start an agent: a length in hexadecimal, a newline, the marshalled payload."""
        packed = marshal.dumps((*self._kit, self._agent, (target[0], target[1], target[5], marker)), 2)
        return b"%x\n" % len(packed) + packed


def settle(boot: BootSettings, kit: Tuple[Any, ...], agent: Tuple[Any, ...], port: int, sample: str) -> Dict[str, Any]:
    """The values for Settings: plain, since they travel to the fork server.

    ``boot``: rsh, rsh_words, timeout, shell_probe, attach, transport; ``kit`` and ``agent`` make the payload for rsh's
    stdin (see bundle.py and leaf.py); ``port``: the parent's accept socket; ``sample``: one of the hosts.
    """
    rsh = boot.rsh
    options = []
    # Through stdio travels what commands print, and not the boot's secret alone.
    if commandline.is_ssh(rsh) and boot.transport != "stdio":
        from mpboot.workers.kex import cheap_exchange

        options = cheap_exchange(boot.rsh_words, sample)
    return {
        "rsh": rsh, "words": boot.rsh_words, "timeout": boot.timeout, "shell_probe": boot.shell_probe,
        "attach": boot.attach, "port": port, "ssh_options": options, "kit": kit, "agent": agent,
    }  # fmt: skip
