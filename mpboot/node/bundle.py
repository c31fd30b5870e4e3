"""Packs mpboot's own modules for the journey to a host, and builds what goes down rsh's stdin.

Runs on the head only; a host that becomes a parent passes on the packed bytes that it got.
"""

from __future__ import annotations

import marshal
import zlib
from importlib.abc import InspectLoader
from importlib.util import MAGIC_NUMBER, find_spec
from typing import Any, Union
from zipimport import zipimporter

LEAF = (
    "mpboot.net.core",
    "mpboot.net.wire",
    "mpboot.net.patience",
    "mpboot.net.kernel",
    "mpboot.node.armour",
    "mpboot.node.leaf",
    "mpboot.node.lost_parent",
)
AGENT = (
    "mpboot.net.fields",
    "mpboot.net.jobs",
    "mpboot.net.loop",
    "mpboot.net.link",
    "mpboot.net.outlet",
    "mpboot.workers.family",
    "mpboot.net.surroundings",
    "mpboot.node.guard",
    "mpboot.node.mounts",
    "mpboot.node.vfork",
    "mpboot.node.program",
    "mpboot.node.feed",
    "mpboot.node.command",
    "mpboot.node.jobs",
    "mpboot.node.uplink",
    "mpboot.node.agent",
    # Of these an agent without children loads one only where it is needed.
    "mpboot.net.plain",
    "mpboot.net.records",
    "mpboot.net.commands",
    "mpboot.node.remains",
    "mpboot.net.login",
    "mpboot.node.sshdconfig",
    "mpboot.node.login",
    "mpboot.node.connect",
)
PARENT = (
    "mpboot.workers.pipes",
    "mpboot.net.ranges",
    "mpboot.net.messages",
    "mpboot.net.hello",
    "mpboot.tree.ledger",
    "mpboot.tree.orders",
    "mpboot.tree.help",
    "mpboot.tree.children",
    "mpboot.tree.adoption",
    "mpboot.tree.retries",
    "mpboot.tree.state",
    "mpboot.tree.routes",
    "mpboot.tree.policy",
    "mpboot.tree.causes",
    "mpboot.node.address",
    "mpboot.node.parcel",
    "mpboot.node.pace",
    "mpboot.node.memory",
    "mpboot.node.heartbeat",
    "mpboot.workers.commandline",
    "mpboot.node.supply",
    "mpboot.net.answer",
    "mpboot.net.keys",
    "mpboot.node.keyring",
    "mpboot.node.care",
    "mpboot.node.flow",
    "mpboot.node.dispatch",
    "mpboot.node.outcomes",
    "mpboot.node.door",
    "mpboot.node.lateness",
    "mpboot.node.launcher",
    "mpboot.node.survey",
    "mpboot.node.offspring",
    "mpboot.node.verdicts",
    "mpboot.node.from_child",
    "mpboot.node.news",
    "mpboot.node.orphanage",
    "mpboot.node.parent",
    "mpboot.workers.diagnosis",
    "mpboot.workers.sight",
    "mpboot.workers.watcher",
    "mpboot.net.work",
    "mpboot.workers.forkserver",
    "mpboot.workers.processes",
    "mpboot.workers.forker",
    "mpboot.workers.settings",
    "mpboot.workers.lookout",
    "mpboot.workers.worker",
    "mpboot.workers.kex",
    "mpboot.workers.relay",
    "mpboot.workers.rsh",
    "mpboot.workers.launch",
    "mpboot.workers.carrier",
    "mpboot.workers.pool",
)
# Of a process that moves files, which is a fork of an agent: see node/login.py.
FILES = (
    "mpboot.net.files",
    "mpboot.node.address",
    "mpboot.node.blocks",
    "mpboot.node.pull",
    "mpboot.node.placing",
    "mpboot.node.receive",
    "mpboot.node.send",
    "mpboot.node.target",
)
BUNDLES = {"leaf": LEAF, "agent": AGENT, "parent": PARENT, "files": FILES}


def source_of(module: str) -> str:
    """The source text of one of mpboot's modules. Raises OSError."""
    source = _loader(module).get_source(module)
    if source is None:
        raise OSError(f"mpboot's own source of {module} can't be read")
    return source


def _loader(module: str) -> Union[InspectLoader, zipimporter]:
    spec = find_spec(module)
    loader: Any = spec.loader if spec is not None else None
    if not isinstance(loader, (InspectLoader, zipimporter)):  # the second is none of the first by its class
        raise OSError(f"mpboot's own module {module} can't be found")
    return loader


def pack(name: str) -> bytes:
    """The bundle "leaf", "agent", "parent" or "files" as stage.py's Store takes it."""
    # Code comes out of __pycache__ where it is there.
    code = [(module, marshal.dumps(_loader(module).get_code(module))) for module in BUNDLES[name]]
    source = [(module, marshal.dumps(source_of(module).encode(), 2)) for module in BUNDLES[name]]
    # The leaf's goes to every host; for the others, half the time is worth a tenth more room.
    both = (zlib.compress(marshal.dumps(tuple(some), 2), 6 if name == "leaf" else 1) for some in (code, source))
    return marshal.dumps((name, MAGIC_NUMBER, *both), 2)


# Source, for whatever Python the host has: so it must compile with 2.7 and every 3.x. Then stage.py, compiled where
# the host's Python writes the same code, which saves a leaf a millisecond.
# What stands for __future__ saves it a file; see stage.py.
PRELUDE = """import sys
if sys.version_info < (3, 8):
    sys.stderr.write("mpboot: python %d.%d.%d is too old: 3.8 or newer is needed\\n" % sys.version_info[:3])
    sys.exit(76)
from _frozen_importlib_external import MAGIC_NUMBER
future = sys.modules["__future__"] = type(sys)("__future__")
future.annotations = None
exec(marshal.loads(payload[2]) if payload[1] == MAGIC_NUMBER else payload[3])
"""


def kit() -> tuple[Any, ...]:
    """The beginning of every payload; the settings of the one agent that it is for follow (wire.AgentConfig).

    PRELUDE, the magic number of this Python's code, stage.py as code and as source, the leaf's bundle.
    """
    name = "mpboot.node.stage"
    return PRELUDE, MAGIC_NUMBER, marshal.dumps(_loader(name).get_code(name)), source_of(name), pack("leaf")
