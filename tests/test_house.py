"""The house: every module in a room, every import downward, no circle, and what travels imports only what travels."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.node import bundle

HOUSE = Path(__file__).resolve().parents[1] / "mpboot"
# Top down. A room imports itself and what is on lower floors, never a room of its own floor.
FLOORS = (
    ("__init__", "__main__"),
    ("cli",),
    ("session",),
    ("head",),
    ("node", "inspect"),
    ("workers", "plan", "hosts", "advice"),
    ("net", "tree", "text", "clientline"),
    ("_version",),
)
TRAVELS = ("tree", "net", "node", "workers")
# They are in no bundle: the first runs on the head, the second is a payload's first part.
PACKED_OTHERWISE = {"node.bundle", "node.stage"}
# Of sessions, what the command line sees: the library's face and what that gives and raises; who may see a session and
# whether it outlives its login; the scripts of `mpboot env`; and the boot that begins one, which it follows.
SESSIONS_FACE = {
    "session.handle", "session.run", "session.registry", "session.sets", "session.connection", "session.transfer",
    "session.login", "session.scripts", "session.start",
}  # fmt: skip
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def name_of(path: Path) -> str:
    """The module's name below mpboot; a package's is its room, and the library's face is __init__."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(HOUSE.rglob("*.py"))}


def imported(module: str) -> Iterator[str]:
    """All of mpboot that a module imports: anywhere in it, under TYPE_CHECKING as well, by whatever form."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "mpboot":
                yield next(
                    (known for known in (rest, rest.rpartition(".")[0]) if known in MODULES),
                    "__init__",
                )


ARROWS = {module: set(imported(module)) - {module} for module in MODULES}


def room(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_floor(module: str) -> None:
    assert room(module) in FLOOR_OF


@pytest.mark.parametrize("module", MODULES)
def test_no_arrow_upward(module: str) -> None:
    upward = [
        other
        for other in ARROWS[module]
        if room(other) != room(module) and FLOOR_OF[room(other)] <= FLOOR_OF[room(module)]
    ]
    assert upward == []


def test_no_circle() -> None:
    """Modules that import nothing that is left are taken away, until none is left."""
    left = dict(ARROWS)
    while left:
        free = [module for module, others in left.items() if not others & left.keys()]
        assert free, f"these import each other: {sorted(left)}"
        for module in free:
            del left[module]


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in TRAVELS and "." in module])
def test_what_travels_imports_only_what_travels(module: str) -> None:
    """…and is in a bundle, or it would not be there when it is wanted."""
    packed = {name.partition(".")[2] for modules in bundle.BUNDLES.values() for name in modules}
    assert module in packed | PACKED_OTHERWISE
    if module not in PACKED_OTHERWISE:
        assert {other for other in ARROWS[module] if "." in other} <= packed


def test_the_command_line_does_nothing_that_the_library_can_not() -> None:
    """What a command does to a session, a program can do by the same call: see docs/library.md."""
    below = {
        other
        for module in ARROWS
        if room(module) == "cli"
        for other in ARROWS[module]
        if room(other) == "session" and other not in SESSIONS_FACE
    }
    assert below == set()


@pytest.mark.parametrize(("where", "most"), [("mpboot", 300), ("tests", 350)])
def test_no_file_is_too_long_to_be_read(where: str, most: int) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in sorted((HOUSE.parent / where).rglob("*.py"))}
    assert {str(path): lines for path, lines in lengths.items() if lines > most} == {}
