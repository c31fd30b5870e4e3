"""A kept tree: the daemon that holds it, and its clients.

``mpboot.session`` is the library's function as well: this package has the name, and can be called as that.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    def __call__(self, *args: Any, **options: Any) -> Any:
        """Boot agents and keep them: see library.session."""
        from mpboot.session.library import session

        return session(*args, **options)


sys.modules[__name__].__class__ = _Package
