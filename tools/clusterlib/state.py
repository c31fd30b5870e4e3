"""The state directory: where it is, what lies in it, whether its cluster lives, taking it away.

Nothing here starts or talks to hosts.
"""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

HEAD = "head"
HEAD_ADDRESS = "10.77.0.1"
NETWORK = "10.77.0.0/16"
MAX_HOSTS = 10000
LEAST_RATE, MOST_RATE = 0.05, 20000.0  # Mbit/s
HOSTFILE_MARK = "# tools/cluster made this file and removes it:"


class ClusterError(Exception):
    """Something failed; the message is one line for a person."""

    exit_code = 1


class UsageError(ClusterError):
    """The caller asked for what can't be."""

    exit_code = 2


@dataclass
class Config:
    """What `up` was asked for, kept in the state directory."""

    names: list[str]
    mode: str
    hostfile: str
    user: str
    shell: str


def default_state() -> Path:
    given = os.environ.get("MPBOOT_CLUSTER_STATE")
    if given:
        return Path(given).absolute()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "mpboot-cluster"
    return Path(f"/tmp/mpboot-cluster-{os.getuid()}")


def address_of(index: int) -> str:
    """The address of the index-th host, the head being number 0."""
    if index == 0:
        return HEAD_ADDRESS
    return f"10.77.{1 + (index - 1) // 250}.{(index - 1) % 250 + 1}"


def bytes_of(rate: float) -> int:
    """In a second, of a rate in Mbit/s."""
    return int(rate * 125_000)


def host_names(count: int, prefix: str) -> list[str]:
    width = max(3, len(str(count)))
    return [HEAD] + [f"{prefix}{number:0{width}}" for number in range(1, count + 1)]


def make_directory(state: Path) -> None:
    """Makes the directory, for its owner alone; one of somebody else is refused."""
    if not re.fullmatch(r"[\w/.,:+@=-]+", str(state)):
        raise UsageError(f"{str(state)!r}: the state directory's path must be without blanks and quotes")
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = state.lstat()
    except OSError as error:
        raise ClusterError(f"{state}: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ClusterError(f"{state}: is not a directory of yours; give another one with --state")
    if any(state.iterdir()) and not (state / "lock").exists():
        raise UsageError(f"{state}: is not empty and not of a cluster; give another one with --state")
    state.chmod(0o700)


def try_lock(state: Path) -> Optional[int]:
    """The lock's descriptor, or None while a cluster (or its removal) holds it."""
    while True:
        fd = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        with contextlib.suppress(FileNotFoundError):
            if (state / "lock").stat().st_ino == os.fstat(fd).st_ino:
                return fd
        os.close(fd)
        make_directory(state)


def supervisor_pid(state: Path) -> Optional[int]:
    """The pid of the supervisor, if it runs."""
    try:
        pid = int((state / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if command.startswith(b"cluster-supervise\0") and os.fsencode(str(state)) in command else None


def lock(state: Path) -> int:
    """Takes the state directory; what a killed cluster left in it is removed first."""
    make_directory(state)
    deadline = time.monotonic() + 20
    while (fd := try_lock(state)) is None:
        if supervisor_pid(state):
            raise ClusterError(f"a cluster is up already in {state}: end it with tools/cluster down")
        if time.monotonic() > deadline:
            raise ClusterError(f"{state}: somebody holds {state}/lock")
        time.sleep(0.01)
        make_directory(state)
    clean(state, keep_lock=True)
    return fd


def clean(state: Path, keep_lock: bool = False) -> None:
    """Removes what a cluster left behind, its hostfile included."""
    script = state / "cleanup"
    if script.exists() and not keep_lock:
        subprocess.run(["/bin/sh", str(script)], check=False)
    if keep_lock:
        with contextlib.suppress(OSError, ValueError, TypeError, ClusterError):
            remove_hostfile(Path(load(state).hostfile), state)
        for entry in state.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != "lock":
                entry.unlink()
    else:
        shutil.rmtree(state, ignore_errors=True)


def hostfile_mark(state: Path) -> str:
    return f"{HOSTFILE_MARK} {state}"


def is_ours(hostfile: Path) -> bool:
    with contextlib.suppress(OSError, UnicodeDecodeError), hostfile.open() as file:
        return file.readline().startswith(HOSTFILE_MARK)
    return False


def remove_hostfile(hostfile: Path, state: Path) -> None:
    if hostfile.read_text().startswith(hostfile_mark(state) + "\n"):
        hostfile.unlink()


def cleanup_script(state: Path, hostfile: Path) -> str:
    """What the watcher runs when the supervisor has ended, in whatever way."""
    where, hosts, mark = (shlex.quote(str(item)) for item in (state, hostfile, hostfile_mark(state)))
    return (
        "# Run when the cluster's supervisor has ended, in whatever way.\n"
        f'[ "$(head -n 1 {hosts} 2>/dev/null)" = {mark} ] && rm -f {hosts}\n'
        f"rm -rf {where} 2>/dev/null || {{ sleep 0.5; rm -rf {where}; }}\n"
    )


def save(state: Path, config: Config) -> None:
    (state / "config.json").write_text(json.dumps(asdict(config)))


def load(state: Path) -> Config:
    """Raises ClusterError when no cluster is up there."""
    try:
        return Config(**json.loads((state / "config.json").read_text()))
    except FileNotFoundError:
        raise ClusterError(f"no cluster is up in {state}: start one with tools/cluster up N") from None


def take_down(state: Path, patience: float = 60.0) -> bool:
    """Ends the cluster and waits until nothing is left; False if there was none. patience in seconds."""
    if not (state / "lock").exists():
        return False
    fd = try_lock(state)
    if fd is not None:
        clean(state)
        os.close(fd)
        return True
    pid = supervisor_pid(state)
    if pid:
        with contextlib.suppress(OSError):  # it has ended by now
            process = os.pidfd_open(pid)
            if supervisor_pid(state) == pid:
                signal.pidfd_send_signal(process, signal.SIGTERM)
            os.close(process)
    deadline = time.monotonic() + patience
    while state.exists():
        if time.monotonic() > deadline:
            raise ClusterError(f"the cluster in {state} does not end; its supervisor is process {pid}")
        time.sleep(0.01)
    return True
