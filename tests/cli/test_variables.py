"""Variables of the environment that are meant for mpboot and misspelt."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mpboot.cli import variables
from tests.cli.commands import COMMANDS
from tests.support.run_mpboot import mpboot


class TestVariables:
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
