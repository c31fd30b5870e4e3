"""What the documentation shows is true: its examples run, its links lead somewhere, its lists are whole."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pytest
import typer.core
import typer.main

from mpboot.advice import ADVICE
from mpboot.cli import main
from mpboot.head.options import Options
from mpboot.net import link
from mpboot.tree import causes
from mpboot.tree.policy import TOPOLOGIES
from mpboot.workers import diagnosis
from tests.support.cluster import need_programs, program

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
OURS = [ROOT / "README.md", ROOT / "docs" / "library.md"]  # whose examples run as they stand
ROOMS = sorted(path.parent.name for path in (ROOT / "mpboot").glob("*/__init__.py"))
TRAVELS = ("tree", "net", "node", "workers")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("MPBOOT_")},
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
}


def blocks(language: str) -> dict[str, str]:
    """The examples in a language, by the page and their number there."""
    return {
        f"{page.name}-{number}": text
        for page in OURS
        for number, (kind, text) in enumerate(FENCE.findall(page.read_text()))
        if kind == language
    }


def local_commands() -> list[str]:
    """The lines of shell examples that need nothing but this machine."""
    return [
        line
        for page in OURS
        for kind, text in FENCE.findall(page.read_text())
        if kind == "sh"
        for line in text.splitlines()
        if line.startswith("mpboot ") and "--rsh local" in line
    ]


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """A directory with the hostfile that the examples name."""
    (tmp_path / "hosts").write_text("".join(f"node{number}\n" for number in range(1, 7)))
    return tmp_path


def run(argv: Sequence[str], where: Path) -> str:
    """What a command prints; it must succeed. Its sessions are nobody else's."""
    with TemporaryDirectory(prefix="docs-") as runtime:
        return _run(argv, where, {**ENVIRONMENT, "XDG_RUNTIME_DIR": runtime})


def _run(argv: Sequence[str], where: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        argv, cwd=where, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("text", blocks("python").values(), ids=blocks("python").keys())
def test_python_example_runs(text: str, where: Path) -> None:
    assert run([sys.executable, "-c", text], where)


@pytest.mark.parametrize("line", local_commands(), ids=str)
def test_command_example_runs(line: str, where: Path) -> None:
    run(shlex.split(line, comments=True), where)


SHOWN = re.compile(r"^    \$ (mpboot .*)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$ )))+)", re.MULTILINE)
ELSEWHERE = re.compile(r"mpboot (inspect|hosts -b)|--hosts-count \d{6}")  # needs real hosts, or long


def transcripts() -> dict[str, str]:
    """Command lines that need nothing but this machine, and what the pages show of each."""
    pages = "".join(page.read_text() for page in PAGES)
    return {line: textwrap.dedent(text) for line, text in SHOWN.findall(pages) if not ELSEWHERE.search(line)}


@pytest.mark.parametrize("line", transcripts(), ids=str)
def test_what_is_shown_is_printed(line: str, where: Path) -> None:
    done = subprocess.run(
        shlex.split(line), cwd=where, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == transcripts()[line]


def test_there_are_transcripts() -> None:
    assert len(transcripts()) >= 6


def test_there_are_examples() -> None:
    assert blocks("python")
    assert local_commands()


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    local = [link.partition("#") for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link, _, _ in local if link and not (page.parent / link).exists()] == []
    wanted = [(page.parent / link if link else page, anchor) for link, _, anchor in local if anchor]
    assert [(where.name, anchor) for where, anchor in wanted if anchor not in anchors(where)] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ("CHANGELOG.md", "changes.md")], ids=lambda page: page.name
)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`((?:tests|tools|mpboot|docs)/[\w/.*-]+)", page.read_text())
    assert [name for name in named if "ROOM" not in name and not list(ROOT.glob(name))] == []


def test_the_index_has_every_page() -> None:
    text = (ROOT / "docs" / "index.md").read_text()
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md"]
    assert [name for name in pages if name not in text] == []


def test_every_cause_has_its_section() -> None:
    sections = re.findall(r"^## ([a-z-]+)$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert sections == list(causes.ALL)


def test_no_message_leads_to_a_page_that_is_not_installed() -> None:
    found = []
    for path in (ROOT / "mpboot").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        docstrings = [node.value for node in nodes if isinstance(node, ast.Expr)]
        texts = [node for node in nodes if isinstance(node, ast.Constant) and node not in docstrings]
        found += [(path.name, text.value) for text in texts if "docs/" in str(text.value)]
    assert found == []


def test_every_topology_is_told() -> None:
    text = (ROOT / "docs" / "sizing.md").read_text()
    assert [word for word in TOPOLOGIES if f"| `{word}`" not in text] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


def test_every_option_has_its_line() -> None:
    pages = {
        "boot": "mpboot.md",
        "plan": "mpboot.md",
        "inspect": "inspect.md",
        "env": "ssh.md",
        "push": "files.md",
        "pull": "files.md",
    }
    missing: list[object] = []
    group = typer.main.get_command(main.app)
    assert isinstance(group, typer.core.TyperGroup)
    for name, command in group.commands.items():
        text = (ROOT / "docs" / pages.get(name, "sessions.md")).read_text()
        options = [option for param in command.params for option in param.opts if option.startswith("-")]
        missing += [(name, option) for option in options if f"`{option}" not in text]
        if name == "boot":
            missing += [param.envvar for param in command.params if param.envvar and f"`{param.envvar}`" not in text]
    assert missing == []


def test_each_synopsis_is_that_of_help() -> None:
    group = typer.main.get_command(main.app)
    assert isinstance(group, typer.core.TyperGroup)
    usage = {name: f"mpboot {name} {_usage(command, name)}" for name, command in group.commands.items()}
    usage["boot"] = f"mpboot {_usage(group, 'mpboot')}"
    page = (ROOT / "docs" / "mpboot.md").read_text().partition("`mpboot HOSTFILE …` is short")[0]
    assert sorted(re.findall(r"^    (mpboot .*)$", page, re.MULTILINE)) == sorted(usage.values())
    for name, line in usage.items():
        lines = (ROOT / "docs" / "man" / f"mpboot{f'-{name}' * (name != 'boot')}.1").read_text().splitlines()
        shown = re.sub(r"\\f[BR]|\\&|\\(?=-)", "", lines[lines.index(".SH SYNOPSIS") + 1])
        assert shown == line.replace("…", "...")


def _usage(command: Any, name: str) -> str:
    """What stands behind the command's name in its help."""
    return " ".join(command.collect_usage_pieces(typer.Context(command, info_name=name)))


@pytest.mark.parametrize(("name", "page"), [("boot", "mpboot.md"), ("plan", "mpboot.md"), ("inspect", "inspect.md")])
def test_defaults_are_those_of_help(name: str, page: str) -> None:
    group = typer.main.get_command(main.app)
    assert isinstance(group, typer.core.TyperGroup)
    rows = re.findall(r"^\| `--.*$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    said = {
        param.opts[0]: found[1]
        for param in group.commands[name].params
        if (found := re.search(r"\[([0-9.]+%?)\]$", getattr(param, "help", None) or ""))
    }
    assert said
    for option, default in said.items():
        row = next(row for row in rows if row.startswith(f"| `{option} "))
        ends = "not at all" if option == "--wait-for" else default
        assert row.endswith(f"| {ends} |") or f"({default})" in row, row


def test_the_library_page_has_every_option_with_its_default() -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    rows = re.findall(
        r"^\| `(\w+)` \| `?([^|`]*)`? \|", page.partition("## boot(")[2].partition("\n## ")[0], re.MULTILINE
    )
    defaults = [(one.name, str(one.default) if one.default != "" else '""') for one in fields(Options)]
    assert sorted((name, default if default == '""' else default.strip('"')) for name, default in rows) == sorted(
        defaults
    )


@pytest.mark.parametrize("name", ["README.md", "docs/mpboot.md"])
def test_a_connection_that_is_shown_waited_as_long_as_one_does(name: str) -> None:
    part, least = diagnosis.LIMITS[diagnosis.CONNECT]
    waited = re.findall(r"no answer to SYN from \S+ for (\d+) s", (ROOT / name).read_text())
    assert [float(one) for one in waited] == [max(part * Options().timeout, least)]


def test_the_protocol_has_every_kind_of_frame_by_its_number() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    rows = {int(number): name for number, name in re.findall(r"^\| (\d+) \| ([A-Z]+) \|", text, re.MULTILINE)}
    assert rows == link.KINDS


def test_the_architecture_has_every_module_that_travels() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    house = ROOT / "mpboot"
    there = {path.relative_to(house) for room in TRAVELS for path in (house / room).glob("*.py")}
    assert sorted(str(path) for path in there if path.name != "__init__.py" and f"{path.name}`" not in text) == []
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/\w+\.py)`", text)
    assert [name for name in named if not (house / name).exists()] == []
    assert {name.partition("/")[0] for name in named} >= set(TRAVELS)


@pytest.mark.parametrize("name", ["README.md", "docs/mpboot.md", "docs/tutorial.md"])
def test_a_report_that_is_shown_ends_as_a_report_does(name: str) -> None:
    shown = re.findall(r"^    ([a-z-]+) +\S+  .*\n        -> .*\n(.*)\n", (ROOT / name).read_text(), re.MULTILINE)
    assert shown
    assert all(last == f"        -> more: mpboot explain {cause}" for cause, last in shown)
    advised = re.findall(r"^        -> (?!more: )(.*)$", (ROOT / name).read_text(), re.MULTILINE)
    assert {*advised} <= {*ADVICE.values()}


def test_it_makes_a_site(tmp_path: Path) -> None:
    need_programs("mkdocs")
    words = ["--quiet", "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(tmp_path)]
    run([program("mkdocs"), "build", *words], tmp_path)
    assert "connect-timeout" in (tmp_path / "troubleshooting" / "index.html").read_text()


PICTURES = {
    "boot": "given up after",
    **dict.fromkeys(("display-80x24", "display-100x30", "display-200x50"), "gives up in"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_one_of_today(name: str) -> None:
    tree = ElementTree.parse(ROOT / "docs" / "images" / f"{name}.svg")
    assert tree.getroot().tag == "{http://www.w3.org/2000/svg}svg"
    text = "".join(tree.getroot().itertext())
    assert "mpboot" in text
    assert PICTURES[name] in " ".join(text.split())
