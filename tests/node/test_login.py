"""What sshd's configuration says of a login, read as sshd reads it; and what an agent says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpboot.net.login import ABOUT, COMMAND, Login, pack_window, unpack_window
from mpboot.node import login

CONFIG = """# a remark
acceptenv LANG LC_*  # and no more
AcceptEnv=XMODIFIERS
AcceptEnv = "COLORTERM"

Subsystem sftp /usr/lib/sftp-server -f AUTH -o a=b
Include {more}/*.conf
Match User joe
  AcceptEnv SECRET
"""


def test_lines_that_hold_for_everybody(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "one.conf").write_text("AcceptEnv FROM_*\nMatch all\nAcceptEnv NOT\n")
    (tmp_path / "more" / "none.txt").write_text("AcceptEnv NEITHER\n")
    path = tmp_path / "sshd_config"
    path.write_text(CONFIG.format(more=tmp_path / "more"))
    found = login._configured(str(path))
    accepted = [word for keyword, words in found for word in words if keyword == "acceptenv"]
    assert accepted == ["LANG", "LC_*", "XMODIFIERS", "COLORTERM", "FROM_*"]
    assert ("subsystem", ["sftp", "/usr/lib/sftp-server", "-f", "AUTH", "-o", "a=b"]) in found


def test_a_configuration_that_can_not_be_read_is_not_known(tmp_path: Path) -> None:
    assert login._configured(str(tmp_path / "none")) == []


@pytest.mark.parametrize("line", ["", "   ", "#", "# x y", "=", " = "])
def test_lines_that_say_nothing(line: str) -> None:
    assert login._words_of(line) == []


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("LC_*", "LC_ALL", True), ("LC_*", "LC", False), ("LANG", "LANGUAGE", False), ("L?NG", "LANG", True),
        ("*", "", True), ("", "", True), ("", "x", False), ("*X*", "AXB", True), ("*X", "AXB", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert login._accepts([pattern], name) is fits


def test_a_name_of_no_possible_length_is_not_taken() -> None:
    assert not login._accepts(["*"], "x" * 5000)


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
