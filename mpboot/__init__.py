"""mpboot: boot a tree of agents over a group of machines by ssh or rsh.

``mpboot.boot(hosts, …)`` does what the command ``mpboot`` does and returns a ``BootReport``.
"""

from __future__ import annotations

from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .boot import boot
    from .report import BootReport

__all__ = ["BootReport", "__version__", "boot"]


def __getattr__(name: str) -> object:
    # Loaded on first use: the command's --help and the agents need neither.
    if name == "boot":
        from .boot import boot

        return boot
    if name == "BootReport":
        from .report import BootReport

        return BootReport
    raise AttributeError(f"module 'mpboot' has no attribute {name!r}")
