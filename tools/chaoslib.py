"""Boots in which agents, workers and rsh are killed and stopped at random moments, and what must hold all the same.

tools/chaos runs it; tests/whole/test_deaths.py a short piece of it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import pytest  # noqa: E402
from benchlib.hogs import busy  # noqa: E402
from sessionchaos.main import loop as sessions  # noqa: E402

from mpboot.net.patience import LONG  # noqa: E402
from tests.support.chaos import (  # noqa: E402
    GONE,
    Boot,
    Held,
    agents,
    is_python,
    is_rsh,
    kill,
    nothing_left,
    root_of,
    stopped_with,
    tops_of,
)
from tests.support.cluster import Cluster  # noqa: E402
from tests.support.waiting import until  # noqa: E402

KILL, STOP, CONT = 9, 19, 18
SILENCE = 4.0  # seconds, instead of mpboot's ten
TIMEOUT = 6.0  # seconds of a launch
RETRIES = 3
MOST_HITS = 10
HOSTS, SESSION_HOSTS = 64, 12  # unless said otherwise
FEW = 16  # hosts
DURING = 2.5  # seconds from the first launch in which the hits come; half of that where no command runs on
BOUND = 150.0  # seconds that a boot may take: a stopped worker costs its timeout and 5 s, each retry a pause
TO_NOTICE = LONG * SILENCE + 3.0  # seconds until a stopped peer is given up: PINGs come every other second


class Hit(NamedTuple):
    """Something that was done to a process. ``about``: the host whose launch or agent it was, if that is known."""

    when: float
    kind: str  # agent, worker, rsh, root
    host: str  # where the process ran
    pid: int
    number: int
    about: str

    def __str__(self) -> str:
        name = {KILL: "kill", STOP: "stop"}[self.number]
        return f"{name} {self.kind} {self.pid} on {self.host} at {self.when:.2f}"


class Violation(AssertionError):
    """Something that must hold does not."""


class Chaos:
    """One run after another on one cluster, each as its seed has it."""

    def __init__(self, cluster: Cluster, root: bool, hogs: int = 0) -> None:
        """``hogs``: busy processes a processor beside it; whatever has a limit of its own here may take longer then."""
        self.cluster = cluster
        self.root = root
        self.slower = 1 + hogs / 2

    def run(self, seed: int) -> str:
        """One boot; a line that tells of it. Violation, with the boot's log, if something must hold and does not."""
        dice = random.Random(seed)
        # A ring of many takes too long; it has its turn where there are few.
        few = ("ring",) if len(self.cluster.names) <= FEW else ()
        topology = dice.choice(("adaptive", "adaptive", "tree", *few))
        words = ["--topology", topology, "--timeout", TIMEOUT, "--retries", RETRIES]
        words += ["--children", 3] if topology == "tree" else []
        held = Held(self.cluster) if dice.random() < 0.5 else None
        during = DURING if held else DURING / 2
        plan = sorted((dice.uniform(0.1, during), *self._choice(dice)) for _ in range(dice.randint(1, MOST_HITS)))
        if self.root:
            plan = sorted([*plan, (dice.uniform(0.1, DURING), "root", KILL)])
        hits: list[Hit] = []
        with Boot(self.cluster, *words, command=held.command if held else (), silence=SILENCE) as boot:
            try:
                hits = self._hit(boot, plan, dice)
                line = self._check(boot, held, hits)
            except AssertionError as error:
                told = "\n".join(map(str, [*(hits or plan), boot.text[-6000:]]))
                raise Violation(f"{error}\n{told}") from error
            finally:
                self._clean()
        return f"{topology:8} {'command' if held else '-':7} {len(hits):2} hits  {line}"

    def _choice(self, dice: random.Random) -> tuple[str, int]:
        return dice.choice(("agent", "worker", "rsh")), dice.choice((KILL, STOP))

    def _hit(self, boot: Boot, plan: list[tuple[float, str, int]], dice: random.Random) -> list[Hit]:
        hits: list[Hit] = []
        while boot.process.poll() is None and not (self._victims("rsh") or self._victims("agent")):
            sleep(0.02)  # where the machine is busy that takes longer than some boots do
        begin = monotonic()
        for when, wanted, number in plan:
            sleep(max(0.0, begin + when - monotonic()))
            for kind in dict.fromkeys((wanted, "agent", "worker") if wanted != "root" else (wanted,)):
                victims = [one for one in self._victims(kind) if not any(one[:2] == hit[2:4] for hit in hits)]
                if victims:
                    host, pid, about = dice.choice(victims)
                    hits.append(Hit(monotonic() - boot.begin, kind, host, pid, number, about))
                    kill(self.cluster, host, pid, number)
                    break
        return hits

    def _victims(self, kind: str) -> list[tuple[str, int, str]]:
        """(host, pid, host that it is about) of all processes of a kind."""
        if kind == "root":
            try:
                return [("head", root_of(self.cluster), "")]
            except StopIteration:
                return []
        found = []
        for host, processes in self.cluster.all_processes().items():
            pythons = [process.pid for process in processes if is_python(process) and process.state != "Z"]
            tops = tops_of(processes)
            rsh = {process.pid: process for process in processes if is_rsh(process)}
            carries = {process.parent: process.command[-2] for process in rsh.values()}
            if kind == "rsh":
                found += [(host, pid, process.command[-2]) for pid, process in rsh.items()]
            elif kind == "agent":
                found += [(host, pid, host) for pid in tops if host != "head"]
            else:
                found += [(host, pid, carries.get(pid, "")) for pid in pythons if pid not in tops]
        return found

    def _check(self, boot: Boot, held: Held | None, hits: list[Hit]) -> str:
        """What must hold when all has been hit; what came of the boot, as a line. AssertionError where it does not."""
        root_hit = any(hit.kind == "root" for hit in hits)
        stopped = [(hit.host, hit.pid) for hit in hits if hit.number == STOP]
        if held is not None:
            boot.until(lambda text: "the command has ended on" in text or " hosts up in " in text, BOUND * self.slower)
            if not root_hit:
                patience = 10.0 * self.slower
                until(lambda: not self._doubles(stopped), patience, lambda: f"booted twice: {self._doubles(stopped)}")
            held.release()
        boot.end(BOUND * self.slower)
        boot.check_numbers()
        lost = set(boot.causes())
        if not root_hit:
            wounded = {hit.host for hit in hits if hit.kind == "agent"}
            often = {name for name, count in Counter(hit.about for hit in hits).items() if count > RETRIES}
            innocent = lost - wounded - often
            assert not innocent, f"not hit, and not up: { {name: boot.hosts[name] for name in innocent} }"
        # What a stopped agent has below it must first notice its silence; without one, all know at once.
        quick = not any(hit.number == STOP and hit.kind == "agent" for hit in hits)
        frozen = stopped_with(self.cluster, stopped, {hit.about for hit in hits if hit.kind == "rsh"})
        gone = GONE * self.slower
        took = nothing_left(self.cluster, gone if quick else TO_NOTICE + gone, frozen)
        for host, pid in stopped:
            kill(self.cluster, host, pid, CONT)
        again = nothing_left(self.cluster, gone)
        up = f"{len(boot.up()):3} up {len(lost):2} lost"
        seconds = f"{boot.report['seconds']:5.1f} s booted {boot.seconds:5.1f} s ended"
        return f"{up}  {seconds}  gone {took:4.1f} {again:4.1f}"

    def _doubles(self, stopped: list[tuple[str, int]]) -> dict[str, list[int]]:
        """Hosts on which two agents run; those that were stopped are not counted."""
        found = {}
        for host, pids in agents(self.cluster).items():
            running = [pid for pid in pids if (host, pid) not in stopped]
            if len(running) > 1:
                found[host] = running
        return found

    def _clean(self) -> None:
        for host, processes in self.cluster.all_processes().items():
            for process in processes:
                kill(self.cluster, host, process.pid)


def loop(hosts: int, runs: int, seed: int, root: bool, hogs: int) -> int:
    """Run after run, a line for each; 1 at the first violation."""
    times = []
    with Cluster(hosts, latency=0.3) as cluster, busy(hogs):
        chaos = Chaos(cluster, root, hogs)
        for number in range(seed, seed + runs):
            begin = monotonic()
            try:
                line = chaos.run(number)
            except Violation as violation:
                again = f"tools/chaos --hosts {hosts} --runs 1 --seed {number}{' --root' if root else ''}"
                again += f" --hogs {hogs}" if hogs else ""
                print(f"seed {number}: VIOLATION: {violation}\nto repeat: {again}", flush=True)
                return 1
            times.append(monotonic() - begin)
            print(f"seed {number:4}  {line}", flush=True)
    took = f"{statistics.mean(times):.1f} s each, {max(times):.1f} at most"
    print(f"{runs} runs with {hosts} hosts, no violation; {took}")
    return 0


def causes(runs: int) -> int:
    """Run the tests of causes again and again; the seconds to each verdict. 1 at the first that is wrong."""
    seconds: dict[str, list[float]] = {}
    good = []
    with tempfile.NamedTemporaryFile() as file:
        for number in range(runs):
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/whole/test_causes.py"],
                cwd=ROOT, env={**os.environ, "MPBOOT_VERDICTS": file.name}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            last = done.stdout.strip().splitlines()[-1:] or ["?"]
            print(f"run {number + 1}: {last[0]}", flush=True)
            if done.returncode:
                print(done.stdout[-8000:])
                break
        for line in Path(file.name).read_text().splitlines():
            told = json.loads(line)
            good.append(told["good"])
            for name, (cause, when) in told["verdicts"].items():
                seconds.setdefault(f"{name:28} {cause:18}", []).append(when)
    for name, times in seconds.items():
        print(f"{name} {statistics.median(times):5.1f} s, {min(times):.1f} to {max(times):.1f}, {len(times)} times")
    print(f"good hosts were up after {max(good, default=0):.1f} s at most")
    return 1 if done.returncode else 0


def main() -> int:
    """Arguments in, exit code out."""
    parser = argparse.ArgumentParser(prog="tools/chaos", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("deaths", "causes", "sessions"), default="deaths")
    parser.add_argument("--hosts", type=int, help="64; of a session 12")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next has one more")
    parser.add_argument("--root", action="store_true", help="also kill the root, once a run")
    parser.add_argument("--hogs", type=int, default=0, help="busy processes a processor, beside boots")
    parser.add_argument("--ssh", action="store_true", help="sessions on emulated hosts with a real sshd")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all that is done to each session")
    wish = parser.parse_args()
    if wish.hogs and wish.what != "deaths":
        parser.error("--hogs goes with boots that are harmed, not with causes and sessions")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # its cluster goes with it
    # A shell that starts it with & has it ignored, and so would each client that it is sent to.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if wish.what == "causes":
            return causes(wish.runs)
        if wish.what == "sessions":
            return sessions(wish.hosts or SESSION_HOSTS, wish.runs, wish.seed, wish.ssh, wish.verbose)
        return loop(wish.hosts or HOSTS, wish.runs, wish.seed, wish.root, wish.hogs)
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        print(f"tools/chaos: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
