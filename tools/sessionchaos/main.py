"""Session after session, a line for each."""

from __future__ import annotations

from time import monotonic

from sessionchaos.plan import ROUNDS
from sessionchaos.play import Game, Violation
from sessionchaos.site import emulated, local


def run(seed: int, hosts: int, ssh: bool = False, verbose: bool = False, rounds: int = ROUNDS) -> str:
    """One session, as its seed has it; a line that tells of it, behind others if it is to be ``verbose``. Violation."""
    with (emulated if ssh else local)(hosts) as site:
        game = Game(site, seed, rounds)
        line = game.play()
        return "\n".join([*game.log, line] if verbose else [line])


def loop(hosts: int, runs: int, seed: int, ssh: bool = False, verbose: bool = False) -> int:
    """Run after run; 1 where something that must hold did not."""
    wrong = []
    for number in range(seed, seed + runs):
        begin = monotonic()
        try:
            line = f"{run(number, hosts, ssh, verbose)}  {monotonic() - begin:4.1f} s  right"
        except Violation as violation:
            wrong.append(number)
            again = f"tools/chaos sessions --hosts {hosts} --runs 1 --seed {number}{' --ssh' if ssh else ''}"
            line = f"VIOLATION: {violation}\nto repeat: {again}"
        print(f"seed {number:4}  {line}", flush=True)
    print(f"{runs} session{'s' * (runs != 1)}, {runs - len(wrong)} right{f'; wrong: {wrong}' if wrong else ''}")
    return 1 if wrong else 0
