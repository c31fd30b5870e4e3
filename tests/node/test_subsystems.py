"""Which program a subsystem is, by what the host's sshd_config says."""

from __future__ import annotations

import pytest

from mpboot.node import login
from mpboot.node.program import NotRun

SERVER = "/bin/sh"  # one that is there


@pytest.mark.parametrize(
    ("line", "name", "command"),
    [
        ("Subsystem sftp /opt/sftp-server -l INFO", "sftp", "/opt/sftp-server -l INFO"),
        ("subSystem sftp internal-sftp", "sftp", SERVER),
        ("Subsystem sftp internal-sftp -R -u 0027", "sftp", f"{SERVER} -R -u 0027"),  # read only, as that sshd has it
        ("# none", "sftp", SERVER),
        ("Subsystem files /opt/files", "files", "/opt/files"),
    ],
)
def test_a_subsystem(monkeypatch: pytest.MonkeyPatch, line: str, name: str, command: str) -> None:
    monkeypatch.setattr(login, "SFTP_SERVERS", ("/nowhere", SERVER))
    words = line.split()
    found = login._subsystem(name, [words[1:]] if words[0] != "#" else [])
    if command.startswith(SERVER):  # without a shell
        assert found == (b"", command.encode().split())
    else:
        assert found == (command.encode(), [])


def test_one_that_nobody_knows() -> None:
    with pytest.raises(NotRun, match="subsystem files: sshd's configuration names no program for it"):
        login._subsystem("files", [["sftp", "internal-sftp"]])
