"""Hostfiles read by real processes: standard input, pipes, files of others, ClusterShell and its groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.host_texts import write

READ = (
    "import sys\nfrom mpboot.hosts.host import HostError\nfrom mpboot.hosts.sources import read_hostfile\n"
    "try: print([h.name for h in read_hostfile(sys.argv[1]).hosts])\n"
    "except HostError as e: print(e)\n"
)


def shell(command: str, script: str = READ) -> str:
    """Output of a bash command in which $PY runs the script."""
    environ = {**os.environ, "PY": sys.executable, "SCRIPT": script}
    done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("command", "gist"),
    [
        ('printf "a\\nb\\n" | "$PY" -c "$SCRIPT" -', "['a', 'b']"),
        ('printf "a\\nb\\n" | "$PY" -c "$SCRIPT" /dev/stdin', "['a', 'b']"),
        ('"$PY" -c "$SCRIPT" <(printf "a\\nb\\n")', "['a', 'b']"),
        ('"$PY" -c "$SCRIPT" - < /dev/zero', "standard input: too large for a hostfile"),
        ('"$PY" -c "$SCRIPT" /dev/stdin < /dev/zero', "/dev/stdin: too large for a hostfile"),
        ('"$PY" -c "$SCRIPT" - < /dev/null', "standard input: no hosts in it"),
        ('"$PY" -c "$SCRIPT" - <&-', "standard input: it is closed"),
        ('echo "a b" | "$PY" -c "$SCRIPT" -', "standard input:1: unexpected 'b'"),
    ],
)
def test_streams(command: str, gist: str) -> None:
    assert gist in shell(command)


def test_unreadable_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a\n")
    Path(path).chmod(0)
    drop = "import os\nif os.geteuid() == 0: os.setuid(65534)  # root may read everything\n"
    message = shell(f'"$PY" -c "$SCRIPT" {path}', READ.replace("try:", drop + "try:", 1))
    assert message == f"{path}: Permission denied: give a readable hostfile, or - for standard input"


def test_clustershell_is_loaded_only_for_node_sets() -> None:
    script = (
        "import sys, mpboot.hosts.sources as h\n"
        "h.parse_hosts('a\\njoe@b:2222\\nc slots=4\\nfe80::1\\nssh://d:1', 'f')\n"
        "h.parse_hosts_option('a,b')\n"
        "h.from_allocation({'LSB_HOSTS': 'a b', 'SLURM_JOB_NODELIST': 'a,b'})\n"
        "print('ClusterShell' in sys.modules)\n"
        "h.parse_hosts_option('n[1-2]')\n"
        "print('ClusterShell' in sys.modules)\n"
    )
    assert shell('"$PY" -c "$SCRIPT"', script).split() == ["False", "True"]


def test_groups_come_from_clustershells_configuration(tmp_path: Path) -> None:
    (tmp_path / "clustershell").mkdir()
    (tmp_path / "clustershell/groups.conf").write_text(
        "[Main]\ndefault: mine\n[mine]\nmap: sed -n 's/^$GROUP: //p' \"$CFGDIR/mine\"\n"
    )
    (tmp_path / "clustershell/mine").write_text("gpu: g[1-3]\nevil: -oProxyCommand=x\n")
    command = f'export CLUSTERSHELL_CFGDIR={tmp_path}/clustershell; echo "$LINE" | "$PY" -c "$SCRIPT" -'
    assert shell(f'LINE="@gpu slots=2"; {command}') == "['g1', 'g2', 'g3']"
    assert shell(f'LINE="@mine:gpu"; {command}') == "['g1', 'g2', 'g3']"
    assert "bad host name '-oProxyCommand=x'" in shell(f"LINE=@evil; {command}")
