"""Changes a module in small ways, each by itself, and tells which of the changes its tests do not notice.

A change is one of: a comparison or an operator becomes its neighbour, a number one more or one less, a character of a
string another, true is false, `and` is `or`, a `not` is taken away, a condition is turned round (which swaps its
branches), a statement is left out, None is returned; not in what only people or type checkers read. The tests run in a
copy of the checkout and a process namespace, until the first fails. A change by which they take too long is noticed.

example: tools/mutate --changes 25 --seed 1 mpboot/tree/state.py -- tests/tree
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parent.parent
MEMORY = 4 << 30  # bytes of a run: a change may make a loop that never ends, and grows
SHOWN = 110  # characters of a line of code
ENDS = {0: "survived", None: "too long"}
HEARD = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)
SEEN_BY_CHECKERS, UNTOUCHED = {"TYPE_CHECKING", "__slots__", "__all__"}, {"annotation", "returns"}  # names; fields
LEFT_OUT = (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break)
COMPARED = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
REPLACED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr, ast.BitXor: ast.BitOr, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


class Change(NamedTuple):
    """A node to be replaced, where it hangs (``at``: in the field, if that is a list), and what takes its place."""

    line: int
    holder: ast.AST
    field: str
    at: int | None
    before: ast.AST
    after: ast.AST

    def put(self, node: ast.AST) -> None:
        """Hang ``node`` into its place."""
        if self.at is None:
            setattr(self.holder, self.field, node)
        else:
            getattr(self.holder, self.field)[self.at] = node

    def told(self, lines: list[str]) -> str:
        """What becomes of what, and in which line of code, if it is less than that."""
        before, after = (ast.unparse(node).partition("\n")[0][:SHOWN] for node in (self.before, self.after))
        code = lines[self.line - 1].strip()[:SHOWN]
        return f"{before} → {after}" + (f"    in: {code}" if len(code) > len(before) + 1 else "")


def changes(holder: ast.AST, dice: random.Random, line: int = 0, inside: bool = False) -> Iterator[Change]:
    """All changes below a node; ``inside`` a function."""
    inside = inside or isinstance(holder, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    for field, value in ast.iter_fields(holder):
        if field in UNTOUCHED or (field == "body" and _is_for_checkers(holder)):
            continue
        for at, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST) and not _is_untouched(node):
                here = getattr(node, "lineno", line)
                yield from (Change(here, holder, field, at, node, after) for after in _others(node, dice, inside))
                yield from changes(node, dice, here, inside)


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id in SEEN_BY_CHECKERS


def _is_untouched(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring, or an ellipsis
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(getattr(target, "id", None) in SEEN_BY_CHECKERS for target in targets)


def _others(node: ast.AST, dice: random.Random, inside: bool) -> Iterator[ast.AST]:
    """What a small change makes of a node."""
    if isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            for other in COMPARED[type(op)]:
                yield _with(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in REPLACED:
        yield _with(node, op=REPLACED[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _other_values(node.value, dice))
    elif isinstance(node, (ast.If, ast.IfExp)) and not _is_for_checkers(node):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[ast.UnaryOp(ast.Not(), node.ifs[0]), *node.ifs[1:]])
    elif isinstance(node, ast.Return):
        is_none = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
        yield ast.Pass() if is_none else ast.Return(ast.Constant(None))
    if inside and (isinstance(node, LEFT_OUT) or (type(node) is ast.Assign and type(node.targets[0]) is not ast.Name)):
        yield ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    return type(node)(**{**vars(node), **fields})


def _other_values(value: object, dice: random.Random) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value - 1]
    if isinstance(value, (str, bytes)):
        at = dice.randrange(len(value)) if value else 0
        return [value[:at] + ("~" if isinstance(value, str) else b"~") + value[at + 1 :]]  # type: ignore[operator]
    return []


class Copy:
    """A copy of the checkout in which one module is changed at a time, and the tests that judge the changes."""

    def __init__(self, where: Path) -> None:
        self.root, self.log, self.scratch = where / "copy", where / "log", where / "tmp"
        self.scratch.mkdir()
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info"))

    def run(self, module: Path, text: str, tests: list[str], limit: float) -> int | None:
        """What pytest ends with where the module has this text; None if it does not end in ``limit`` seconds."""
        path = self.root / module
        path.write_text(text)
        for compiled in (path.parent / "__pycache__").glob(path.stem + ".*"):
            compiled.unlink()
        if not (pid := os.fork()):
            self._child(tests)
        until = time.monotonic() + limit
        try:
            while (left := until - time.monotonic()) > 0:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    return os.waitstatus_to_exitcode(status)
                heard = signal.sigtimedwait(HEARD, left)
                if heard is not None and heard.si_signo != signal.SIGCHLD and not heard.si_pid:
                    raise SystemExit(130)  # from outside: what a changed kill() hits us with has a sender
            return None
        finally:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(-1, signal.SIGKILL)  # all that is left in this namespace
                while True:
                    os.wait()

    def _child(self, tests: list[str]) -> None:
        code = 3
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(os.dup2(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1), 2)
            os.chdir(self.root)
            os.environ.update(TMPDIR=str(self.scratch), PYTHONPATH=str(self.root), PYTHONDONTWRITEBYTECODE="1")
            tempfile.tempdir = None
            sys.path.insert(0, str(self.root))
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--tb=short", *tests]))
        finally:
            os._exit(code)


def tests_of(module: Path, more: list[str]) -> list[str]:
    """The test files of the module's name, or that begin with it, and whatever else was named."""
    room = Path("tests") / module.parent.relative_to("mpboot")
    own = [*(ROOT / room).glob(f"test_{module.stem}.py"), *sorted((ROOT / room).glob(f"test_{module.stem}_*.py"))]
    return [str(room / path.name) for path in own] + more


def measure(checkout: Copy, module: Path, more: list[str], wish: argparse.Namespace) -> tuple[int, int]:
    """Change a module; how many changes there were, and how many were noticed."""
    source = (checkout.root / module).read_text()
    tree, lines = ast.parse(source), source.splitlines()
    tests = tests_of(module, more)
    sys.dont_write_bytecode = False  # the first run compiles what the others share
    begin = time.monotonic()
    if not tests or checkout.run(module, ast.unparse(tree), tests, 600) != 0:
        raise SystemExit(f"{module}: its tests do not pass as it is\n{checkout.log.read_text() if tests else 'none'}")
    limit = wish.limit or 10 + 5 * (time.monotonic() - begin)
    sys.dont_write_bytecode = True
    dice = random.Random(f"{wish.seed} {module}")
    found, noticed = list(changes(tree, dice)), 0
    if 0 < wish.changes < len(found):
        found = [found[at] for at in sorted(dice.sample(range(len(found)), wish.changes))]
    for change in found:
        change.put(change.after)
        ended = checkout.run(module, ast.unparse(ast.fix_missing_locations(tree)), tests, limit)
        change.put(change.before)
        noticed += ended != 0
        if ended == 0 or wish.verbose:
            print(f"  {ENDS.get(ended, 'noticed ')} {module}:{change.line}: {change.told(lines)}", flush=True)
    (checkout.root / module).write_text(source)
    print(f"{module}: {len(found)} changes, {noticed} noticed", flush=True)
    return len(found), noticed


def main() -> int:
    """Arguments in, exit code out."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="tools/mutate", formatter_class=form, description=__doc__)
    parser.add_argument("--changes", type=int, default=25, help="of each module, as the seed has it; 0: all there are")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, help="seconds of a run (default: 10 and 5 times those of the first)")
    parser.add_argument("--verbose", action="store_true", help="print those that were noticed too")
    parser.add_argument("modules", nargs="+", metavar="mpboot/ROOM/MODULE.py", help="its own: tests/ROOM/test_MODULE*")
    parser.add_argument("more", nargs="*", metavar="-- TEST …", help="further tests, or options of pytest")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    wish, more = parser.parse_args(sys.argv[1:cut]), sys.argv[cut + 1 :]
    if os.getpid() != 1:
        parser.error("start tools/mutate, which makes a process namespace: a changed kill() may well hit everybody")
    for name in wish.modules:
        if not name.startswith("mpboot/") or not (ROOT / name).is_file():
            parser.error(f"no module {name}: name it as in mpboot/tree/state.py")
    # The same examples for each change; none of those that fail is made smaller, or kept.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutate", phases=phases, database=None, derandomize=True, deadline=None)
    settings.load_profile("mutate")
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    with tempfile.TemporaryDirectory(prefix="mutate-") as where:
        checkout = Copy(Path(where))
        sums = [measure(checkout, Path(name), more, wish) for name in wish.modules]
    print("together: {} changes, {} noticed".format(*map(sum, zip(*sums))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
