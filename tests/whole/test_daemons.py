"""What a command has left: after a normal end what has detached itself stays and is counted, else nothing does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.chaos import Boot, clear, nothing_left
from tests.support.cluster import Cluster, given, need
from tests.support.run_mpboot import LOCAL, LOGIN, Running, script
from tests.support.waiting import until
from tests.whole.test_hostile_machines import NOBODY, python_for

pytestmark = pytest.mark.timeout(60)

# A daemon in a session of its own, and one that is in the command's.
LEAVES = (
    "setsid sleep 987 >/dev/null 2>&1 & daemon=$!; sleep 986 >/dev/null 2>&1 &"
    ' until [ "$(cat /proc/$daemon/comm)" = sleep ]; do :; done;'
)
STAYS = "1 process, left by the command, runs on: sleep"


def daemons(run: Running) -> list[str]:
    """What is left of it, in words."""
    return sorted(words.strip() for words in run.family().values())


@pytest.mark.parametrize("options", [(), ("--transport", "stdio"), ("--attach",)], ids=["tcp", "stdio", "attach"])
@pytest.mark.parametrize("words", ["exit 0", "exit 7"])
def test_after_a_normal_end_a_daemon_stays(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    shape = ("--topology", "ring", "--json", str(target))
    with Running("--hosts", "h[1-3]", *LOCAL, *shape, *options, "--", "sh", "-c", f"{LEAVES} {words}") as run:
        errors = run.stderr.read().decode()
        assert run.process.wait(10) == int(words.split()[1])
        until(lambda: daemons(run) == ["sleep 987"] * 3, why=lambda: str(daemons(run)))
    (note,) = json.loads(target.read_text())["notes"]
    assert (note["what"], note["text"], sorted(note["hosts"])) == ("left", STAYS, ["h1", "h2", "h3"])
    assert f"mpboot: h[1-3]: {STAYS}" in errors


@pytest.mark.parametrize("how", ["INT", "TERM", "HUP", "deadline", "reader", "root"])
def test_after_any_other_end_nothing_stays(how: str, tmp_path: Path) -> None:
    rsh = script(tmp_path / "rsh", f"[ $host = h3 ] && exec sleep 99; {LOGIN}")
    options = ("--deadline", "2") if how == "deadline" else ()
    command = f"{LEAVES} echo up; [ $MPBOOT_RANK = 0 ] || while :; do sleep 0.1; {'echo; ' * (how == 'reader')} done"
    with Running("--hosts", "h[1-3]", "--rsh", rsh, *options, "--", "sh", "-c", command) as run:
        for _ in range(2):
            assert run.stdout.readline().endswith(b": up\n")
        until(lambda: daemons(run).count("sleep 987") == 2)
        if how == "reader":
            run.stdout.close()
        elif how == "root":
            (root,) = psutil.Process(run.process.pid).children()
            root.kill()
        elif how != "deadline":
            run.process.send_signal(signal.Signals[f"SIG{how}"])
        code = {"INT": 130, "TERM": 143, "HUP": 129, "deadline": 124, "reader": 141, "root": 1}[how]
        assert run.end(10) == code


HOSTS = 4
cluster = given(HOSTS, "ssh")


@pytest.mark.sshd
@pytest.mark.parametrize("interrupt", [False, True])
def test_by_ssh(cluster: Cluster, interrupt: bool) -> None:
    command = ("sh", "-c", f"{LEAVES} echo runs; {'sleep 100' if interrupt else 'exit 0'}")
    with Boot(cluster, "--topology", "tree", "--children", 2, command=command) as boot:
        if interrupt:
            boot.until_said(" runs\n", HOSTS)
            boot.process.send_signal(signal.SIGINT)
        assert boot.end(10).code == (130 if interrupt else 0)
    if interrupt:
        nothing_left(cluster)
        return
    nothing_left(cluster, but=lambda _, process: process.command == ["sleep", "987"])
    found = {host: [one.command for one in cluster.processes(host) if one.state != "Z"] for host in cluster.names}
    clear(cluster)
    assert found == {host: [["sleep", "987"]] for host in cluster.names}
    assert [sorted(note["hosts"]) for note in boot.report["notes"] if note["text"] == STAYS] == [cluster.names]


@pytest.fixture
def becomes_root() -> Iterator[str]:
    """A program that becomes another user, as sudo does, and sleeps; who has started it can't end it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        program = Path(directory) / "setpriv"
        shutil.copy("/usr/bin/setpriv", program)
        program.chmod(0o4755)
        yield f"{program} --reuid 0 --regid 0 --clear-groups"


@pytest.mark.long
@pytest.mark.skipif(os.getuid() != 0 or not python_for(NOBODY), reason="no process can be made another user's here")
def test_what_is_another_user_s_is_named(becomes_root: str, tmp_path: Path) -> None:
    need("namespaces")
    probe = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {becomes_root} id -u"
    if subprocess.run(probe.split(), capture_output=True, check=False).stdout != b"0\n":
        pytest.skip("no program can make itself another user here")
    rsh = script(tmp_path / "rsh", f'exec {python_for(NOBODY).rpartition(" ")[0]} /bin/sh -c "$*"')
    target = tmp_path / "report.json"
    command = f"{becomes_root} sh -c 'echo up; exec sleep 985'"
    with Running("--hosts", "a", "--rsh", rsh, "--json", str(target), "--", *("sh", "-c", f"exec {command}")) as run:
        assert run.stdout.readline() == b"a: up\n"
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(10) == 130
        (pid,) = [pid for pid, words in run.family().items() if words.startswith("sleep 985")]
    report = json.loads(target.read_text())
    assert (report["hosts"]["a"]["exit"], report["hosts"]["a"]["killed"]) == (None, 9)
    said = [note["text"] for note in report["notes"] if note["what"] == "left"]
    assert said == [f"can't be ended, since it is another user's: sleep (pid {pid})"]
