"""Session after session, a line for each."""

from __future__ import annotations

from time import monotonic

from sessionchaos.play import Game, Violation
from sessionchaos.site import local


def run(seed: int, hosts: int) -> str:
    """One session, as its seed has it; a line that tells of it. Violation."""
    with local(hosts) as site:
        return Game(site, seed).play()


def loop(hosts: int, runs: int, seed: int) -> int:
    """Run after run; 1 where something that must hold did not."""
    wrong = []
    for number in range(seed, seed + runs):
        begin = monotonic()
        try:
            line = f"{run(number, hosts)}  {monotonic() - begin:4.1f} s  right"
        except Violation as violation:
            wrong.append(number)
            line = f"VIOLATION: {violation}\nto repeat: tools/chaos sessions --hosts {hosts} --runs 1 --seed {number}"
        print(f"seed {number:4}  {line}", flush=True)
    print(f"{runs} sessions, {runs - len(wrong)} right{f'; wrong: {wrong}' if wrong else ''}")
    return 1 if wrong else 0
