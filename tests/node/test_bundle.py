"""What goes to a host: packed as it is here, complete, and with a word for a Python that is too old."""

from __future__ import annotations

import marshal
import os
import py_compile
import subprocess
import sys
import zlib
from importlib.util import MAGIC_NUMBER, find_spec
from pathlib import Path
from types import CodeType

import pytest

from mpboot.node import bundle
from tests.node.played import start_host

LOADS_ALL = """
def main(payload, store):
    import marshal, sys
    for packed in payload[5]: store.add(packed)
    for name in payload[6]: __import__(name)
    ours = [module for name, module in sys.modules.items() if name.startswith("mpboot")]
    sys.stdout.write(" ".join(str(module.__spec__.loader is store) for module in ours))
    sys.stdout.flush()
    import os
    os._exit(0)
"""


def file_of(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin
    return Path(spec.origin)


def test_there_is_a_bundle_for_each_part_of_an_agent() -> None:
    assert list(bundle.BUNDLES) == ["leaf", "agent", "parent", "files"]
    waited = ("mpboot.net.patience", "mpboot.net.kernel", "mpboot.node.lost_parent")  # loaded when the parent is silent
    ours = ("mpboot.net.core", "mpboot.net.wire", "mpboot.node.armour", "mpboot.node.leaf")
    assert set(bundle.BUNDLES["leaf"]) == {*ours, *waited}
    everything = [module for modules in bundle.BUNDLES.values() for module in modules]
    twice = [module for module in set(everything) if everything.count(module) > 1]
    assert twice == ["mpboot.node.address"]  # of a parent, and of any host that files go to


@pytest.mark.parametrize("name", list(bundle.BUNDLES))
def test_a_bundle_holds_source_and_code_of_each_module(name: str) -> None:
    packed = bundle.pack(name)
    kind, magic, *both = marshal.loads(packed)
    assert (kind, magic) == (name, MAGIC_NUMBER)
    code, source = (marshal.loads(zlib.decompress(some)) for some in both)
    assert [module for module, _ in code] == [module for module, _ in source] == list(bundle.BUNDLES[name])
    for (module, compiled), (_, text) in zip(code, source):
        assert marshal.loads(text).decode() == file_of(module).read_text()
        program = marshal.loads(compiled)
        assert isinstance(program, CodeType)
        assert program.co_names == compile(marshal.loads(text), "", "exec").co_names
    assert packed == marshal.dumps((kind, magic, *both), 2)  # as every Python 3 reads it
    assert zlib.decompress(both[1]) == marshal.dumps(tuple(source), 2)


def test_the_bundles_are_all_that_an_agent_needs(tmp_path: Path) -> None:
    """…in an interpreter that finds no mpboot anywhere else."""
    kind, magic, code, source = marshal.loads(bundle.pack("leaf"))
    leaf = dict(marshal.loads(zlib.decompress(code)))
    leaf["mpboot.node.leaf"] = marshal.dumps(compile(LOADS_ALL, "leaf", "exec"))
    loads = zlib.compress(marshal.dumps(tuple(leaf.items()), 2)), source
    names = [module for modules in bundle.BUNDLES.values() for module in modules]
    packed = [bundle.pack("agent"), bundle.pack("parent"), bundle.pack("files")]
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        process = start_host((*bundle.kit()[:4], marshal.dumps((kind, magic, *loads), 2), packed, names))
        out, err = process.communicate(timeout=60)
    finally:
        os.chdir(before)
    assert (process.returncode, err) == (0, b"")
    assert out.decode().split() == ["True"] * (len(set(names)) + 5)  # mpboot itself, and its rooms


def test_the_kit_is_what_every_payload_begins_with() -> None:
    prelude, magic, code, source, leaf = bundle.kit()
    assert (prelude, magic, leaf) == (bundle.PRELUDE, MAGIC_NUMBER, bundle.pack("leaf"))
    assert source == file_of("mpboot.node.stage").read_text()
    assert marshal.loads(code).co_names == compile(source, "", "exec").co_names


def run_prelude(version: tuple[int, int, int], magic: bytes = MAGIC_NUMBER) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys, marshal; sys.version_info = {version!r};"
        "stage = compile('print(\"from code\")', '', 'exec');"
        f"payload = ({bundle.PRELUDE!r}, {magic!r}, marshal.dumps(stage), 'print(\"from source\")');"
        "exec(payload[0])"
    )
    return subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 7, 17)])
def test_a_python_that_is_too_old_is_told(version: tuple[int, int, int]) -> None:
    run = run_prelude(version)
    told = "mpboot: python {}.{}.{} is too old: 3.8 or newer is needed\n".format(*version)
    assert (run.returncode, run.stdout, run.stderr) == (76, "", told)


def test_the_stage_is_run_as_code_or_as_source() -> None:
    assert run_prelude((3, 8, 0)).stdout == "from code\n"
    assert run_prelude((4, 0, 0), b"\0\0\r\n").stdout == "from source\n"


@pytest.mark.parametrize("module", ["nothing_of_the_kind", "sys"])
def test_what_is_not_here_can_not_be_packed(module: str) -> None:
    with pytest.raises(OSError, match=f"mpboot's own module {module} can't be found"):
        bundle.source_of(module)


def test_what_has_no_source_can_not_be_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sourceless.py").write_text("")
    py_compile.compile(str(tmp_path / "sourceless.py"), str(tmp_path / "sourceless.pyc"))
    (tmp_path / "sourceless.py").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OSError, match="mpboot's own source of sourceless can't be read"):
        bundle.source_of("sourceless")
