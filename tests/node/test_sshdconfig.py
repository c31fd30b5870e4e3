"""What sshd's configuration says of a login, read as sshd reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpboot.node import sshdconfig

CONFIG = """# a remark
acceptenv LANG LC_*  # and no more
AcceptEnv=XMODIFIERS
AcceptEnv = "COLORTERM"

Subsystem sftp /usr/lib/sftp-server -f AUTH -o a=b
Include {more}/*.conf
Match User joe
  AcceptEnv SECRET
"""


def test_what_holds_for_all_and_what_for_one(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "one.conf").write_text("AcceptEnv FROM_*\nMatch user nobody\nAcceptEnv NOT\n")
    (tmp_path / "more" / "none.txt").write_text("AcceptEnv NEITHER\n")
    path = tmp_path / "sshd_config"
    path.write_text(CONFIG.format(more=tmp_path / "more"))
    ann, joe = sshdconfig.read("ann", str(path)), sshdconfig.read("joe", str(path))
    accepted = [word for words in ann["acceptenv"] for word in words]
    assert accepted == ["LANG", "LC_*", "XMODIFIERS", "COLORTERM", "FROM_*"]
    assert ann["subsystem"] == joe["subsystem"] == [["sftp", "/usr/lib/sftp-server", "-f", "AUTH", "-o", "a=b"]]
    assert joe["acceptenv"] == [["SECRET"]]


def test_a_configuration_that_can_not_be_read_is_not_known(tmp_path: Path) -> None:
    assert sshdconfig.read("joe", str(tmp_path / "none")) == {}


@pytest.mark.parametrize(
    ("criteria", "holds"),
    [
        ("all", True), ("ALL", True), ("user joe", True), ("User ann,j*", True), ("user ann", False),
        ("user *,!joe", False), ("user joe group staff", True), ("user joe group wheel", False), ("group st?ff", True),
        ("group !staff,*", False), ("user joe address 10.0.0.1", False), ("host *", False), ("user", False),
        ("", False),
    ],
)  # fmt: skip
def test_whom_a_match_is_for(monkeypatch: pytest.MonkeyPatch, criteria: str, holds: bool) -> None:
    monkeypatch.setattr(sshdconfig, "_groups", lambda: ["users", "staff"])
    assert sshdconfig._holds(criteria.split(), "joe") is holds


@pytest.mark.parametrize(
    ("text", "permits"),
    [
        ("", True), ("PermitTTY yes", True), ("permittty no", False), ("Match user joe\nPermitTTY no", False),
        ("Match user ann\nPermitTTY no", True), ("PermitTTY no\nMatch user joe\nPermitTTY yes", True),
        ("PermitTTY", True),
    ],
)  # fmt: skip
def test_terminals(tmp_path: Path, text: str, permits: bool) -> None:
    (tmp_path / "config").write_text(text)
    assert sshdconfig.permits_terminal(sshdconfig.read("joe", str(tmp_path / "config"))) is permits


def test_what_sshd_sets_itself(tmp_path: Path) -> None:
    (tmp_path / "config").write_text('SetEnv A=1 "B=2 3"\nSetEnv C=\n')
    config = sshdconfig.read("joe", str(tmp_path / "config"))
    assert [name for name in ("A", "B", "C", "D", "2") if sshdconfig.is_set(config, name)] == ["A", "B", "C"]


@pytest.mark.parametrize("line", ["", "   ", "#", "# x y", "=", " = "])
def test_lines_that_say_nothing(line: str) -> None:
    assert sshdconfig._words_of(line) == []


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("LC_*", "LC_ALL", True), ("LC_*", "LC", False), ("LANG", "LANGUAGE", False), ("L?NG", "LANG", True),
        ("*", "", True), ("", "", True), ("", "x", False), ("*X*", "AXB", True), ("*X", "AXB", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, name: str, fits: bool) -> None:
    assert sshdconfig.accepts([pattern], name) is fits


def test_a_name_of_no_possible_length_is_not_taken() -> None:
    assert not sshdconfig.accepts(["*"], "x" * 5000)
