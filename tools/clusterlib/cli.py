"""tools/cluster: arguments in, exit code out. 2 for what can't be asked, 1 for what failed."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import faults, services, state, terminal, up, wire
from .state import HEAD, ClusterError

DESCRIPTION = "Emulates a cluster of N hosts on this machine, for demos, tests and benchmarks."
EPILOG = """examples:
  tools/cluster up 32 --latency 1.0           32 hosts, reached by a stand-in rsh that takes 1 s
  tools/cluster exec head mpboot hosts        boots them, from the emulated head
  tools/cluster fault h005 refuse             h005 refuses connections from now on ('none': no more)
  tools/cluster down                          all of it is gone
docs/cluster.md explains every fault."""


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(
        prog="tools/cluster", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--state", metavar="DIR", type=Path, default=argparse.SUPPRESS,
                        help="where the cluster's files are (MPBOOT_CLUSTER_STATE)")  # fmt: skip
    main_parser.add_argument("--state", metavar="DIR", type=Path, default=argparse.SUPPRESS)
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[shared], allow_abbrev=False)

    add_up(add("up", "start a cluster of N hosts and a head"))
    add("down", "end the cluster; nothing is left")
    fault = add("fault", "make a host bad, at once; 'none' makes it good again")
    fault.add_argument("host")
    fault.add_argument("kind", metavar="KIND", help=", ".join(faults.kinds()))
    fault.add_argument("argument", metavar="ARG", nargs="?", default="")
    for name, text in (("exec", "run a command on a host"), ("shell", "an interactive shell on a host")):
        run = add(name, text)
        run.add_argument("host", nargs=None if name == "exec" else "?", default=HEAD)
        if name == "exec":
            run.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER)
    ps = add("ps", "list the processes of a host, or of all")
    ps.add_argument("host", nargs="?")
    add("env", 'print what to set, for: eval "$(tools/cluster env)"')
    return main_parser


def add_up(command: argparse.ArgumentParser) -> None:
    command.add_argument("count", metavar="N", type=int)
    mode = command.add_mutually_exclusive_group()
    mode.add_argument("--bare", dest="mode", action="store_const", const="bare", default="bare",
                      help="hosts reached by the stand-in rsh (default)")  # fmt: skip
    mode.add_argument("--ssh", dest="mode", action="store_const", const="ssh", help="a real sshd on each")
    mode.add_argument("--rsh", dest="mode", action="store_const", const="rsh", help="a real in.rshd on each")
    command.add_argument("--latency", metavar="S", type=float, default=0.0,
                         help="seconds that the stand-in takes to log in (0)")  # fmt: skip
    command.add_argument("--rate", metavar="MBIT", type=float, default=0.0,
                         help="Mbit/s that each host's link carries, each way (as much as comes)")  # fmt: skip
    command.add_argument("--prefix", metavar="P", default="h", help="of the hosts' names (h)")
    command.add_argument("--hostfile", metavar="FILE", default="", help="where to write it (./hosts)")
    command.add_argument("--shell", metavar="PATH", default="", help="login shell on the hosts (yours)")
    command.add_argument("--home", metavar="DIR", default="", help="home directory on the hosts (yours)")
    command.add_argument("--head-address", choices=["loopback", "real"], default="loopback",
                         help="what its own name means on the head: 127.0.1.1 as on Debian or 10.77.0.1")  # fmt: skip


def run_up(options: argparse.Namespace) -> int:
    wish = up.Wish(options.count, options.mode, options.latency, options.rate, options.prefix, options.hostfile,
                   options.head_address, options.shell, options.home)  # fmt: skip
    config, seconds = up.up(wish, options.state)
    shown = os.path.relpath(config.hostfile)
    shown = config.hostfile if shown.startswith("..") else shown
    state_option = "" if options.state == state.default_state() else f" --state {shlex.quote(str(options.state))}"
    print(f"{options.count} hosts ({config.names[1]} to {config.names[-1]}) and {HEAD} are up "
          f"in {seconds:.2f} s; hostfile: {shown}")  # fmt: skip
    print(f"next: tools/cluster exec{state_option} head mpboot {shown} --children 4 --timeout 30")
    print(f"      tools/cluster fault{state_option} {config.names[-1]} refuse")
    print(f"      tools/cluster down{state_option}")
    return 0


def client(options: argparse.Namespace, how: str, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The C client's argv and environment for a command on the host."""
    config = state.load(options.state)
    environment = {**services.environment(config.mode, options.state), **os.environ}
    environment["MPBOOT_CLUSTER_STATE"] = str(options.state)
    return [f"{options.state}/bin/cluster-exec", str(options.state), how, options.host, *words], environment


def execute(options: argparse.Namespace) -> NoReturn:
    """Becomes the client; it ends as the command ends."""
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise state.UsageError("exec needs a host and a command: tools/cluster exec head hostname")
    command, environment = client(options, "-", words)
    os.execve(command[0], command, environment)


def run_shell(options: argparse.Namespace) -> int:
    shell = os.environ.get("SHELL", "/bin/sh")
    command, environment = client(options, "tty" if sys.stdin.isatty() else "-", [shell, "-i"])
    return terminal.run(command, environment)


def run_ps(options: argparse.Namespace) -> int:
    config = state.load(options.state)
    for host in [options.host] if options.host else config.names:
        for process in wire.processes(options.state, host):
            print(f"{host:8} {process.pid:7} {process.parent:7} {process.state} {shlex.join(process.command)}")
    return 0


def run_env(options: argparse.Namespace) -> int:
    config = state.load(options.state)
    values = {**services.environment(config.mode, options.state), "MPBOOT_CLUSTER_STATE": str(options.state)}
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"# programs that look for ssh or rsh find the stand-in with PATH={options.state}/bin:$PATH")
    return 0


def run(options: argparse.Namespace) -> int:
    if options.command == "up":
        return run_up(options)
    if options.command == "down":
        if not state.take_down(options.state):
            print(f"no cluster is up in {options.state}")
        return 0
    if options.command == "fault":
        faults.set_fault(options.state, options.host, options.kind, options.argument)
        return 0
    if options.command == "exec":
        execute(options)
    if options.command == "shell":
        return run_shell(options)
    if options.command == "ps":
        return run_ps(options)
    return run_env(options)


def main(words: Sequence[str]) -> int:
    options = parser().parse_args(words)
    options.state = options.state.absolute() if "state" in options else state.default_state()
    try:
        return run(options)
    except ClusterError as error:
        print(f"tools/cluster: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
