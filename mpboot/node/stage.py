"""Loads modules out of memory: the first thing that runs on a host, after bundle.PRELUDE has checked its Python.

Runs in ``__main__`` of the remote python3; ``payload`` is what came down rsh's stdin, see bundle.py.
"""

from __future__ import annotations

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, Optional, Tuple

    payload: Tuple[Any, ...]


class Store:
    """Finds and loads the modules that came in bundles (sys.meta_path's interface)."""

    def __init__(self) -> None:
        # By name, marshalled: its code where that is for this Python, or its source; None of a package.
        self.modules: Dict[str, Optional[bytes]] = {"mpboot": None}
        self.bundles: Dict[str, bytes] = {}  # name -> what came, to be passed on

    def add(self, bundle: bytes) -> None:
        """Take a bundle: its name, magic number, modules as code, which counts if magic is ours, and as source.

        Modules: ((name, marshalled code or source), …), marshalled and compressed.
        """
        import marshal
        import zlib
        from _frozen_importlib_external import MAGIC_NUMBER

        kind, magic, code, source = marshal.loads(bundle)
        self.bundles[kind] = bundle
        for name, program in marshal.loads(zlib.decompress(code if magic == MAGIC_NUMBER else source)):
            self.modules[name] = program
            self.modules.setdefault(name.rpartition(".")[0])

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module of ours."""
        if name not in self.modules:
            return None
        from _frozen_importlib import ModuleSpec

        loader: Any = self
        return ModuleSpec(name, loader, origin="mpboot bundle", is_package=self.modules[name] is None)

    def create_module(self, spec: Any) -> Optional[ModuleType]:
        """Leave it to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        found = self.modules[module.__name__]
        if found is None:
            return  # a package: it is empty
        import marshal

        program = marshal.loads(found)
        if isinstance(program, bytes):
            program = compile(program, "<%s>" % module.__name__, "exec")
        exec(program, module.__dict__)


def future(name: str) -> Any:
    """An attribute of __future__, in whose place bundle.PRELUDE has put a module that is not read from a file."""
    del sys.modules["__future__"]
    import __future__

    return getattr(__future__, name)


null = 0
while null < 3:  # a login may have closed one of them: a connection must not take its place
    null = posix.open("/dev/null", posix.O_RDWR)
posix.close(null)
sys.modules["__future__"].__getattr__ = future  # type: ignore[method-assign]
store = Store()
store.add(payload[4])
sys.meta_path.insert(0, store)
from mpboot.node import leaf

line, config, messages = leaf.main(payload, store)
from mpboot.node.agent import Agent

Agent(line, config, store).run(messages)
