"""What all launches of a node have in common, settled by the parent before the first of them."""

from __future__ import annotations

from mpboot.node import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple


def settle(boot: Dict[str, Any], kit: Tuple[Any, ...], agent: Dict[str, Any], port: int, sample: str) -> Dict[str, Any]:
    """The values for launch.Settings: plain, since they travel to the fork server.

    ``boot``: rsh, rsh_words, timeout, shell_probe, attach, transport; ``kit`` and ``agent`` make the payload for rsh's
    stdin (see bundle.py and leaf.py); ``port``: the parent's accept socket; ``sample``: one of the hosts.
    """
    rsh = boot["rsh"]
    options = []
    # Through stdio travels what commands print, and not the boot's secret alone.
    if remote.is_ssh(rsh) and boot["transport"] != "stdio":
        from mpboot.workers.kex import cheap_exchange

        options = cheap_exchange(boot["rsh_words"], sample)
    return {
        "rsh": rsh, "words": boot["rsh_words"], "timeout": boot["timeout"], "shell_probe": boot["shell_probe"],
        "attach": boot["attach"], "port": port, "ssh_options": options, "kit": kit, "agent": agent,
    }  # fmt: skip
