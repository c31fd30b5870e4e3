"""Whether a session would outlive its login."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from mpboot.session import login


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with logind, seen by a user who is not root."""
    for name in ("run/systemd/seats", "etc/systemd/logind.conf.d", "usr/lib/systemd", "var/lib/systemd/linger"):
        (tmp_path / name).mkdir(parents=True)
    user = pwd.getpwuid(65534 if os.getuid() == 0 else os.getuid())
    monkeypatch.setattr("os.getuid", lambda: user.pw_uid)
    return tmp_path


def test_by_default_it_does(root: Path) -> None:
    (root / "etc/systemd/logind.conf").write_text("[Login]\n#KillUserProcesses=yes\n")
    assert login.advice(root) == ""


@pytest.mark.parametrize("value", ["yes", "true", "1", "On"])
def test_where_logind_kills_it_does_not(root: Path, value: str) -> None:
    (root / "usr/lib/systemd/logind.conf").write_text("[Login]\nKillUserProcesses=no\n")
    (root / "etc/systemd/logind.conf.d/x.conf").write_text(f"[Login]\nKillUserProcesses = {value}\n")
    assert "loginctl enable-linger" in login.advice(root)
    (root / "var/lib/systemd/linger" / pwd.getpwuid(os.getuid()).pw_name).touch()
    assert login.advice(root) == ""


def test_without_logind_it_does(tmp_path: Path) -> None:
    assert login.advice(tmp_path) == ""


def test_a_user_without_a_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container may have: nobody can have told logind of him."""
    monkeypatch.setattr("os.getuid", lambda: 1234567)
    assert login.advice(root) == ""
    (root / "etc/systemd/logind.conf").write_text("[Login]\nKillUserProcesses=yes\n")
    assert "loginctl enable-linger" in login.advice(root)
