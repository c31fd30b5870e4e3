"""What a host prints itself, and lets nobody in: told with the cause, with a banner and without, by a real sshd."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clusterlib import mounts, wire

from tests.support.chaos import Boot
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

CLOSED, WITH_BANNER, LONG, HANGS, CAT = NAMES = [f"h{number:03}" for number in range(1, 6)]
FORCED = {  # a command in the place of ours
    CLOSED: "echo Down for maintenance until Monday.; exit 1",
    WITH_BANNER: "echo Down for maintenance until Monday.; exit 0",
    LONG: "for i in 1 2 3 4 5; do echo line $i of the notice; done; exit 1",
    HANGS: "echo Your password has expired.; echo Change it now:; exec sleep 1000",
    CAT: "exec head -c 5000",
}
BANNER = "".join(f"rule {number}: all activity is logged\n" for number in range(1, 21))


@pytest.fixture(scope="module")
def booted() -> Iterator[Boot]:
    with Cluster(len(NAMES), mode="ssh") as cluster:
        ssh = cluster.state / "ssh"
        for host, command in FORCED.items():
            keys = ssh / f"{host}.keys"
            keys.write_text(f'command="{command}" {(ssh / "authorized_keys").read_text()}')
            mounts.mount(cluster.state, host, keys, str(ssh / "authorized_keys"))
        (ssh / "banner").write_text(BANNER)
        (ssh / "with_banner").write_text((ssh / "sshd_config").read_text() + f"Banner {ssh}/banner\n")
        mounts.mount(cluster.state, WITH_BANNER, ssh / "with_banner", str(ssh / "sshd_config"))
        wire.control(cluster.state, WITH_BANNER, "service", "restart")
        with Boot(cluster, "--timeout", 4, "--retries", 0) as boot:
            yield boot.end(60)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "cause", "detail"),
    [
        (CLOSED, "rsh-failed", r"^logged in, but the shell ended with code 1: Down for maintenance until Monday\.$"),
        (WITH_BANNER, "rsh-failed", r"code 0: Down for maintenance until Monday\. \| rule 1: .* … \| rule 20: "),
        (LONG, "rsh-failed", r"code 1: line 1 of the notice … \| line 5 of the notice$"),
        (HANGS, "shell-hang", r"; printed: Your password has expired\. \| Change it now:$"),
        (CAT, "rsh-failed", r"code 0: what was sent to the agent, printed$"),
    ],
)
def test_the_host_s_own_words_are_told(booted: Boot, name: str, cause: str, detail: str) -> None:
    host = booted.hosts[name]
    assert (host["state"], host["cause"], host["phase"]) == ("failed", cause, "shell"), host
    assert re.search(detail, host["detail"]), host["detail"]


def test_all_of_them_are_shown_to_who_wants_to_know_more(booted: Boot) -> None:
    evidence = booted.hosts[WITH_BANNER]["evidence"]
    assert evidence.startswith("Down for maintenance until Monday.\n")
    assert evidence.endswith(BANNER[-500:])
    assert re.search(r"^ +\| line 3 of the notice", booted.text, re.MULTILINE), "under -v"
