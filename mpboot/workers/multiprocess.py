"""What is taken of multiprocessing, without the modules that it loads and nobody here ever uses.

Every parent pays for each import before its first launch, and tempfile and locale are a fifth of it all.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNUSED = ("tempfile", "locale")


class _Later(ModuleType):
    """Stands for a module until somebody wants something of it after all."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            if name.startswith("__"):
                raise AttributeError(name)
            del sys.modules[self.__name__]
        return getattr(__import__(self.__name__), name)


_later = [_Later(name) for name in UNUSED if name not in sys.modules]
sys.modules.update((module.__name__, module) for module in _later)
try:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from multiprocessing.queues import SimpleQueue
finally:
    for _module in _later:
        if sys.modules.get(_module.__name__) is _module:
            del sys.modules[_module.__name__]

__all__ = ["BaseProcess", "Connection", "SimpleQueue"]
