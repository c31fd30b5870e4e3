"""What an agent costs: memory of a leaf, a parent and the head, milliseconds of a leaf's processor time."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from clusterlib import faults

from .contenders import choose
from .emulated import Emulated, emulated
from .processes import below
from .program import Program

SLOW = "8"  # times the latency: one host holds the boot up while the others are looked at
BASELINES = 40


def memory(pid: int) -> tuple[float, float]:
    """Resident and proportional (PSS) memory of a process in MB; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    values = {line.split()[0]: int(line.split()[1]) / 1024 for line in text.splitlines()[1:] if "kB" in line}
    return values.get("Rss:", 0.0), values.get("Pss:", 0.0)


def agents(cluster: Emulated, host: str) -> list[tuple[float, float]]:
    """The memory of each process on a host."""
    first = cluster.first_processes()[["head", *cluster.course.hosts].index(host)]
    return [one for one in (memory(seen.pid) for seen in below(first)) if one[0]]


def is_own(pid: int, namespace: str) -> bool:
    """Is it one of mpboot's, in this namespace? Below a stand-in rsh hangs also what it has started on its host."""
    try:
        same = Path(f"/proc/{pid}/ns/pid").readlink() == Path(namespace)
        return same and "python" in Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False


def head_peak(cluster: Emulated, name: str) -> float:
    """The most that mpboot's processes on the head ever had together while a contender ran: PSS in MB."""
    head = cluster.first_processes()[0]
    namespace = str(Path(f"/proc/{head}/ns/pid").readlink())
    ended = threading.Event()
    peak = [0.0]

    def look() -> None:
        while not ended.wait(0.1):
            peak[0] = max(peak[0], sum(memory(seen.pid)[1] for seen in below(head) if is_own(seen.pid, namespace)))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        cluster.run(choose(name)[0], 300.0)
    finally:
        ended.set()
        looker.join()
    return round(peak[0], 1)


def idle_agents(program: Program) -> dict[str, float]:
    """Memory in MB of idle agents: 16 of a quad tree, of which the last host takes its time."""
    with emulated(17, "bare", 0.5, program) as cluster:
        slow = cluster.course.hosts[-1]
        faults.set_fault(cluster.state, slow, "slow", SLOW)
        one = choose("tree 4")[0]
        output = os.open(os.devnull, os.O_WRONLY)
        process = cluster.popen(one.command(cluster.course), output, {})
        try:
            time.sleep(3.2)
            alone = [agents(cluster, host) for host in cluster.course.hosts[:-1]]
        finally:
            process.wait(60)
            os.close(output)
            cluster.sweep()
    leaves = [found[0] for found in alone if len(found) == 1]
    parents = [found for found in alone if len(found) > 1]
    result = {"leaf_rss": leaves[0][0], "leaf_pss": min(leaf[1] for leaf in leaves)} if leaves else {}
    if parents:
        result["parent_rss"] = max(rss for rss, _ in parents[0])
        result["parent_and_workers_pss"] = sum(pss for _, pss in parents[0])
    return {name: round(value, 1) for name, value in result.items()}


def baseline() -> dict[str, float]:
    """Milliseconds of processor time of an empty interpreter, as an agent is started, and of an empty shell."""
    found = {}
    for name, words in {
        "python_ms": ["python3", "-I", "-S", "-c", "pass"],
        "shell_ms": ["/bin/sh", "-c", ":"],
    }.items():
        # As on a host: the first python3 of the system's own directories.
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        before = os.times()
        for _ in range(BASELINES):
            subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        found[name] = round(1000 * used / BASELINES, 1)
    return found


def least_cpu(hosts: int, latency: float, program: Program, repeat: int) -> float:
    """Seconds of processor time of a flat boot, the least of some."""
    with emulated(hosts, "bare", latency, program) as cluster:
        runs = [cluster.run(choose("flat")[0], 300.0) for _ in range(repeat)]
    return min((run.cpu for run in runs if not run.problem), default=0.0)


def costs(hosts: int, latency: float, program: Program, repeat: int) -> dict[str, float]:
    """Milliseconds of a further host of a flat boot, and the head's memory in MB at ``hosts``."""
    figures: dict[str, float] = {}
    most, one = least_cpu(hosts, latency, program, repeat), least_cpu(1, 0.1, program, repeat)
    if hosts > 1 and most:
        figures["host_ms"] = round(1000 * (most - one) / (hosts - 1), 1)
    with emulated(hosts, "bare", latency, program) as cluster:
        for name in ("adaptive", "flat"):
            print(f"{hosts:5} hosts  memory of the head, {name}", file=sys.stderr, flush=True)
            figures[f"head_mb_{name}"] = head_peak(cluster, name)
    return figures
