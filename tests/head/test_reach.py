"""How hosts are reached from elsewhere, by a real ssh or none; whole boots are in whole/test_own_ssh.py."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from mpboot.head import reach
from mpboot.head.options import Options
from mpboot.head.reach import ALONE, from_elsewhere
from mpboot.hosts.host import Host
from mpboot.net.messages import Afar
from tests.workers.given import script

ME = pwd.getpwuid(os.getuid()).pw_name
PLAIN = Afar(False, ME, None, None)


def asked(tmp_path: Path, config: str, hosts: list[Host], user: str | None = None) -> list[Afar | None]:
    """What is said of the hosts by a real ssh with this configuration; it keeps the questions in a file."""
    real = shutil.which("ssh")
    if real is None:
        pytest.skip("there is no ssh here")
    (tmp_path / "config").write_text(config)
    lines = f'echo "$@" >> {tmp_path}/asked\nexec {real} -F {tmp_path}/config "$@"'
    return from_elsewhere(hosts, Options(rsh=script(tmp_path, lines, "ssh"), user=user))


def hosts(count: int) -> list[Host]:
    return [Host(f"n{number}") for number in range(count)]


@pytest.mark.parametrize("options", [{"rsh": "local"}, {"topology": "flat"}, {"topology": "linear"}])
def test_where_nobody_else_launches_nothing_is_asked(options: dict[str, str]) -> None:
    assert from_elsewhere([Host("localhost"), Host("a")], Options(**options)) == [None, None]  # type: ignore[arg-type]


def test_a_wrapper_is_told_no_user_and_still_localhost_is_the_heads() -> None:
    assert from_elsewhere([Host("localhost"), Host("a")], Options(rsh="wrap {host}")) == [ALONE, None]
    assert from_elsewhere([Host("localhost"), Host("a")], Options(rsh="rsh")) == [ALONE, None]


def test_rsh_is_told_the_user_where_an_agent_runs_as_another() -> None:
    given = [Host("a"), Host("b", user="joe")]
    assert from_elsewhere(given, Options(rsh="rsh")) == [PLAIN, None]


def test_without_settings_only_the_user_travels_and_one_question_is_asked(tmp_path: Path) -> None:
    given = [Host("a"), Host("b", user="joe"), Host("127.0.0.1")]
    assert asked(tmp_path, "Host *\n  SendEnv LANG\n", given) == [PLAIN, None, ALONE]
    assert len((tmp_path / "asked").read_text().splitlines()) == 1
    assert asked(tmp_path, "", hosts(2), user="ann") == [None, None]


def test_a_thousand_hosts_of_one_pattern_are_asked_of_once(tmp_path: Path) -> None:
    found = asked(tmp_path, "Host n*\n  User joe\n  Port 23\n  HostName %h.example.com\n", hosts(1000))
    assert found == [Afar(False, "joe", 23, f"n{number}.example.com") for number in range(1000)]
    assert len((tmp_path / "asked").read_text().splitlines()) <= 4


def test_what_is_not_asked_of_is_the_heads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "SOME", 2)
    config = "".join(f"Host n{number}\n  HostName 10.0.0.{number}\n" for number in range(5))
    assert asked(tmp_path, config, hosts(5)) == [
        Afar(False, ME, 22, "10.0.0.0"), Afar(False, ME, 22, "10.0.0.1"), ALONE, ALONE, ALONE,
    ]  # fmt: skip


def test_what_only_the_head_has_or_can_do(tmp_path: Path) -> None:
    config = """
Host jump
    ProxyJump gate
Host command
    ProxyCommand nc %h %p
Host key
    IdentityFile ~/.ssh/other
Host loop
    HostName 127.0.0.1
"""
    given = [Host(name) for name in ("a", "b", "jump", "command", "key", "loop", "c")]
    found = asked(tmp_path, config, given)
    here = Afar(False, ME, 22, None)
    assert found == [here, here, ALONE, ALONE, ALONE, ALONE, here]


def test_a_key_for_all_hosts_is_nobodys_alone(tmp_path: Path) -> None:
    found = asked(tmp_path, "Host n*\n  IdentityFile ~/.ssh/other\nHost s\n  Port 3\n", [*hosts(3), Host("s")])
    assert found == [*[Afar(False, ME, 22, None)] * 3, ALONE]


def test_a_proxy_in_rsh_itself_travels(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host n1\n  Port 23\n")
    rsh = f"ssh -F {tmp_path}/config -J gate"
    assert from_elsewhere(hosts(2), Options(rsh=rsh)) == [Afar(False, ME, 22, None), Afar(False, ME, 23, None)]


def test_an_ssh_that_never_answers_keeps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "PATIENCE", 0.2)
    assert from_elsewhere(hosts(2), Options(rsh=script(tmp_path, "exec sleep 60", "ssh"))) == [PLAIN, PLAIN]
    assert from_elsewhere(hosts(2), Options(rsh=str(tmp_path / "none" / "ssh"))) == [PLAIN, PLAIN]
