"""`tools/cluster up`: fills the state directory and starts the supervisor.

What runs on the hosts beside that (sshd, inetd) is decided in services.py.
"""

import os
import pwd
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import build, mounts, services, state
from .state import HEAD, ClusterError, Config, UsageError

PROGRAM_NAMES = ("ssh", "rsh", "cluster-exec", "cluster-supervise")


@dataclass
class Wish:
    """What was asked for on the command line."""

    count: int
    mode: str = "bare"
    latency: float = 0.0
    rate: float = 0.0  # Mbit/s of each link; 0: as much as comes
    prefix: str = "h"
    hostfile: str = ""
    head_address: str = "loopback"
    shell: str = ""
    home: str = ""


def check(wish: Wish) -> None:
    if not 1 <= wish.count <= state.MAX_HOSTS:
        raise UsageError(f"the number of hosts must be 1 to {state.MAX_HOSTS}, not {wish.count}")
    if not 0 <= wish.latency < 1e6:
        raise UsageError(f"--latency must be seconds, not {wish.latency}")
    if wish.rate and not state.LEAST_RATE <= wish.rate <= state.MOST_RATE:
        raise UsageError(f"--rate must be {state.LEAST_RATE} to {state.MOST_RATE} Mbit/s, not {wish.rate}")
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z-])?", wish.prefix):
        raise UsageError(f"--prefix must be letters, digits and dashes and not end in a digit: {wish.prefix!r}")
    if wish.prefix + "0" == HEAD:
        raise UsageError("this prefix is the head's")
    for what, path in (("--shell", wish.shell), ("--home", wish.home)):
        if path and not Path(path).exists():
            raise UsageError(f"{what} {path}: there is no such thing")
    services.check(wish.mode)


def choose_hostfile(wish: Wish, where: Path) -> Path:
    if wish.hostfile:
        chosen = Path(wish.hostfile).absolute()
        if chosen.exists() and not state.is_ours(chosen):
            raise UsageError(f"{chosen}: exists and is not of a cluster; give another one with --hostfile")
        return chosen
    chosen = Path("hosts").absolute()
    if (chosen.exists() and not state.is_ours(chosen)) or not os.access(chosen.parent, os.W_OK):
        return where / "hosts"
    return chosen


def etc_hosts(names: list[str], head_is_loopback: bool) -> str:
    """All hosts by name. Debian gives a machine's own name the address 127.0.1.1: so does the head."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    for index, name in enumerate(names):
        own = head_is_loopback and name == HEAD
        lines.append(f"{'127.0.1.1' if own else state.address_of(index)} {name}")
    return "\n".join(lines) + "\n"


def write_files(wish: Wish, where: Path, hostfile: Path) -> None:
    names = state.host_names(wish.count, wish.prefix)
    user = pwd.getpwuid(os.getuid()) if has_account() else None
    account = user.pw_name if user else str(os.getuid())
    shell = wish.shell or (user.pw_shell if user else "") or "/bin/sh"
    config = Config(names, wish.mode, str(hostfile), account, shell)
    for directory in ("bin", "sock", "faults", "mounts"):
        (where / directory).mkdir()
    build.install(where / "bin" / "rsh-standin")
    for name in PROGRAM_NAMES:
        (where / "bin" / name).symlink_to("rsh-standin")
    text = "".join(f"{name} {state.address_of(index)}\n" for index, name in enumerate(names))
    (where / "hosts.list").write_text(text)
    for index, name in enumerate(names):
        (where / "sock" / state.address_of(index)).symlink_to(name)
    (where / "user").write_text(config.user)
    (where / "latency").write_text(f"{wish.latency}\n")
    (where / "rate").write_text(f"{state.bytes_of(wish.rate)}\n")
    (where / "etc-hosts").write_text(etc_hosts(names, head_is_loopback=False))
    (where / "etc-hosts.head").write_text(etc_hosts(names, head_is_loopback=wish.head_address == "loopback"))
    binds = [(where / "etc-hosts", "/etc/hosts"), *services.prepare(wish.mode, where, config)]
    if wish.shell or wish.home:
        changes = {field: str(Path(path).absolute()) for field, path in ((6, wish.shell), (5, wish.home)) if path}
        mounts.write_passwd(where / "passwd", Path("/etc/passwd"), config.user, changes)
        binds.append((where / "passwd", "/etc/passwd"))
    (where / "binds").write_text("".join(f"{source}\t{target}\n" for source, target in binds))
    (where / "binds.head").write_text(f"{where / 'etc-hosts.head'}\t/etc/hosts\n")
    mark = state.hostfile_mark(where)
    hostfile.write_text(mark + "\n" + "".join(f"{name}\n" for name in names[1:]))
    (where / "cleanup").write_text(state.cleanup_script(where, hostfile))
    state.save(where, config)


def has_account() -> bool:
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def start_supervisor(where: Path, lock: int) -> None:
    """Returns when every host is ready. Raises ClusterError with what the supervisor says."""
    reading, writing = os.pipe()
    with (where / "log").open("a") as log:
        process = subprocess.Popen(
            ["cluster-supervise", str(where), str(lock), str(writing)],
            executable=str(where / "bin" / "cluster-supervise"),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            start_new_session=True, pass_fds=(lock, writing),
        )  # fmt: skip
    (where / "pid").write_text(f"{process.pid}\n")
    os.close(writing)
    with os.fdopen(reading) as report:
        answer = report.read().strip()
    if answer != "ok":
        log_text = (where / "log").read_text().strip() if (where / "log").exists() else ""
        process.wait()
        raise ClusterError(" · ".join(filter(None, [answer or "the supervisor died", log_text[-300:]])))
    process.returncode = 0  # it lives on by itself: no warning about that when this object goes


def up(wish: Wish, where: Path) -> tuple[Config, float]:
    """Starts the cluster. Returns its config and the seconds that it took."""
    began = time.monotonic()
    check(wish)
    lock = state.lock(where)
    try:
        hostfile = choose_hostfile(wish, where)
        write_files(wish, where, hostfile)
    except BaseException:
        state.clean(where)
        raise
    try:
        start_supervisor(where, lock)
    except BaseException:
        os.close(lock)
        state.take_down(where)
        raise
    os.close(lock)
    return state.load(where), time.monotonic() - began
