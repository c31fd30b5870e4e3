"""rsh's argv, and the remote command line as every login shell reads it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import mpboot
from mpboot.head.observer import Observer
from mpboot.head.report import BootReport
from mpboot.workers.commandline import INLINE, NONE, SEPARATE, remote_command, rsh_argv, rsh_words

COMMANDS = [
    remote_command(INLINE),
    remote_command(INLINE, marker="MPBOOT-0123456789abcdef"),
    remote_command(INLINE, marker="MPBOOT-0123456789abcdef", python="~/my venv/" + "x" * 140),
    remote_command(NONE),
    remote_command(SEPARATE, "/bin/bash"),
    remote_command(SEPARATE, "/usr/bin/fish"),
    remote_command(SEPARATE),
]

# -- rsh's argv ------------------------------------------------------------------------------------


def argv(rsh: str, host: str = "h", user: str | None = None, port: int | None = None) -> list[str]:
    return rsh_argv(rsh, host, user, port, 30.0, "CMD x")


@pytest.mark.parametrize(
    ("rsh", "user", "port", "expected"),
    [
        ("rsh", None, None, ["rsh", "h", "CMD x"]),
        ("rsh", "joe", None, ["rsh", "-l", "joe", "h", "CMD x"]),
        ("/opt/my rsh", None, None, ["/opt/my", "rsh", "h", "CMD x"]),
        ("'/opt/my rsh' -a", None, None, ["/opt/my rsh", "-a", "h", "CMD x"]),
        ("wrap {host} --", None, None, ["wrap", "h", "--", "CMD x"]),
        ("wrap {user}@{host}:{port}", "joe", 2222, ["wrap", "joe@h:2222", "CMD x"]),
        ("wrap {user}@{host}:{port}", None, None, ["wrap", "@h:22", "CMD x"]),
        ("wrap {host}", "joe", 2222, ["wrap", "h", "-l", "joe", "-p", "2222", "CMD x"]),
        ("wrap -u {user}", "joe", None, ["wrap", "-u", "joe", "h", "CMD x"]),
        ("sh -c 'exec nc {host} {port}'", None, 7, ["sh", "-c", "exec nc h 7", "CMD x"]),
        ("local", "joe", 22, ["/bin/sh", "-c", "CMD x"]),
    ],
)
def test_argv(rsh: str, user: str | None, port: int | None, expected: list[str]) -> None:
    assert argv(rsh, "h", user, port) == expected


def test_a_name_is_one_word_whatever_is_in_it() -> None:
    assert argv("rsh {host}", "a b'c\"$x;")[1] == "a b'c\"$x;"
    assert argv("rsh", "fe80::1%eth0")[-2] == "fe80::1%eth0"


@pytest.mark.parametrize("rsh", ["ssh", "/usr/bin/ssh", "ssh -v"])
def test_ssh_asks_nobody_and_forwards_nothing(rsh: str) -> None:
    words = argv(rsh, "h", "joe", 2222)
    joined = " ".join(words)
    assert words[-2:] == ["h", "CMD x"]
    for option in (
        "-o BatchMode=yes",
        "-o ConnectTimeout=31",
        "-o ClearAllForwardings=yes",
        "-x",
        "-T",
        "-l joe",
        "-p 2222",
    ):
        assert option in joined
    assert "-n" not in words, "stdin must stay open"


def test_what_the_user_says_to_ssh_comes_first() -> None:
    words = argv("ssh -o BatchMode=no")
    assert words.index("BatchMode=no") < words.index("BatchMode=yes")


@pytest.mark.parametrize(
    ("rsh", "words"),
    [
        ("ssh -q", ["ssh"]),
        ("ssh -4qn -i key", ["ssh", "-4", "-i", "key"]),
        ("ssh -E log -vv -fNp22", ["ssh", "-vv", "-p22"]),
        ("ssh -vElog -y {host} grep -q", ["ssh", "-v", "{host}", "grep", "-q"]),
        ("ssh -oLogLevel=QUIET -l q", ["ssh", "-oLogLevel=QUIET", "-l", "q"]),
        ("wrap -q", ["wrap", "-q"]),
    ],
)
def test_ssh_is_not_told_to_be_silent_or_deaf(rsh: str, words: list[str]) -> None:
    assert rsh_words(rsh) == words


def test_what_must_be_read_is_set_before_the_users_own() -> None:
    words = rsh_argv("ssh -o LogLevel=QUIET", "h", None, None, 30.0, "CMD", ["-o", "more"])
    assert words[:8] == ["ssh", "-o", "LogLevel=INFO", "-o", "VisualHostKey=no", "-o", "more", "-o"]
    assert words[8] == "LogLevel=QUIET"


@pytest.mark.parametrize(
    ("rsh", "last"),
    [
        ("ssh {host} sudo", ["-l", "joe", "-p", "22", "h", "sudo", "CMD x"]),
        ("ssh -p 7 {user}@{host}", ["-p", "22", "joe@h", "CMD x"]),
        ("ssh -o HostKeyAlias=x {host}", ["-l", "joe", "-p", "22", "h", "CMD x"]),
        ("ssh gate ssh {host}", ["gate", "ssh", "-l", "joe", "-p", "22", "h", "CMD x"]),
    ],
)
def test_options_for_ssh_stand_before_its_host(rsh: str, last: list[str]) -> None:
    words = argv(rsh, "h", "joe", 22)
    assert words[-len(last) :] == last
    assert words.index("BatchMode=yes") < len(words) - len(last)


def test_a_program_before_the_command_gets_no_builtin_of_the_shells() -> None:
    assert rsh_argv("ssh {host} sudo", "h", None, None, 1.0, "exec /bin/sh")[-3:] == ["h", "sudo", "/bin/sh"]
    assert rsh_argv("ssh {host}", "h", None, None, 1.0, "exec /bin/sh")[-2:] == ["h", "exec /bin/sh"]


def test_other_commands_get_no_options_of_ssh() -> None:
    assert argv("sshpass -p x ssh") == ["sshpass", "-p", "x", "ssh", "h", "CMD x"]


@pytest.mark.parametrize("rsh", ["", "   ", "ssh 'unclosed"])
def test_an_rsh_that_is_no_command_line(rsh: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        argv(rsh)


def test_a_short_timeout_is_still_one_for_ssh() -> None:
    assert "ConnectTimeout=1" in rsh_argv("ssh", "h", None, None, 0.2, "x")


# -- the command line ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_single_quotes_and_nothing_that_a_shell_minds_inside(command: str) -> None:
    begin, *words, end = command.split("'")
    assert (begin, end) == ("exec /bin/sh -c ", "")
    assert words[1::2] == [" sh ", " "], "what stands between the quoted words"
    for word in words[::2]:
        assert not set("\\!\n\r\t") & set(word)
        assert word.isascii()
    assert len(command) < 1024


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("/bin/sh", "~/.profile"), ("dash", "~/.profile"), ("/usr/bin/bash", "$SHELL -l -c"),
        ("/bin/zsh", "$SHELL -l -c"), ("/bin/csh", "~/.login"), ("/usr/bin/fish", "$SHELL -l -c"),
        ("/bin/rc", ""), ("", ""),
    ],
)  # fmt: skip
def test_how_login_files_are_read(shell: str, script: str) -> None:
    assert script in remote_command(SEPARATE, shell)
    assert script in remote_command(INLINE)
    assert script == "" or script not in remote_command(NONE, shell)
    assert "$SHELL -" not in remote_command(SEPARATE), "nobody knows it"


# -- as real shells read it ------------------------------------------------------------------------

SHELLS = ("sh", "dash", "bash", "ksh", "mksh", "zsh", "csh", "tcsh", "fish")
PROFILES = {
    "none": None,
    "sets": "MPBOOT_TEST='it'\\''s\n two lines' ; export MPBOOT_TEST\nPATH=$PATH:/nowhere/in/particular\n",
    "noisy": "echo noise\necho trouble >&2\nread line\ncat\nMPBOOT_TEST=noisy; export MPBOOT_TEST\n",
    "exits": "MPBOOT_TEST=exits; export MPBOOT_TEST\nexit 3\n",
    "broken": "MPBOOT_TEST=broken; export MPBOOT_TEST\nif then fi ((\n",
    "strict": "set -eu\nMPBOOT_TEST=strict; export MPBOOT_TEST\nfalse\n",
    "careful": "set -e\nMPBOOT_TEST=careful; export MPBOOT_TEST\n",
    "readonly": "MPBOOT_TEST=readonly; export MPBOOT_TEST\nreadonly MPBOOT_RO=1; export MPBOOT_RO\n",
}
ARRIVES = {"none": None, **{kind: kind for kind in PROFILES if kind != "none"}, "sets": "it's\n two lines"}
READ_IT = ("sh", "dash", "bash", "ksh", "mksh")
# What ends a shell that is not the one in which our script runs: the agent starts without the files.
ENDED_BY = {*((name, "exits") for name in ("bash", "ksh", "mksh")), ("bash", "strict"), ("mksh", "strict")}
SAY = "import os; print(repr(os.environ.get('MPBOOT_TEST')), '/nowhere/in/particular' in os.environ['PATH'])"


def need_shell(name: str) -> str:
    shell = shutil.which(name)
    if shell is None and "shells" in os.environ.get("MPBOOT_REQUIRE", ""):
        pytest.fail(f"{name} is not installed, and MPBOOT_REQUIRE says that it must be")
    if shell is None:
        pytest.skip(f"{name} is not installed")
    return shell


class Listener(Observer):
    """Keeps what the command says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def output(self, host: str, stream: int, line: bytes) -> None:  # noqa: ARG002
        self.lines.append(line.decode())


def boot_through(
    shell: str, login: str, profile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: str = INLINE
) -> tuple[BootReport, list[str]]:
    """Boot one host by an rsh that hands the command line to ``shell``; ``login`` is what $SHELL says there."""
    home = tmp_path / "home"
    home.mkdir()
    if profile is not None:
        (home / ".profile").write_text(profile)
    rsh = tmp_path / "rsh"
    # As sshd does: the login shell gets the whole command line as one argument.
    rsh.write_text(f'#!/bin/sh\nfor last; do :; done\ncd {home}\nHOME={home} SHELL={login} exec {shell} -c "$last"\n')
    rsh.chmod(0o755)
    python = tmp_path / "bin"
    python.mkdir()
    (python / "python3").symlink_to(sys.executable)
    monkeypatch.delenv("MPBOOT_TEST", raising=False)
    listener = Listener()
    report = mpboot.boot(
        "h1", rsh=str(rsh), retries=0, timeout=60, shell_probe=probe, observer=listener, python=str(python / "python3"),
        command=[str(python / "python3"), "-c", SAY],
    )  # fmt: skip
    return report, listener.lines


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("name", SHELLS)
def test_the_agent_starts_whatever_the_profile_does(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = need_shell(name)
    report, lines = boot_through(shell, shell, PROFILES[kind], tmp_path, monkeypatch)
    host = report.hosts["h1"]
    assert (host.state, host.cause, host.detail) == ("up", "", "")
    arrived = ARRIVES[kind] if name in READ_IT and (name, kind) not in ENDED_BY else None
    assert lines == [f"{arrived!r} {arrived is not None and kind == 'sets'}"]


@pytest.mark.parametrize("name", ["bash", "csh", "fish"])
def test_asking_for_the_shell_first(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = need_shell(name)
    report, lines = boot_through(shell, shell, PROFILES["sets"], tmp_path, monkeypatch, SEPARATE)
    assert report.hosts["h1"].state == "up", report.hosts["h1"].detail
    assert lines == [repr("it's\n two lines") + " True" if name == "bash" else "None False"]


def test_without_a_probe_no_profile_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, lines = boot_through("/bin/sh", "/bin/sh", PROFILES["sets"], tmp_path, monkeypatch, NONE)
    assert report.hosts["h1"].state == "up"
    assert lines == ["None False"]


def test_a_login_without_shell_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report, lines = boot_through("/bin/sh", "", PROFILES["sets"], tmp_path, monkeypatch)
    assert report.hosts["h1"].state == "up"
    assert lines == ["None False"]
