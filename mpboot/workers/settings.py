"""What all launches of a node have in common, put together before the first of them, and what each rsh is fed."""

from __future__ import annotations

import marshal

from mpboot.net.work import LaunchSettings, agent_own
from mpboot.workers import commandline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Sequence, Tuple

    from mpboot.net.messages import BootSettings
    from mpboot.net.work import LaunchOrder

BACKUP = 1.0  # seconds beyond a launch's timeout, in which the watcher ends it, and knows better why


def launch_settings(
    boot: BootSettings, kit: Tuple[Any, ...], agents: Tuple[Any, ...], port: int, names: Sequence[str], is_root: bool
) -> LaunchSettings:
    """The settings of a node's launches.

    ``kit`` and ``agents`` begin the payload (see bundle.py and messages.agent_common); ``port``: the node's accept
    socket; ``names``: those of its hosts, of which ssh is asked for its settings.
    """
    options: List[str] = []
    cheap: List[str] = []
    offered: List[str] = []
    if commandline.is_ssh(boot.rsh):
        from mpboot.workers.kex import Wishes

        wishes = Wishes(boot.rsh_words, names or ["localhost"])
        # Through stdio travels what commands print, and not the boot's secret alone.
        options, offered = wishes.always, wishes.offered
        cheap = [] if boot.transport == "stdio" else wishes.cheap
    return LaunchSettings(
        boot.rsh,
        boot.rsh_words,
        boot.timeout,
        boot.shell_probe,
        boot.attach,
        port,
        options,
        cheap,
        offered,
        kit,
        agents,
        boot.python,
        is_root,
    )


def payload(settings: LaunchSettings, order: LaunchOrder, marker: str) -> bytes:
    """The bytes that start an agent: a line with their number (commandline.heading), then the marshalled payload."""
    own = agent_own(order.launch, order.rank, order.label, marker, order.key, order.way)
    packed = marshal.dumps((*settings.kit, settings.agents, own), 2)
    return commandline.heading(marker, len(packed)) + packed
