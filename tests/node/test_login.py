"""What an agent says of itself, and what a login can be."""

from __future__ import annotations

import pytest

from mpboot.net.login import ABOUT, COMMAND, Login, pack_window, unpack_window
from mpboot.node import login


def test_who_an_agent_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posix.environ", {b"SSH_CONNECTION": b"10.0.0.1 5 10.0.0.2 2222"})
    user, port, forced = login.about().split()
    assert (user != "", port, forced) == (True, "2222", "0")
    monkeypatch.setattr("posix.environ", {b"SSH_ORIGINAL_COMMAND": b"x"})
    assert login.about().split()[1:] == ["22", "1"]


@pytest.mark.parametrize(
    "words",
    [
        [], ["command"], ["nothing", "", "", "0", "0", "0", "0"], ["shell", "", "", "0", "0", "0", "x"],
        ["shell", "", "", "0", "0", "0", "70000"], ["shell", "", "", "0", "0", "0", "0", "ODD=1"],
        ["shell", "", "", "0", "0", "0", "0", "ECHO"], ["shell", "", "", "0", "0", "0", "0", "ECHO=-1"],
        ["shell", "", "x" * 300, "0", "0", "0", "0"],
    ],
)  # fmt: skip
def test_words_that_are_no_login(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no |number|possible"):
        Login.unpack(words)


def test_a_login_and_a_window_come_as_they_were_sent() -> None:
    sent = Login(COMMAND, "ls -l", "vt100", (24, 80, 0, 0), ["ECHO=1", "VERASE=127"])
    came = Login.unpack(sent.words())
    assert came.words() == sent.words()
    assert came.settings == {"ECHO": 1, "VERASE": 127}
    assert Login.unpack(Login(ABOUT).words()).kind == ABOUT
    assert unpack_window(pack_window(7, (1, 2, 3, 65535))) == (1, 2, 3, 65535)
    with pytest.raises(ValueError, match="size"):
        unpack_window(pack_window(7, (1, 2, 3, 4))[:-1])
