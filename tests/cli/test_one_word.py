"""A command that is one word: a program whose path has blanks, or a line that wants a shell."""

from __future__ import annotations

from pathlib import Path

from mpboot.cli import habits
from tests.support.run_mpboot import mpboot


class TestOneWord:
    def test_a_path_with_a_blank_may_be_a_program(self, tmp_path: Path) -> None:
        program = tmp_path / "my program"
        program.write_text("#!/bin/sh\necho it is\n")
        program.chmod(0o755)
        assert mpboot("--hosts", "a", "--rsh", "local", "--", str(program)).stdout == "a: it is\n"

    def test_if_it_is_none_the_end_says_what_to_type(self) -> None:
        run = mpboot("--hosts", "a", "--rsh", "local", "--", "/bin/nosuch -l")
        assert run.returncode == 127
        line = "mpboot: '/bin/nosuch -l' is one word, and no shell splits it: type -- /bin/nosuch -l"
        assert run.stderr.splitlines()[-1] == line

    def test_plain_words_that_are_not_found_have_no_hint(self) -> None:
        assert habits.hint(["nosuch"], [127]) == ""
        assert habits.hint(["/a b", "c"], [127]) == ""
        assert habits.hint(["cd", "/tmp"], [0, None]) == ""  # some systems have such a program
        assert habits.hint(["/a b"], [126, None]) == ""

    def test_a_directory_is_an_option(self) -> None:
        said = "cd is built into shells, and no shell runs here: type --chdir '/a b' in front of --, or -- sh -c 'cd …'"
        assert habits.hint(["cd", "/a b"], [127]) == said
