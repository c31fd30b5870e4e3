"""How far a launch has come, by what its host says after the marker, however that is cut."""

from __future__ import annotations

import pytest

from mpboot.net.work import STATES
from mpboot.workers.commandline import heading
from mpboot.workers.launch import KEEP, LINE, SHELL_NAME, Signs


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_progress_however_it_is_cut(size: int) -> None:
    progress = Signs("MARK")
    said = b"motd\n\nMARK shell\nnoise MARK agent\nMARK other\nMARK stdio a: b\n\1frames MARK tcp\n"
    for at in range(0, len(said), size):
        if not progress.connected:
            progress.take(said[at : at + size])
    assert [name for name, _ in progress.states] == ["shell", "agent", "stdio"]
    assert (progress.state, progress.connected, progress.agent, progress.logged_in) == ("stdio", True, True, True)
    assert progress.blocked == "a: b"
    assert b"\1frames MARK tcp\n".startswith(bytes(progress.rest))
    assert progress.said() == "motd\n\nnoise "


def test_a_long_line_with_the_marker_is_read_whole() -> None:
    progress = Signs("MARK")
    progress.take(b"MARK blocked " + b"x" * 3000)
    progress.take(b"y\n")
    assert progress.blocked == "x" * 3000 + "y"


def test_a_shell_is_no_agent() -> None:
    progress = Signs("MARK")
    assert (progress.state, progress.connected) == ("", False)
    progress.take(b"MARK shell\n")
    assert (progress.logged_in, progress.agent, progress.connected) == (True, False, False)
    progress.take(b"MARK blocked x\n")
    assert (progress.agent, progress.connected, progress.state) == (True, False, "blocked")


def test_an_agent_is_no_login_of_ours() -> None:
    progress = Signs("MARK")
    progress.take(b"MARK agent\n")
    assert (progress.logged_in, progress.agent) == (False, True)


def test_noise_without_end_is_not_kept() -> None:
    progress = Signs("MARK")
    progress.take(b"x" * 5000 + b"end")
    assert progress.said() == "x" * (KEEP - 3) + "end"
    assert len(progress.noise) + len(progress.rest) <= KEEP + len("MARK")
    progress = Signs("MARK")
    progress.take(b"MARK shell")
    progress.take(b"y" * (LINE - 10))
    assert bytes(progress.rest) == b"MARK shell" + b"y" * (LINE - 10)
    progress.take(b"y")
    assert progress.said() == "y" * KEEP
    assert len(progress.noise) + len(progress.rest) <= KEEP + len("MARK")


def test_the_login_shell_and_what_began() -> None:
    progress = Signs("MARK")
    progress.take(b"MARK shell=/bin/ba")
    progress.take(b"sh\nMARK python\n")
    assert [name for name, _ in progress.states] == ["shell=/bin/bash", "python"]
    assert (progress.shell, progress.python, progress.eaten, progress.agent) == ("/bin/bash", True, False, False)
    progress.take(b"MARK eaten\n")
    assert (progress.eaten, progress.agent) == (True, False)


def test_an_echoed_command_line_is_none_of_that() -> None:
    progress = Signs("MARK")
    progress.take(b"+ echo MARK shell=$SHELL; echo MARK python; exec python3\necho MARK eaten; exit 93 #1234\n")
    assert (progress.states, progress.logged_in) == ([], False)


def test_a_payload_that_comes_back_is_not_kept() -> None:
    """The agent's key is in it."""
    progress = Signs("MARK")
    progress.take(heading("MARK", 300) + b"secret\n" * 20)
    progress.take(b"secret" * 20 + b"\nMARK eaten\n" + b"secret" * 3)
    assert progress.said() == "what was sent to the agent, printed"
    assert progress.eaten


def test_a_shell_s_name_without_end_is_cut() -> None:
    progress = Signs("MARK")
    progress.take(b"MARK shell=/" + b"x" * 5000 + b"\n")
    assert progress.shell == "/" + "x" * (SHELL_NAME - 1)


def test_a_marker_that_comes_behind_noise_is_found_however_it_is_cut() -> None:
    progress = Signs("MARK")
    for piece in (b"x" * 5000 + b"MA", b"RK she", b"ll\n"):
        progress.take(piece)
    assert progress.logged_in
    assert progress.said() == "x" * KEEP


def test_what_a_host_says_without_end_is_not_kept() -> None:
    progress = Signs("MARK")
    for _ in range(1000):
        progress.take(b"MARK shell\n" * 10)
    assert len(progress.states) == STATES
    before = progress.since
    progress.note("more")
    assert progress.since >= before
    assert len(progress.states) == STATES
    assert len(progress.noise) + len(progress.rest) < 100
