"""The display beside real ssh and sshd: what hosts wait for, when they are given up, and that they are tried again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpboot.cli.live import gives_up
from tests.support.cluster import Cluster
from tests.support.run_mpboot import MPBOOT
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.cluster, pytest.mark.sshd]
TIMEOUT = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(8, mode="ssh") as made:
        made.fault("h002", "never")
        made.fault("h005", "sshd-stop")
        made.fault("h007", "refuse")
        yield made


def rows(terminal: Terminal) -> dict[str, str]:
    """What the display tells of each host."""
    shown = (line.split(maxsplit=1) for line in terminal.lines() if "gives up" in line)
    return {host: " ".join(text.split()) for host, text in shown}


@pytest.mark.long
def test_what_is_waited_for_and_until_when(cluster: Cluster) -> None:
    terminal = Terminal(140, 30)
    words = [*MPBOOT, str(cluster.hostfile), "--timeout", str(TIMEOUT), "--retries", "1"]
    boot = terminal.run(cluster.command("head", words), cluster.env)
    while (first := rows(terminal)).keys() != {"h002", "h005"}:  # the good ones have come up
        assert terminal.look(10), terminal.screen.display
    assert "connect" in first["h002"]
    assert first["h002"].endswith("an answer to its SYN from 10.77.1.2:22")
    assert "handshake" in first["h005"]
    assert first["h005"].endswith("10.77.1.5:22 to finish keys or login")
    expected = {gives_up(float(left)) for left in range(TIMEOUT - 1)}
    assert all(any(left in text for left in expected) for text in first.values()), first
    terminal.until("attempt 2")
    assert any("2 retrying" in line or "1 retrying" in line for line in terminal.lines())
    terminal.until("8 hosts up in ")
    terminal.until_closed()
    assert boot.wait(10) == 1
    (last,) = (line for line in terminal.lines() if "hosts up in" in line)
    assert last.startswith("mpboot: 5 of 8 hosts up in ")
    assert float(last.split()[7]) < TIMEOUT, "not until the last bad one was given up"
    assert "; 3 failed, the last given up after " in last
    assert float(last.split()[-2]) >= 2 * TIMEOUT
    terminal.close()
