"""What a shell is offered for what has been typed so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from mpboot.cli.completion import split
from mpboot.cli.offers import DIRECTORIES, FILES, Offers, offers
from mpboot.session import handle
from tests.cli.commands import COMMANDS, GROUP


def offered(line: str) -> Offers:
    """For what stands behind mpboot; the word in front of the cursor is its last."""
    *typed, current = split(line)
    with typer.Context(GROUP, info_name="mpboot") as context:
        return offers(typed, current, COMMANDS, GROUP.get_params(context))


def values(line: str) -> list[str]:
    return [value for value, _ in offered(line).rows]


@pytest.fixture(autouse=True)
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with a hostfile, and no session."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("MPBOOT_SESSION", raising=False)
    (tmp_path / "hosts").write_text("node1\nnode2 user=joe\nother\n")


class Daemon:
    """Stands in the place of a session."""

    def __init__(self, name: str) -> None:
        self.name = name

    def nodes(self) -> dict[str, Any]:
        return {f"{self.name}{number}": {} for number in (1, 2)}

    def jobs(self) -> list[dict[str, Any]]:
        return [{"job": 3}, {"job": 31}, {"job": 4}]


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handle, "Session", Daemon)
    monkeypatch.setattr(handle, "sessions", lambda: ["default", "night"])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ex", ["exec", "explain"]),
        ("s", ["sessions", "shrink"]),
        ("hosts --topo", ["--topology"]),
        ("--inst", ["--install-completion"]),
        ("--install-completion z", ["zsh"]),
        ("--rsh ", ["ssh", "rsh", "local"]),
        ("hosts --rsh lo", ["local"]),
        ("hosts --rsh=lo", ["--rsh=local"]),
        ("hosts -v --topology t", ["tree"]),
        ("boot --transport ", ["auto", "tcp", "stdio"]),
        ("plan --shell-probe s", ["separate"]),
        ("env --shell f", ["fish"]),
        ("kill --signal US", ["USR1", "USR2"]),
        ("exec --gat", ["--gather"]),
        ("exec --det", ["--detach"]),
        ("exec --topo", []),
        ("exec --timeout ", []),
        ("hosts -x no", ["node1", "node2"]),
        ("hosts -xno", ["-xnode1", "-xnode2"]),
        ("hosts --exclude=no", ["--exclude=node1", "--exclude=node2"]),
        ("hosts -x node1,", ["node1,node2", "node1,other"]),
        ("-w a,b -x ", ["a", "b"]),
        ("-w 'n[1-2]' -x n1,", ["n1,n2"]),
        ("hosts -x 'n[1,", []),
        ("nowhere -x ", []),
        ("c,d -x ", ["c", "d"]),
        ("exec -w ", []),
        ("kill ", []),
        ("inspect --name ", []),
    ],
)
def test_words(line: str, found: list[str]) -> None:
    assert values(line) == found


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("", FILES), ("ho", FILES), ("boot ", FILES), ("grow ", FILES), ("push ", FILES), ("pull a ", FILES),
        ("hosts --json ", FILES), ("hosts --json=", FILES), ("exec --stdin ", FILES), ("plan --latency ", FILES),
        ("hosts --output-dir ", DIRECTORIES), ("exec --output-dir=x", DIRECTORIES), ("exec -- ", FILES),
        ("hosts -- cat ", FILES), ("push -- ", FILES), ("exec ", ""), ("hosts ", ""), ("nodes ", ""), ("kill ", ""),
        ("hosts --timeout ", ""),
    ],
)  # fmt: skip
def test_what_the_shell_itself_offers(line: str, kind: str) -> None:
    assert offered(line).kind == kind


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("exec --name ", ["default", "night"]),
        ("hosts --keep --name=n", ["--name=night"]),
        ("exec -w ", ["default1", "default2"]),
        ("exec --name night -x night1,", ["night1,night2"]),
        ("shrink -w d", ["default1", "default2"]),
        ("push -x default1,default2,", []),
        ("kill 3", ["3", "31"]),
    ],
)
def test_what_a_session_knows(line: str, found: list[str]) -> None:
    assert values(line) == found


@pytest.mark.usefixtures("daemon")
def test_the_session_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPBOOT_SESSION", "night")
    assert values("exec -w ") == ["night1", "night2"]


def test_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpboot.cli.offers._groups", lambda: ["rack1", "rack2", "gpu"])
    assert values("-w @r") == ["@rack1", "@rack2"]
    assert values("exec -w a,@g") == ["a,@gpu"]


def test_a_set_goes_on_and_a_name_does_not() -> None:
    assert offered("hosts -x no").goes_on
    assert not offered("hosts --topology r").goes_on


def test_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_VARIABLE_OF_A_TEST", "1")
    assert values("hosts --env A_VARIABLE_OF") == ["A_VARIABLE_OF_A_TEST"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_help_shows(command: str) -> None:
    found = set(values(f"{command} --"))
    shown = [param for param in COMMANDS[command].params if param.param_type_name == "option" and not param.hidden]
    assert {max(param.opts, key=len) for param in shown if len(max(param.opts, key=len)) > 2} <= found
    assert "--help" in found


def test_what_is_offered_is_told_of() -> None:
    told = dict(offered("hosts --t").rows)
    assert told["--timeout"].startswith("Seconds that a launch may take")
    assert dict(offered("pl").rows)["plan"].startswith("Print the tree")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", [""]), ("a", ["a"]), ("a ", ["a", ""]), ("a  b", ["a", "b"]), ("a 'b c", ["a", "b c"]),
        ('a "b c" d', ["a", "b c", "d"]), ("a\\ b", ["a b"]), ("--x='1 2'", ["--x=1 2"]), ("a\\", ["a"]),
    ],
)  # fmt: skip
def test_words_of_a_line(line: str, found: list[str]) -> None:
    assert split(line) == found
