"""Keys are nowhere but in the memory of who needs them; numbers of processes are nobody's key to anything."""

from __future__ import annotations

import base64
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile_boot import HOUSE, Held
from tests.support.run_mpboot import environment
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)

HOSTS = ("keys0", "keys1", "keys2", "keys3", "keys4", "keys5")
TREE = ("--topology", "tree", "--children", "2")


def forms(key: bytes) -> list[bytes]:
    """A key as it might be written somewhere."""
    return [key, key[::-1], key.hex().encode(), base64.b64encode(key)[:20], repr(key)[2:-1].encode()]


def processes(run: Held) -> dict[str, bytes]:
    """Arguments and environment of all that belongs to a boot."""
    found = {}
    for pid in run.family():
        for name in ("cmdline", "environ"):
            path = Path(f"/proc/{pid}/{name}")
            try:
                found[str(path)] = path.read_bytes()
            except OSError:
                continue  # it has just ended
    return found


def test_keys_are_in_no_argument_environment_file_log_or_report(tmp_path: Path) -> None:
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    with Held(tmp_path, HOSTS, *TREE, "--json", str(tmp_path / "report.json"), variables=places) as run:
        run.until_said(" runs\n", len(HOSTS))
        seen = processes(run)
        assert run.release() == 0
        seen["output"] = run.said
    kept = tmp_path / "keys"
    keys = {bytes.fromhex(line) for line in kept.read_text().split()}
    assert len(keys) == 6 + 4  # of all launches, and of the hosts that were given to others
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != kept]
    assert tmp_path / "report.json" in files
    seen.update((str(path), path.read_bytes()) for path in files)
    assert len(seen) > 30
    assert [where for where, text in seen.items() for key in keys for form in forms(key) if form in text] == []


# -- cores -----------------------------------------------------------------------------------------


CHOICE = "coredump_filter"  # of /proc: which kinds of memory a core has in it
USERS = "0000007f"


def look_for_faults() -> None:
    """As many users have it who do: cores as large as can be."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if Path(f"/proc/self/{CHOICE}").exists():
        Path(f"/proc/self/{CHOICE}").write_text("0x" + USERS)


def core_of(pid: int) -> tuple[str, str]:
    """What a process's core has in it, and the soft limit of its size."""
    limit = Path(f"/proc/{pid}/limits").read_text().partition("Max core file size")[2].split()[0]
    path = Path(f"/proc/{pid}/{CHOICE}")
    return path.read_text().strip() if path.exists() else USERS, limit


def alive(pid: int) -> bool:
    """Has it any memory?"""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def crash(pids: list[int], directory: Path) -> list[bytes]:
    """Crash these, one after the other, while none of them can do anything about it; the cores that are there then."""
    cores = []
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGSEGV)
        os.kill(pid, signal.SIGCONT)
        while alive(pid):
            os.sched_yield()
        for path in directory.rglob("core*"):
            cores.append(path.read_bytes())
            path.unlink()
    return cores


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="nobody may leave a core here")
def test_no_core_with_a_key_of_a_process_that_knows_keys(tmp_path: Path) -> None:
    hosts = ("good1", "good2", "good3", "keys0")
    with Held(tmp_path, hosts, *TREE, preexec_fn=look_for_faults) as run:
        run.until_said(" runs\n", 4)
        family = run.family()
        knowing = [pid for pid, words in family.items() if "import _signal" in words]
        commands = [pid for pid, words in family.items() if words.startswith("sh -c echo")]
        assert len(knowing) >= 5  # the root, its fork server, an agent on each host, and guards of commands
        user = (USERS, limit_of_users())
        nothing = ("00000000", user[1]) if Path(f"/proc/self/{CHOICE}").exists() else (USERS, "1")
        assert {core_of(pid) for pid in knowing} == {nothing}
        assert len(commands) == 4
        assert {core_of(pid) for pid in commands} == {user}
        cores = crash(knowing, tmp_path)
        until(lambda: not run.family().keys() & set(knowing))
        assert run.release() == 1
    if nothing[1] != "1" and not {"/", "|"} & set(Path("/proc/sys/kernel/core_pattern").read_text()):
        assert len(cores) >= len(knowing)
    keys = {bytes.fromhex(line) for line in (tmp_path / "keys").read_text().split()}
    assert keys
    assert [key for core in cores for key in keys for form in forms(key) if form in core] == []


def limit_of_users() -> str:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return "unlimited" if hard == resource.RLIM_INFINITY else str(hard)


# -- numbers ---------------------------------------------------------------------------------------

REUSE = """
import os, re, signal, subprocess, sys
argv = [sys.executable, "-m", "mpboot", "--hosts", "h1,h2", "--rsh", "local", "--", "sh", "-c"]
command = "echo $MPBOOT_HOST $$; [ $MPBOOT_HOST = h1 ] || read end <" + sys.argv[1] + "; :"
boot = subprocess.Popen([*argv, command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
numbers = dict(boot.stdout.readline().split(": ")[1].split() for _ in range(2))
pid = int(numbers["h1"])
stat = "/proc/%d/stat" % pid
while os.path.exists(stat) and open(stat).read().rpartition(")")[2].split()[0] != "Z":
    os.sched_yield()
open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
other = subprocess.Popen(["sleep", "60"], start_new_session=True)
open(sys.argv[1], "w").close()
code = boot.wait(20)
print(code, other.poll(), other.pid, pid, boot.stderr.read())
other.kill()
"""


def can_choose_numbers() -> bool:
    """Is there a namespace for processes in which their numbers can be chosen?"""
    words = ("unshare", "-rpf", "--mount-proc", "sh", "-c", "echo 100 >/proc/sys/kernel/ns_last_pid")
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_choose_numbers(), reason="the numbers of processes can't be chosen here")
def test_a_number_that_is_free_again_is_nobody_s(tmp_path: Path) -> None:
    """A command has ended, and a process of somebody else's gets its number, if it can: it lives on."""
    os.mkfifo(tmp_path / "gate")
    done = subprocess.run(
        ["unshare", "-rpf", "--mount-proc", sys.executable, "-c", REUSE, tmp_path / "gate"],
        env=environment(PYTHONPATH=str(HOUSE)), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=40,
    )  # fmt: skip
    assert done.stdout.split()[:2] == ["0", "None"], (done.stdout, done.stderr)
