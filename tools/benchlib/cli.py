"""tools/bench: arguments in, exit code out. 2 for what can't be asked, 1 for what failed."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clusterlib.state import ClusterError

from . import figures, publish, show
from .contenders import CONTENDERS, Contender, choose
from .measure import Wish, as_dict, machine, measure
from .program import TOOLS, BenchError, Program

EPILOG = f"""contenders: {", ".join(one.name for one in CONTENDERS)}
--only takes their names, or the first word of them; without it all are run.

examples:
  tools/bench --install                                  what Debian has of the others is installed, all is measured
  tools/bench --hosts 147 --latency 0.3 --only adaptive,lamboot
  tools/bench --ssh --hosts 147 --only adaptive,clush,pdsh
Each run must reach every host, or it counts as failed; what it leaves behind is killed, and told."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="tools/bench", epilog=EPILOG, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures mpboot beside other launchers, side by side in one run, on emulated hosts.",
    )  # fmt: skip
    made.add_argument("--hosts", default="16,32,147", metavar="N,N", help="numbers of hosts (16,32,147)")
    made.add_argument("--latency", type=float, default=1.0, metavar="S", help="of the stand-in rsh (1.0)")
    made.add_argument("--ssh", action="store_true", help="real ssh to a real sshd on each host, with its own latency")
    made.add_argument("--hogs", type=int, default=0, metavar="N", help="busy processes a processor, meanwhile (0)")
    made.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each, taken in turn (3)")
    made.add_argument("--only", default="", metavar="A,B", help="these contenders")
    made.add_argument("--command", action="store_true", help="each of mpboot's topologies runs a command as well")
    made.add_argument("--limit", type=float, default=120.0, metavar="S", help="that a run may take (120)")
    made.add_argument("--no-figures", action="store_true", help="leave out memory and processor time of agents")
    made.add_argument("--json", metavar="FILE", help="write all runs")
    made.add_argument("--plot", metavar="FILE", help="write a plot of time against hosts (SVG)")
    made.add_argument("--markdown", action="store_true", help="tables as Markdown")
    made.add_argument("--publish", nargs="?", const="all", choices=["all", *publish.CAMPAIGNS, "simulated"],
                      help="measure docs/performance.md anew: all (some 50 minutes), or one section")  # fmt: skip
    made.add_argument("--install", action="store_true", help="as root, on Debian: install what is missing")
    return made


def install(packages: Sequence[str]) -> None:
    """Have apt-get install them, with the patience of the other tools. BenchError if it can't."""
    shell = f'ROOT={TOOLS.parent}; ME=tools/bench; . "$ROOT/tools/lib.sh"; is_root || die "--install needs root"; '
    done = subprocess.run(["/bin/sh", "-euc", shell + 'apt_install "$@"', "sh", *packages], check=False)
    if done.returncode:
        raise BenchError("not everything could be installed")


def numbers(text: str) -> list[int]:
    try:
        found = sorted({int(word) for word in text.split(",")})
    except ValueError:
        found = [0]
    if found[0] < 1 or found[-1] > 5000:
        raise ValueError(f"--hosts {text}: must be numbers from 1 to 5000 with commas between")
    return found


def wish_of(options: argparse.Namespace) -> Wish:
    if options.repeat < 1 or options.latency < 0 or options.limit <= 0 or options.hogs < 0:
        raise ValueError("--repeat must be at least 1, --latency, --limit and --hogs not negative")
    mode = "ssh" if options.ssh else "bare"
    return Wish(numbers(options.hosts), mode, options.latency, options.repeat, options.limit, options.hogs)


def run(options: argparse.Namespace) -> int:
    chosen = choose(options.only, options.command)
    wish = wish_of(options)
    if options.install:
        install(sorted({one.package for one in chosen if one.package}))
    program = Program()
    try:
        if not options.publish:
            return show_all(options, wish, chosen, program)
        for name, words in publish.CAMPAIGNS.items():
            if options.publish in ("all", name):
                some = parser().parse_args([*words, "--markdown", "--publish", name, "--repeat", str(options.repeat)])
                show_all(some, wish_of(some), choose(some.only), program)
        if options.publish in ("all", "simulated"):
            publish.simulations(program)
    finally:
        program.close()
    return 0


def show_all(options: argparse.Namespace, wish: Wish, chosen: Sequence[Contender], program: Program) -> int:
    """Measure, print, write."""
    where = machine()
    lines = measure(wish, chosen, program)
    most = wish.hosts[-1]
    found: dict[str, float] = {}
    if not options.no_figures and not options.ssh:
        found = {**figures.baseline(), **figures.idle_agents(program)}
        found.update(figures.costs(most, wish.latency, program, min(3, wish.repeat)))
    rsh = "real ssh" if options.ssh else f"stand-in rsh, latency {wish.latency:g} s"
    rsh += f", {wish.hogs} hogs a processor" if wish.hogs else ""
    rsh += ", each with a command" if options.command else ""
    place = "{date}, {processors} cores ({model}), {memory_gib} GiB, Linux {kernel}, load before {load_before}"
    text = f"{place.format(**where)}; {rsh}; median of {wish.repeat}.\n\n"
    text += show.by_hosts(lines, options.markdown) + show.side_by_side(lines, options.markdown)
    text += show.figures_table(found, most, options.markdown)
    print(text, end="", flush=True)
    if options.json:
        told = {"machine": where, "rsh": rsh, "figures": found, "lines": [as_dict(line) for line in lines]}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n")
    if options.plot:
        show.plot(lines, options.plot, f"Measured: {rsh}, {where['processors']} cores")
    if options.publish:
        picture = f"![time against hosts](images/{Path(options.plot).name})\n\n" if options.plot else ""
        publish.insert(options.publish, picture + text)
    return 1 if any(not line.good and not line.why_not for line in lines) else 0


def main(words: Sequence[str]) -> int:
    options = parser().parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is taken down
    try:
        for path in filter(None, (options.json, options.plot)):
            if not os.access(Path(path).absolute().parent, os.W_OK):
                raise ValueError(f"{path}: can't be written there")
        return run(options)
    except ValueError as error:
        print(f"tools/bench: {error}", file=sys.stderr)
        return 2
    except (BenchError, ClusterError, OSError) as error:
        print(f"tools/bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
