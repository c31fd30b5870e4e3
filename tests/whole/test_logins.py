"""Each login shell reads its own login files, by a real sshd: what the command finds of their environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chaos import Boot
from tests.support.cluster import Cluster, account, need
from tests.workers.test_commandline import need_shell

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(90)]

LIMITS = "umask 027\nulimit -n 256\n"
# By login shell: its files, with what only this shell can read. WRONG comes of what it must not read.
SHELLS: dict[str, dict[str, str]] = {
    "bash": {
        ".bash_profile": 'function f { echo "$1"; }\nlist=(a b)\nexport A=${list[1]} F="$(f said)"\n'
        "shopt -q login_shell && export LOGIN=yes\n" + LIMITS,
        ".profile": "export WRONG=profile\n",
    },
    "dash": {".profile": "export A=b LOGIN=yes F=said\n" + LIMITS, ".bash_profile": "export WRONG=bash\n"},
    "zsh": {
        ".zprofile": "list=(a b)\nexport A=$list[2] F=${(L):-SAID}\n[[ -o login ]] && export LOGIN=yes\n" + LIMITS,
        ".profile": "export WRONG=profile\n",
    },
    "ksh": {".profile": "typeset -A map\nmap[x]=b\nexport A=${map[x]} F=said LOGIN=yes\n" + LIMITS},
    "mksh": {
        ".profile": "set -A list a b\nexport A=${list[1]} F=said\n[[ -o login ]] && export LOGIN=yes\n" + LIMITS,
    },
    "tcsh": {
        ".tcshrc": "set list = (a b)\nalias f echo\n",
        ".login": "setenv A $list[2]\nsetenv F `f said`\nset line = $<\nsetenv LOGIN yes\n"
        "umask 027\nlimit descriptors 256\n",
        ".profile": "export WRONG=profile\n",
    },
    "fish": {
        ".config/fish/config.fish": "set list a b\nset -gx A $list[2]\nfunction f; echo $argv; end\n"
        "set -gx F (f said)\nstatus is-login; and set -gx LOGIN yes\n" + LIMITS,
        ".profile": "export WRONG=profile\n",
    },
}
ENDS = {".bash_profile": "export A=b\necho 'no licence' >&2\nexit 3\n"}
JOBS = {".bash_profile": "export A=b\nsleep 300 >/dev/null 2>&1 &\n"}
HANGS = {".bash_profile": "sleep 1000\n"}
HOMES = [*SHELLS.items(), ("bash", ENDS), ("bash", HANGS), ("bash", JOBS)]
NAMES = [f"h{number:03}" for number in range(1, len(HOMES) + 1)]
OF = dict(zip(SHELLS, NAMES))
ENDED, HUNG, WITH_JOB = NAMES[-3:]
SAY = 'echo "$A $F $LOGIN $(umask) $(ulimit -Sn) ${WRONG-right}"'


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    need("sshd")
    with Cluster(len(NAMES), mode="ssh") as made:
        for host, (shell, files) in zip(NAMES, HOMES):
            account(made, host, shell, files)
        yield made


@pytest.fixture(scope="module")
def booted(cluster: Cluster) -> Iterator[Boot]:
    with Boot(cluster, "--timeout", 8, "--retries", 0, command=["sh", "-c", SAY]) as boot:
        yield boot.end(60)


@pytest.mark.long
@pytest.mark.parametrize("name", SHELLS)
def test_the_login_shell_reads_its_own_files(booted: Boot, name: str) -> None:
    need_shell(name)
    assert booted.hosts[OF[name]]["state"] == "up", booted.hosts[OF[name]]
    assert f"{OF[name]}: b said yes 0027 256 right\n" in booted.text.replace("\r", "")


def test_login_files_that_end_the_shell_are_done_without(booted: Boot) -> None:
    """…and that is not done in silence."""
    assert booted.hosts[ENDED]["state"] == "up"
    assert booted.hosts[ENDED]["attempts"] == 1
    assert f"{ENDED} its login files ended the shell (code 3)\n" in booted.text


def test_a_login_file_that_hangs_is_named(booted: Boot) -> None:
    host = booted.hosts[HUNG]
    assert (host["state"], host["cause"], host["phase"]) == ("failed", "shell-hang", "shell")
    assert "in /etc/profile, .bash_profile, .bash_login or .profile" in host["detail"]


def test_a_job_that_a_login_file_leaves_keeps_nobody_waiting(booted: Boot) -> None:
    assert booted.hosts[WITH_JOB]["state"] == "up"
    assert booted.hosts[WITH_JOB]["up"] < 5


def test_without_a_probe_none_is_read(cluster: Cluster) -> None:
    hosts = ",".join(name for name in NAMES if name not in (ENDED, HUNG, WITH_JOB, OF["fish"], OF["tcsh"]))
    words = ["--hosts", hosts, "--shell-probe", "none", "--retries", 0]
    with Boot(cluster, *words, command=["sh", "-c", SAY], hostfile="--quiet") as boot:
        boot.end()
        assert len(boot.up()) == len(hosts.split(","))
        assert "b said" not in boot.text
