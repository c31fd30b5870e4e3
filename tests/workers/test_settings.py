"""What all launches of a node have in common, and what each rsh is fed."""

from __future__ import annotations

import io
import marshal
from pathlib import Path

import pytest

from mpboot.net import messages, work
from mpboot.net.work import LaunchOrder
from mpboot.workers import kex
from mpboot.workers.settings import launch_settings, payload
from tests.workers.given import KEY, WAY, script, settings

KEX = "echo OpenSSH >&2; echo kexalgorithms other,curve25519-sha256"


def boot(rsh: str, transport: str = "auto") -> messages.BootSettings:
    """Settings of a boot."""
    return messages.BootSettings(
        "tree", 4, 12.5, 1, 0.0, rsh, rsh.split(), transport, "inline", True, 3.0, False, False, [], "py"
    )


def test_they_come_from_the_boot() -> None:
    made = launch_settings(boot("rsh -a"), ("code", b"x"), (b"agents", 2), 4711, ["h1"], False)
    assert (made.rsh, made.words, made.timeout, made.shell_probe) == ("rsh -a", ["rsh", "-a"], 12.5, "inline")
    assert (made.attach, made.port, made.ssh_options) == (True, 4711, [])
    assert (made.python, made.is_root) == ("py", False)
    assert (made.kit, made.agents) == (("code", b"x"), (b"agents", 2))


@pytest.mark.parametrize(
    ("name", "transport", "cheap"),
    [("ssh", "auto", True), ("ssh", "tcp", True), ("ssh", "stdio", False), ("myssh", "auto", False)],
)
def test_ssh_agrees_on_a_cheap_key_unless_output_travels_through_it(
    tmp_path: Path, name: str, transport: str, cheap: bool
) -> None:
    ssh = script(tmp_path, KEX, name)
    made = launch_settings(boot(ssh, transport), (), (), 1, ["h1"], True)
    assert made.ssh_options == []
    assert made.cheap == (["-o", f"KexAlgorithms={kex.CHEAP},other"] if cheap else [])


def test_one_host_stands_for_all_when_ssh_is_asked(tmp_path: Path) -> None:
    ssh = script(tmp_path, f'echo "$@" >> {tmp_path}/asked; {KEX}', "ssh")
    launch_settings(boot(f"{ssh} -v"), (), (), 1, ["sample"], True)
    assert "-v -v -G sample" in (tmp_path / "asked").read_text().splitlines()


def test_a_payload_has_its_length_before_it_and_the_agents_config_last() -> None:
    given = settings(kit=("code", b"bundle"), agents=(b"agents", [[1, 2]]))
    ordered = LaunchOrder(3, 5, "name", "user", 22, "label", KEY, WAY, None, None)
    stream = io.BytesIO(payload(given, ordered, "MARK") + b"more")
    line = stream.readline()
    assert line.startswith(b"echo MARK eaten; exit 93 #")
    packed = stream.read(int(line[-9:], 16))
    assert stream.read() == b"more"
    code, bundle, agents, own = marshal.loads(packed)
    assert (code, bundle) == ("code", b"bundle")
    assert agents == (b"agents", [[1, 2]])
    assert own == work.agent_own(3, 5, "label", "MARK", KEY, WAY) == (3, 5, "label", "MARK", KEY, WAY)
