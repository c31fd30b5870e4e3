"""What a host itself printed, its shell, its interpreter and what ate the input → cause, phase and the line shown."""

from __future__ import annotations

import pytest

from mpboot.tree import causes
from mpboot.workers.diagnosis import SHELL, diagnose
from tests.workers.given import evidence


def test_a_login_that_is_not_allowed_says_so_on_stdout() -> None:
    given = evidence("", 1)
    given.noise = "This account is currently not available.\n"
    assert diagnose(given)[::2] == (
        causes.RSH_FAILED, "logged in, but the shell ended with code 1: This account is currently not available.",
    )  # fmt: skip


def test_what_was_printed_is_told_whether_on_stdout_or_beside_a_banner_on_stderr() -> None:
    given = evidence("Authorised users only.\n", 1)
    given.noise = "This account is closed.\n"
    assert diagnose(given)[2].endswith(" code 1: This account is closed. | Authorised users only.")
    given.noise = "one\n\ntwo\nthree\nfour\n"
    assert diagnose(given)[2].endswith(" code 1: one … | four | Authorised users only.")


def test_an_interpreter_that_ends_at_once() -> None:
    given = evidence("libpython is not there\n", 127)
    given.python, given.python_began = "/opt/py", True
    told = "/opt/py ended before it got to mpboot's code (ssh ended with code 127): libpython is not there"
    assert diagnose(given) == (causes.NO_PYTHON, SHELL, told)
    given.stderr = ""
    assert diagnose(given)[2] == told.partition(": ")[0]
    given.exit_code = 255  # ssh's own trouble, or a signal there
    assert diagnose(given)[0] == causes.NO_PYTHON
    given.stderr = "client_loop: send disconnect: Broken pipe\n"
    assert diagnose(given)[0] == causes.RSH_FAILED
    given.rsh = "rsh"
    assert diagnose(given)[0] == causes.NO_PYTHON
    given.exit_code = -9
    assert diagnose(given)[0] == causes.RSH_FAILED


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ('  File "<string>", line 1, in <module>\nMemoryError', causes.AGENT_CRASH),
        ('  File "<mpboot.node.leaf>", line 1, in main\nOSError: x', causes.AGENT_CRASH),
        ('  File "<mpboot.node.leaf>", line 1, in main\nImportError: x from mpboot.net', causes.AGENT_CRASH),
        ('  File "<mpboot.node.leaf>", line 1, in <module>\nModuleNotFoundError: No module named \'_blake2\'',
         causes.NO_PYTHON),
        ('  File "/opt/shim", line 3, in <module>\nRuntimeError: x', causes.NO_PYTHON),
    ],
)  # fmt: skip
def test_whose_traceback_it_is(lines: str, cause: str) -> None:
    given = evidence("Traceback (most recent call last):\n" + lines, 1)
    said = diagnose(given)
    assert said[0] == cause
    assert cause == causes.AGENT_CRASH or said[2] == "python3: " + lines.splitlines()[-1]
    given.agent = True
    assert diagnose(given)[0] == causes.AGENT_CRASH


@pytest.mark.parametrize(
    ("shell", "file"),
    [("/bin/bash", ".bashrc"), ("/usr/bin/tcsh", ".tcshrc or .cshrc"), ("", "a start-up file")],
)
@pytest.mark.parametrize("code", [0, 93, None])
def test_input_that_something_else_has_read(shell: str, file: str, code: int | None) -> None:
    given = evidence("noise", code)
    given.shell, given.eaten, given.logged_in = shell, True, True
    cause, phase, detail = diagnose(given)
    assert (cause, phase) == (causes.SHELL_HANG, SHELL)
    assert detail.startswith(f"logged in, but {file} read what was the agent's: ")
