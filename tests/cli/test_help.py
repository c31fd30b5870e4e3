"""The help of every command: it fits a terminal, and tells options, variables and exit codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mpboot.cli import about
from tests.cli.commands import COMMANDS
from tests.support.run_mpboot import mpboot

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mpboot.md"


def section(text: str, title: str) -> str:
    """What stands below a title."""
    return text.partition(f"\n{title}:\n")[2].partition("\n\n")[0]


def visible(command: str) -> list[Any]:
    return [one for one in COMMANDS[command].params if one.param_type_name == "option" and not one.hidden]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The help of each command, and of mpboot as \"\"."""
    return {name: mpboot(*name.split(), "--help", COLUMNS="80").stdout for name in ("", *COMMANDS)}


@pytest.mark.parametrize("columns", ["60", "80", "200", ""])
@pytest.mark.parametrize("command", ["", "boot", "exec", "env", "plan"])
def test_it_fits(command: str, columns: str) -> None:
    shown = mpboot(*command.split(), "-h", COLUMNS=columns).stdout
    assert max(map(len, shown.splitlines())) <= min(80, int(columns or 80))


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_all(texts: dict[str, str], command: str) -> None:
    text = texts[command]
    assert text.startswith(f"Usage: mpboot {command} ")
    assert max(map(len, text.splitlines())) <= 80
    options = {name for param in visible(command) for name in param.opts}
    assert [name for name in {*options, "--help", "-h"} if not re.search(rf"(?m)^  .*{name}\b", text)] == []
    environment = section(text, "Environment")
    assert {param.envvar for param in visible(command)} - {None} <= {*re.findall(r"MPBOOT_\w+", environment)}
    codes = section(text, "Exit codes")
    assert [code for code, _ in about.COMMANDS[command].exits if f"\n  {code}" not in "\n" + codes] == []
    assert re.match(r"  0\b", codes)
    assert "\n  2 " in codes
    for line, _ in about.COMMANDS[command].examples:
        assert line in section(text, "Examples")


def test_the_help_of_all_is_that_of_boot_and_the_commands(texts: dict[str, str]) -> None:
    text = texts[""]
    for title in ("Examples", "Hosts", "Tree", "Launches", "Command", "Session", "Output", "Environment", "Exit codes"):
        assert section(text, title) == section(texts["boot"], title)
        assert section(text, title)
    assert re.findall(r"(?m)^  (\w+)  ", section(text, "Commands")) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_variable_that_is_an_example_is_the_commands(texts: dict[str, str], command: str) -> None:
    environment = " ".join(section(texts[command], "Environment").split())
    found = re.search(r"as well: (--[a-z-]+) \S+ by (MPBOOT_\w+)=", environment)
    assert found or "as well" not in environment
    assert not found or (found[1], found[2]) in {(one.opts[0], one.envvar) for one in visible(command)}


def test_the_name_of_a_program_is_no_sessions(texts: dict[str, str]) -> None:
    assert section(texts["inspect"], "Session") == ""
    assert "--name NAMES" in section(texts["inspect"], "Other options")
    assert "--name NAME" in section(texts["exec"], "Session")


def test_what_plan_takes_since_boot_does_is_not_shown_there(texts: dict[str, str]) -> None:
    assert "--timeout" not in texts["plan"]
    assert "--topology" in texts["plan"]
    assert "plan also takes all other options of boot" in texts["plan"]


def test_shrink_does_not_offer_to_let_all_go_by_default(texts: dict[str, str]) -> None:
    assert "[all]" not in texts["shrink"]
    assert "[all]" in texts["exec"]


def test_there_is_something_to_say_of_each_command_and_of_nothing_else() -> None:
    assert set(about.COMMANDS) == set(COMMANDS)
    named = [name for _, names in about.GROUPS for name in names]
    assert len(named) == len(set(named))
    for command in ("boot", "exec", "plan"):
        assert about.OTHERS not in dict(about.groups(COMMANDS[command].params))
    for command, one in about.COMMANDS.items():
        for line, what in one.examples:
            assert line.startswith(("mpboot", 'eval "$(mpboot env'))
            assert command in line or command == "boot"
            assert what


@pytest.mark.parametrize(("command", "title", "page"), [("boot", "Exit codes", "mpboot.md"),
                                                        ("exec", "Exit codes of exec", "sessions.md")])  # fmt: skip
def test_the_documentation_has_the_same_exit_codes(command: str, title: str, page: str) -> None:
    text = PAGE.with_name(page).read_text().partition(f"### {title}\n")[2].partition("\n#")[0]
    rows = {number for code in re.findall(r"(?m)^\| ([\d, ]+) \|", text) for number in code.split(", ")}
    told = {number for code, _ in about.COMMANDS[command].exits for number in code.split(", ")}
    assert rows - {"code"} == told - {"other", "0 to 254"}
