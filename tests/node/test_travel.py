"""What travels to hosts: plain Python 3.8 on the standard library and psutil; a leaf loads next to nothing."""

from __future__ import annotations

import ast
import json
import marshal
import os
import select
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mpboot
from mpboot.net import messages, wire, work
from mpboot.net.answer import Answer
from mpboot.node import bundle
from mpboot.workers import commandline

TRAVELS = sorted({module for modules in bundle.BUNDLES.values() for module in modules} | {"mpboot.node.stage"})
TREE = sorted(module for module in TRAVELS if module.startswith("mpboot.tree."))
OURS = ("mpboot.tree", "mpboot.net", "mpboot.node", "mpboot.workers")
# What a leaf loads beside what the interpreter has loaded when it runs `python3 -S -E -c BOOTSTRAP`.
LEAF_MODULES = {
    "mpboot", "mpboot.net", "mpboot.node", "mpboot.net.core", "mpboot.net.wire", "mpboot.node.leaf",
    "__future__",  # what stands for it
    "_blake2", "_socket", "marshal", "posix", "select", "sys", "time", "zlib",
}  # fmt: skip
NEVER = {
    "os",
    "socket",
    "json",
    "psutil",
    "typing",
    "re",
    "hashlib",
    "hmac",
    "subprocess",
    "selectors",
    "struct",
    "enum",
}


def tree_of(module: str) -> ast.Module:
    return ast.parse(bundle.source_of(module), module, feature_version=(3, 8))


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules imported anywhere but under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import does not travel"
            assert node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        else:
            yield from imports(node)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="needs Python 3.10, which knows what is in its library")
@pytest.mark.parametrize("module", TRAVELS)
def test_reads_as_python_3_8_and_imports_what_hosts_have(module: str) -> None:
    for name in imports(tree_of(module)):
        top = name.partition(".")[0]
        if top == "mpboot":
            assert name.startswith(OURS), f"{name} does not travel"
        else:
            assert top == "psutil" or top in sys.stdlib_module_names, f"{name} need not be there"


@pytest.mark.parametrize("module", TRAVELS)
def test_what_is_imported_of_ours_travels_too(module: str) -> None:
    for name in imports(tree_of(module)):
        if name.startswith("mpboot."):
            parts = name.split(".")
            assert {".".join(parts[:3]), name} & set(TRAVELS), f"{name} is in no bundle"


@pytest.mark.parametrize("module", TREE)
def test_the_tree_is_pure(module: str) -> None:
    allowed = ("__future__", "_collections", "mpboot.tree")
    assert all(name.startswith(allowed) for name in imports(tree_of(module)))


def test_every_bundle_packs() -> None:
    for name, modules in bundle.BUNDLES.items():
        kind, _, code, _ = marshal.loads(bundle.pack(name))
        assert kind == name
        assert tuple(module for module, _ in marshal.loads(zlib.decompress(code))) == modules


# -- a real leaf -----------------------------------------------------------------------------------


def config(fd: int, secret: bytes) -> tuple[Any, Any]:
    """What the leaf is told, as the last two parts of its payload."""
    return messages.agent_common((), [[-1, 1]], 20.0, fd=fd), work.agent_own(1, 5, "h", "M", secret, ())


def receive(sock: socket.socket, session: wire.Session, until: int) -> list[wire.Message]:
    """Messages until one of kind ``until`` has come."""
    got: list[wire.Message] = []
    while all(kind != until for kind, _ in got):
        sock.sendall(session.out)
        session.out.clear()
        assert select.select([sock], [], [], 20)[0], "the leaf says nothing"
        data = sock.recv(1 << 16)
        assert data, "the leaf ended"
        got += session.feed(data)
    return got


def spy() -> bytes:
    """A bundle with a module that sends the names of all loaded modules, and how it is loaded: as node/agent.py."""
    source = (
        "import sys\n"
        "class Agent:\n"
        "    def __init__(self, line, config, store):\n"
        "        self.line = line\n"
        "    def run(self, messages):\n"
        "        self.line.session.send(18, ' '.join(sorted(sys.modules)).encode())\n"
        "        self.line.flush()\n"
        "        sys.exit(0)\n"
    )
    packed = zlib.compress(marshal.dumps((("mpboot.node.agent", marshal.dumps(source.encode())),), 2))
    return marshal.dumps(("spy", b"", b"", packed), 2)


def loaded_by(python: str, code: str) -> set[str]:
    out = subprocess.run([python, "-S", "-E", "-c", code], capture_output=True, text=True, check=True, timeout=20)
    return set(out.stdout.split())


def run_leaf(python: str) -> tuple[dict[str, object], set[str]]:
    """Start a leaf as a host would; its HELLO, and the modules that it has loaded after its (empty) share."""
    ours, theirs = socket.socketpair()
    secret = os.urandom(wire.KEY_BYTES)
    payload = marshal.dumps((*bundle.kit(), *config(theirs.fileno(), secret)), 2)
    leaf = subprocess.Popen(
        [python, "-S", "-E", "-c", commandline.BOOTSTRAP], stdin=subprocess.PIPE, pass_fds=[theirs.fileno()]
    )
    with ours, theirs:
        assert leaf.stdin
        leaf.stdin.write(b"%x\n" % len(payload) + payload)
        leaf.stdin.close()
        session = Answer(lambda *_: secret, os.urandom(16))
        hello = json.loads(receive(ours, session, wire.HELLO)[-1][1])
        session.send(wire.SHARE)
        assert receive(ours, session, wire.DONE)[-1] == (wire.DONE, b"1")
        session.send(wire.CODE, spy())
        session.send(wire.TELL)
        modules = set(receive(ours, session, wire.LOG)[-1][1].decode().split())
    assert leaf.wait(20) == 0
    return hello, modules


def test_a_leaf_loads_next_to_nothing() -> None:
    hello, modules = run_leaf(sys.executable)
    assert hello["rank"] == 5
    # The bootstrap's own needs, before any code of ours: sys.stdin and marshal.
    before = loaded_by(sys.executable, "import sys,marshal;sys.stdin.buffer;print(*sys.modules)")
    assert modules - before - {"mpboot.node.agent"} <= LEAF_MODULES
    assert not modules & (NEVER - before)
    assert not before & NEVER, "the interpreter itself has become heavier"


# -- other Pythons ---------------------------------------------------------------------------------


def find_python(version: str) -> str | None:
    """A real interpreter of this version: of pyenv, or on the PATH (but no stand-in that needs a setting)."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(path) for path in sorted(root.glob(f"{version}.*/bin/python{version}"))]
    on_path = shutil.which(f"python{version}")
    for python in [*found, *([on_path] if on_path else [])]:
        code = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"
        try:
            said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, timeout=20)
        except OSError:
            continue
        if said.stdout == version:
            return python
    return None


def need_python(version: str) -> str:
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    return python


def put_first(python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``python`` the python3 of every launch."""
    (tmp_path / "python3").symlink_to(python)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SHELL", "/bin/none")  # no .profile may change the PATH


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_hosts_with_another_python_boot_through_a_tree(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = need_python(version)
    put_first(python, tmp_path, monkeypatch)
    report = mpboot.boot("h[1-5]", rsh="local", topology="tree", children=2, timeout=60)
    assert [(name, host.cause, host.detail) for name, host in report.hosts.items() if host.state != "up"] == []
    assert {str(host.python).rpartition(".")[0] for host in report.hosts.values()} == {version}
    assert max(host.level for host in report.hosts.values()) >= 2


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_a_leaf_of_another_python_loads_next_to_nothing(version: str) -> None:
    _, modules = run_leaf(need_python(version))
    assert not modules & NEVER


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_python_that_is_too_old_says_so(version: str) -> None:
    python = need_python(version)
    payload = marshal.dumps((*bundle.kit(), *config(0, b"")), 2)
    code = commandline.BOOTSTRAP.replace(commandline.ALARM, "")  # no python3 is a 2
    code = code.replace("sys.stdin.buffer", "getattr(sys.stdin,'buffer',sys.stdin)")
    run = subprocess.run(
        [python, "-S", "-E", "-c", code if version == "2.7" else commandline.BOOTSTRAP],
        input=b"%x\n" % len(payload) + payload, capture_output=True, check=False, timeout=20,
    )  # fmt: skip
    assert run.returncode == 76
    assert run.stderr.decode().startswith(f"mpboot: python {version}.")
    assert run.stderr.decode().endswith("is too old: 3.8 or newer is needed\n")


def test_hosts_with_a_python_that_is_too_old_fail_with_the_right_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_first(need_python("3.6"), tmp_path, monkeypatch)
    report = mpboot.boot("h1", rsh="local", retries=0, timeout=60)
    assert (report.hosts["h1"].cause, report.hosts["h1"].phase) == ("no-python", "shell")
    assert "too old" in report.hosts["h1"].detail
