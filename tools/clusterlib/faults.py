"""What is wrong with a host: `tools/cluster fault`; docs/cluster.md has the list for people.

Each kind is a line that the stand-in reads, or steps that the host's first process takes, or both.
"""

import re
import sys
from pathlib import Path

from . import mounts, wire
from .state import HEAD_ADDRESS, LEAST_RATE, MOST_RATE, NETWORK, Config, UsageError, bytes_of, load

Step = tuple[str, ...]
NUMBER = r"[0-9]*\.?[0-9]+"

# Lines for the stand-in: kind -> (pattern of its argument, default of it)
STANDIN: dict[str, tuple[str, str]] = {
    "never": ("", ""),
    "hang": ("", ""),
    "refuse": ("", ""),
    "unreachable": (NUMBER, "0"),
    "unresolved": ("", ""),
    "slow": (NUMBER, ""),
    "noisy": (NUMBER, "0"),
    "half": (NUMBER, "0.5"),
    "flaky": (NUMBER, "0.5"),
    "flaky-first": (r"[0-9]+", "1"),
    "auth": ("", ""),
    "host-key": ("", ""),
    "zombie": ("", ""),
    "stopped": ("", ""),
    "dstate": ("", ""),
}

# Steps of the host itself, and what the stand-in is to do meanwhile: where a real network would notice
# the fault it has to notice it too.
HOST: dict[str, tuple[list[Step], str]] = {
    "blackhole": ([("route", "add", "blackhole", f"{HEAD_ADDRESS}/32")], ""),
    "down": ([("link", "down")], "unreachable 3"),
    "poweroff": ([("link", "down"), ("signal", "9")], "unreachable 3"),
    "freeze": ([("signal", "19")], "never"),
    "sshd-stop": ([("service", "signal", "19")], ""),
    "sshd-kill": ([("service", "signal", "9")], ""),
}

CALLBACK = {"drop": "blackhole", "reject": "unreachable"}

# Where the hosts have a real sshd or in.rshd, these come true there too. The rest is the stand-in's alone.
REAL: dict[str, list[Step]] = {
    "never": [("route", "add", "blackhole", NETWORK)],
    "refuse": [("service", "signal", "9")],
    "unreachable": [("link", "down")],
}
NOISE = """echo 'Welcome to the cluster!'; echo ' * Maintenance on Sunday'
echo "stty: 'standard input': Inappropriate ioctl for device" >&2
head -c {} /dev/zero | tr '\\0' x; echo"""


def kinds() -> list[str]:
    return sorted({*STANDIN, *HOST, "callback", "rate", *mounts.KINDS, "none"})


def steps_for(kind: str, argument: str) -> tuple[list[Step], str]:
    """The steps of the host and the stand-in's line, for one kind. Raises UsageError."""
    if kind in HOST:
        if argument:
            raise UsageError(f"{kind} takes no argument")
        return HOST[kind]
    if kind == "callback":
        if argument not in ("", *CALLBACK):
            raise UsageError(f"callback takes drop or reject, not {argument!r}")
        return [("route", "add", CALLBACK[argument or "drop"], NETWORK)], ""
    if kind == "rate":
        if not re.fullmatch(NUMBER, argument) or not LEAST_RATE <= float(argument) <= MOST_RATE:
            raise UsageError(f"rate takes {LEAST_RATE} to {MOST_RATE} Mbit/s, not {argument!r}")
        return [("rate", str(bytes_of(float(argument))))], ""
    if kind not in STANDIN:
        raise UsageError(f"{kind}: no such kind of fault; there are: {', '.join(kinds())}")
    pattern, default = STANDIN[kind]
    if not pattern and argument:
        raise UsageError(f"{kind} takes no argument")
    value = argument or default
    if pattern and not re.fullmatch(pattern, value):
        raise UsageError(f"{kind} takes a number, not {argument!r}")
    return [], f"{kind} {value}".rstrip()


def clear(state: Path, host: str) -> None:
    """Undoes every fault of the host, whatever was set before."""
    for name in (host, f"{host}.attempts"):
        (state / "faults" / name).unlink(missing_ok=True)
    wire.control(state, host, "link", "up")
    wire.control(state, host, "rate")
    for type_, prefix in (("blackhole", f"{HEAD_ADDRESS}/32"), ("blackhole", NETWORK), ("unreachable", NETWORK)):
        wire.control(state, host, "route", "del", type_, prefix)
    rename_in_hosts(state, f" {host}.unresolved\n", f" {host}\n")
    other_key = mounts.is_mounted(state, host, str(state / "ssh" / "host_key"))
    mounts.clear(state, host)
    wire.control(state, host, "signal", "18")
    wire.control(state, host, "service", "restart" if other_key else "start")


def set_fault(state: Path, host: str, kind: str, argument: str = "") -> None:
    """Makes the fault, at once, beside those the host has already; 'none' clears them all."""
    config = load(state)
    if host not in config.names:
        raise UsageError(f"{host}: there is no such host")
    if kind == "none":
        clear(state, host)
        return
    if kind in mounts.KINDS:
        mounts.set_fault(state, config, host, kind, argument)
        return
    steps, line = steps_for(kind, argument)
    if config.mode != "bare":
        steps = steps + make_real(state, config, host, kind, argument)
    for step in steps:
        wire.control(state, host, *step)
    if line:
        add_line(state, host, line)


def make_real(state: Path, config: Config, host: str, kind: str, argument: str) -> list[Step]:
    """The same fault for real logins, as far as it can be had. Returns steps still to take."""
    ssh = state / "ssh"
    if kind == "auth" and config.mode == "ssh":
        mounts.mount(state, host, ssh / "no_keys", str(ssh / "authorized_keys"))
    elif kind == "auth":
        mounts.mount(state, host, state / "pam-deny", "/etc/pam.d/rsh")
    elif kind == "host-key" and config.mode == "ssh":
        mounts.mount(state, host, ssh / "other_key", str(ssh / "host_key"))
        return [("service", "restart")]
    elif kind == "hang":
        mounts.wrap_shell(state, config, host, "sleep 1000000000")
    elif kind == "noisy":
        mounts.wrap_shell(state, config, host, NOISE.format(int(float(argument or "0"))))
    elif kind == "unresolved":
        rename_in_hosts(state, f" {host}\n", f" {host}.unresolved\n")
    elif kind not in REAL and kind in STANDIN:
        print(f"note: {kind} is known to the stand-in alone; real {config.mode} does not meet it", file=sys.stderr)
    return REAL.get(kind, [])


def rename_in_hosts(state: Path, old: str, new: str) -> None:
    """In place, since the file itself is mounted on every host."""
    for path in (state / "etc-hosts", state / "etc-hosts.head"):
        text = path.read_text()
        if old in text:
            path.write_text(text.replace(old, new))


def add_line(state: Path, host: str, line: str) -> None:
    path = state / "faults" / host
    kind = line.split(maxsplit=1)[0]
    kept = [old for old in read_lines(path) if old.split(maxsplit=1)[0] != kind]
    scratch = path.with_suffix(".new")
    scratch.write_text("\n".join([*kept, line]) + "\n")
    scratch.replace(path)


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
