"""Variables of the environment that are meant for mpboot and misspelt."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mpboot.cli import variables
from tests.cli.commands import COMMANDS
from tests.cli.conftest import Refused
from tests.support.run_mpboot import mpboot


class TestVariables:
    def test_one_by_the_name_of_its_option(self) -> None:
        line = variables.misspelt({"MPBOOT_NAME": "two"}, ["MPBOOT_SESSION", "MPBOOT_HOSTS"])
        assert line == "warning: no variable of mpboot's: MPBOOT_NAME (did you mean MPBOOT_SESSION?)"

    def test_so_it_is_where_another_command_has_such_a_variable(self) -> None:
        """MPBOOT_NAME is inspect's."""
        run = mpboot("sessions", MPBOOT_NAME="two")
        assert run.stderr.startswith(
            "mpboot: warning: no variable of mpboot's: MPBOOT_NAME (did you mean MPBOOT_SESSION?)\n"
        )
        assert mpboot("inspect", "--name", "x", MPBOOT_NAME="two").stderr.count("MPBOOT_NAME") == 0

    def test_a_misspelt_one_is_said(self) -> None:
        run = mpboot("plan", "--hosts", "a", MPBOOT_TIMOUT="3", MPBOOT_Children="4", MPBOOT_DIR="/", MPBOOT_RANK="3")
        assert run.stderr == (
            "mpboot: warning: no variable of mpboot's: MPBOOT_Children (did you mean MPBOOT_CHILDREN?), "
            "MPBOOT_TIMOUT (did you mean MPBOOT_TIMEOUT?)\n"
        )

    @pytest.mark.parametrize("name", ["RANK", "SIZE", "HOST", "SESSION", "TOKEN", "REQUIRE", "HOME", "X", "", "PORT"])
    def test_those_of_others_are_not(self, name: str) -> None:
        run = mpboot("plan", "--hosts", "a", **{f"MPBOOT_{name}": "1"})
        assert (run.returncode, run.stderr) == (0, "")

    def test_all_of_ours_are_known(self) -> None:
        known = [str(param.envvar) for command in COMMANDS.values() for param in command.params if param.envvar]
        assert variables.misspelt(dict.fromkeys(known, ""), known) == ""

    @pytest.mark.long
    def test_not_where_it_is_to_be_quiet(self) -> None:
        words = ("--hosts", "a", "--rsh", "local")
        assert mpboot(*words, "--quiet", MPBOOT_TIMOUT="3").stderr == ""
        assert mpboot(*words, MPBOOT_QUIET="1", MPBOOT_TIMOUT="3").stderr == ""
        assert "MPBOOT_TIMOUT" in mpboot(*words, MPBOOT_QUIET="0", MPBOOT_TIMOUT="3").stderr

    def test_a_command_on_a_host_may_call_mpboot(self) -> None:
        line = f"{sys.executable} -m mpboot plan --hosts x"
        run = mpboot("--hosts", "a", "--rsh", "local", "--quiet", "--", "sh", "-c", f"cd {Path.cwd()}; {line}",
                     PYTHONPATH=os.pathsep.join(filter(None, sys.path)))  # fmt: skip
        assert (run.returncode, run.stderr) == (0, "")


class TestBlame:
    """What is wrong with an option's value is said of the variable, where it came from there."""

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("HOSTS", "a[", "--hosts (MPBOOT_HOSTS): bad node set 'a['"),
            ("HOSTS", "-", "--hosts (MPBOOT_HOSTS) -: hosts of standard input need no option"),
            ("EXCLUDE", "h1", "--exclude (MPBOOT_EXCLUDE) h1: no host is left"),
            ("EXCLUDE", "h[", "--exclude (MPBOOT_EXCLUDE): bad node set 'h['"),
            ("RSH", "ssh {foo}", "--rsh (MPBOOT_RSH) 'ssh {foo}': nothing can be filled in for {foo}: there are "),
            ("RSH", "'", "--rsh (MPBOOT_RSH) \"'\" can't be split into words"),
            ("STDIN", "/nonexistent", "--stdin (MPBOOT_STDIN) /nonexistent: No such file"),
            ("JSON", "/nonexistent/x", "--json (MPBOOT_JSON) /nonexistent/x: No such file"),
            ("QUORUM", "9", "--quorum (MPBOOT_QUORUM) must be 1, the number of hosts, or"),
            ("TIMEOUT", "soon", "--timeout (MPBOOT_TIMEOUT) must be "),
            ("REJOIN", "1", "--idle-timeout and --rejoin (MPBOOT_REJOIN) are for a session"),
            ("SESSION", "a b", "--name (MPBOOT_SESSION) must be "),
        ],
    )
    def test_a_variable(self, refused: Refused, name: str, value: str, says: str) -> None:
        hosts = () if name == "HOSTS" else ("--hosts", "h1")
        line = refused(*hosts, "--", "true", **{f"MPBOOT_{name}": value})
        assert line.startswith(f"mpboot: {says}")

    def test_two_of_them(self, refused: Refused) -> None:
        line = refused("--hosts", "h1", MPBOOT_CHILDREN="2", MPBOOT_FANOUT="3")
        assert line.startswith("mpboot: --children (MPBOOT_CHILDREN) and --fanout (MPBOOT_FANOUT) both say how wide")

    def test_what_is_typed(self, refused: Refused) -> None:
        assert refused("--hosts", "a[", MPBOOT_HOSTS="b").startswith("mpboot: --hosts: bad node set 'a['")
        assert refused("--hosts", "h1", "--rsh", "ssh {foo}").startswith("mpboot: --rsh 'ssh {foo}': nothing ")

    def test_what_is_doubtful(self) -> None:
        run = mpboot("plan", MPBOOT_HOSTS="a:22")
        assert run.stderr.startswith("mpboot: warning: --hosts (MPBOOT_HOSTS): 'a:22' is read as 22 slots")

    def test_a_directory(self) -> None:
        run = mpboot("--hosts", "a", "--rsh", "local", "--", "true", MPBOOT_OUTPUT_DIR="/proc/x")
        assert (run.returncode, run.stderr.partition(": No such")[0]) == (
            74, "mpboot: --output-dir (MPBOOT_OUTPUT_DIR) /proc/x"
        )  # fmt: skip
