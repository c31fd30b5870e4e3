"""Boots of hosts that differ as those in the field do: firewalls, names, keys, old sshds, settings of ssh's.

tools/field runs them; tests/whole/test_field.py has a short piece of it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import pytest  # noqa: E402
from fieldkinds import KINDS, OWN, RSH, TIMEOUT, WAIT, Field  # noqa: E402

from tests.support.chaos import Boot, nothing_left  # noqa: E402
from tests.support.cluster import Cluster  # noqa: E402

GOOD, HARD = 4, 6  # hosts
# Seconds by which good hosts may be later than without the others: ten hosts make a tree that is a level deeper than
# four, and their launches share this machine's processors. On one with nothing else to do it is a tenth of that.
LATER = 2.0
SLOW = 1.5  # seconds of a boot of four good hosts: this machine has so much else to do that no time means anything
CROWDED = 10  # processes that want each processor, for the same
AGAIN = 5  # times that a run is made anew where that was so
ENDS = WAIT + 3 * TIMEOUT + 5.0  # seconds that a boot may take: what began just before WAIT was over, here and there


class Violation(AssertionError):
    """Something that must hold does not."""


class TooBusy(Exception):
    """A run that went wrong while this machine was too busy to say anything of it."""


class Told(NamedTuple):
    """A run that went well: what it was, the seconds by which good hosts were later, and the causes of the others."""

    line: str
    later: float
    kinds: list[str]


def choose(dice: random.Random) -> list[str]:
    """Six different kinds: of all groups, or of all but those that pass, which take a boot with --wait-for."""
    waits = dice.random() < 0.5
    groups = {name: kind.group for name, kind in KINDS.items() if waits or kind.group != "passes"}
    chosen = [
        dice.choice([name for name, its in groups.items() if its == group]) for group in dict.fromkeys(groups.values())
    ]
    chosen += dice.sample([name for name in groups if name not in chosen], HARD - len(chosen))
    dice.shuffle(chosen)
    return chosen


class Run:
    """What a seed has chosen: which host is what, and how they are booted."""

    def __init__(self, seed: int, cluster: Cluster) -> None:
        self.dice = dice = random.Random(seed)
        self.cluster = cluster
        chosen = choose(dice)
        self.order = dice.sample(cluster.names, len(cluster.names))
        self.kinds = dict(zip(dice.sample(self.order, HARD), chosen))
        self.good = [name for name in self.order if name not in self.kinds]
        self.passing = [name for name, kind in self.kinds.items() if KINDS[kind].group == "passes"]
        tree = dice.choice((["--children", 2], ["--children", 3], ["--topology", "adaptive"]))
        self.words = [*tree, "--timeout", TIMEOUT, "--retries", dice.choice((0, 1)), "--rsh", dice.choice(RSH)]
        self.text = ""  # of the boot of all

    def __str__(self) -> str:
        named = [f"{name}={self.kinds.get(name, 'good')}" for name in self.order]
        return f"{' '.join(map(str, self.words))} of {','.join(named)}"

    def good_alone(self) -> float:
        """The second in which the last of the good hosts is up where there are no others."""
        with boot(self.cluster, self.good, self.words) as made:
            check(made.end(ENDS), self.good, {})
        return last(made, self.good)

    def all(self, field: Field) -> Boot:
        """The boot of all, to its end; what is to pass does so once it was met."""
        with boot(self.cluster, self.order, [*self.words, "--wait-for", WAIT if self.passing else 0]) as made:
            try:
                made.until(lambda _: made.verdicts().keys() >= set(self.passing), ENDS)
                for name in self.passing:
                    field.mend(name)
                made.end(ENDS)
            finally:
                self.text = made.text
        return made

    def make(self) -> Told:
        """The good hosts alone, then all. Violation, with the boot's log, if something must hold and does not."""
        field = Field(self.cluster, self.dice)
        alone: list[float] = []
        try:
            alone.append(self.good_alone())
            hard(field, self.kinds)
            made = self.all(field)
            alone.append(self.good_alone())
            check(made, self.order, self.kinds)
            later = last(made, self.good) - max(alone)
            assert later < allowed(self.kinds), f"good hosts were {later:.2f} s later than without the others"
            field.close()
            nothing_left(self.cluster)
        except AssertionError as error:
            load = os.getloadavg()[0]
            if max(alone, default=0.0) > SLOW or load > CROWDED * (os.cpu_count() or 1):
                told = f"load {load:.0f}, the good alone up after {', '.join(f'{seconds:.1f} s' for seconds in alone)}"
                raise TooBusy(f"{told}: {str(error)[:300]}") from error
            raise Violation(f"{self}\n{error}\n{self.text[-6000:]}") from error
        finally:
            field.close()
        seconds = f"good hosts {later:+.2f} s, end at {made.report['seconds']:.1f} s"
        return Told(f"{self}: {seconds}", later, list(self.kinds.values()))


def run(seed: int) -> Told:
    """A run on a cluster of its own; anew where this machine was too busy."""
    for left in reversed(range(AGAIN)):
        with Cluster(GOOD + HARD, "ssh") as cluster:
            try:
                return Run(seed, cluster).make()
            except TooBusy as error:
                print(f"seed {seed}: not counted: {error}", flush=True)
                if not left:
                    raise
    raise AssertionError


def hard(field: Field, kinds: dict[str, str]) -> None:
    """Make the hosts what they are to be, and write the configuration that goes with it."""
    for host, kind in kinds.items():
        KINDS[kind].make(field, host)
    if field.dice.random() < 0.3:
        field.config += f"Host *\n  {field.dice.choice(OWN)}\n"
    path = field.cluster.home / ".ssh" / "config"
    path.parent.mkdir()
    path.write_text(field.config)
    path.chmod(0o600)


def boot(cluster: Cluster, hosts: list[str], words: list[object]) -> Boot:
    """A boot of these hosts."""
    return Boot(cluster, "--hosts", ",".join(hosts), *words, hostfile="--quiet")


def check(made: Boot, hosts: list[str], kinds: dict[str, str]) -> None:
    """Every host is up that can be, and each of the others has its cause. AssertionError."""
    causes = {host: KINDS[kind].cause for host, kind in kinds.items() if KINDS[kind].cause}
    assert list(made.hosts) == hosts
    told = {host: made.hosts[host] for host, cause in made.causes().items() if causes.get(host) != cause}
    assert made.causes() == causes, f"wrong: {told}"
    assert made.code == (1 if causes else 0)
    others = {host: made.hosts[host]["launcher"] for host in causes if made.hosts[host]["launcher"] != "head"}
    assert not others, f"the head was not the last to try: {others}"


def last(made: Boot, hosts: list[str]) -> float:
    """The second in which the last of these was up."""
    return max(float(made.hosts[host]["up"]) for host in hosts)


def allowed(kinds: dict[str, str]) -> float:
    """How much later the good hosts may be: whom a host without a name server was given first lose one launch."""
    return LATER + (TIMEOUT if "mute" in kinds.values() else 0.0)


def loop(runs: int, seed: int) -> int:
    """Run after run, a line for each, and what came of all; 1 if something was wrong."""
    good: list[float] = []
    kinds: Counter[str] = Counter()
    wrong: list[int] = []
    busy = 0
    for number in range(seed, seed + runs):
        begin = monotonic()
        try:
            told = run(number)
        except TooBusy:
            busy += 1
            continue
        except AssertionError as error:
            wrong.append(number)
            print(f"seed {number}: VIOLATION: {error}\nto repeat: tools/field --runs 1 --seed {number}", flush=True)
            continue
        good.append(told.later)
        kinds.update(told.kinds)
        print(f"seed {number:4}  {told.line}, {monotonic() - begin:.1f} s in all", flush=True)
    print(", ".join(f"{name} {kinds[name]}" for name in KINDS))
    wrongs = f"{runs} run{'s' * (runs != 1)}, {len(wrong)} wrong{f' {wrong}' if wrong else ''}"
    unfit = f"{busy} not counted since this machine was too busy"
    print(f"{wrongs}, {unfit}; good hosts were {max(good, default=0.0):+.2f} s later at most")
    return 1 if wrong else 0


def main() -> int:
    """Arguments in, exit code out."""
    parser = argparse.ArgumentParser(prog="tools/field", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next has one more")
    wish = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # its cluster goes with it
    try:
        return loop(wish.runs, wish.seed)
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        print(f"tools/field: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
