"""What people type out of habit, from other launchers or in haste: refused with what is to be typed instead."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from mpboot.cli.codes import UsageError
from mpboot.text import shown

COMMANDS = (
    "boot", "exec", "nodes", "sessions", "jobs", "kill", "grow", "shrink", "halt", "push", "pull",
    "env", "plan", "inspect",
)  # fmt: skip
LONGEST = 160  # characters of a line that is proposed

_FILE = "a file of hosts needs no option: mpboot HOSTFILE"
_PORT = "a port belongs to its host: --hosts ssh://HOST:PORT, or port=N on its line of the hostfile"
_LEAVE_OUT = "let nodeset leave hosts out: --hosts \"$(nodeset -e 'node[1-9]!node3')\""
_COUNT = "every host that is given is booted, once: give as many as you want"
# Options of pdsh, clush, pssh, mpirun, srun, ssh and rsh that are none here.
HABITS = {
    **dict.fromkeys(("-f", "--fanout", "--forks"), f"--children N is the fan-out; {_FILE}"),
    **dict.fromkeys(("-h",), f"--help is the help; {_FILE}"),
    **dict.fromkeys(("-hostfile", "--hostfile", "-machinefile", "--machinefile", "-F", "--nodefile"), _FILE),
    **dict.fromkeys(("-x", "-X", "--exclude"), _LEAVE_OUT),
    **dict.fromkeys(("-H", "-host", "--host", "-hosts", "--nodes", "--nodelist", "--hostlist"), "type --hosts LIST"),
    **dict.fromkeys(("-g", "--group"), "a group is given as --hosts @GROUP"),
    **dict.fromkeys(("-a", "--all"), "all hosts of the default group source are --hosts '@*'"),
    **dict.fromkeys(("-l", "--login"), "type --user NAME"),
    **dict.fromkeys(("-p", "--port"), _PORT),
    **dict.fromkeys(("-i", "-o", "-e", "--options"), "ssh's options go into --rsh, as in --rsh 'ssh -i KEY'"),
    **dict.fromkeys(("-R", "--rcmd", "--launcher"), "type --rsh COMMAND"),
    **dict.fromkeys(("-t", "--connect-timeout"), "type --timeout S"),
    **dict.fromkeys(("-u",), "type --command-timeout S"),
    **dict.fromkeys(("-n", "-np", "-N", "-c"), _COUNT),
    **dict.fromkeys(("-B",), "-b gathers standard output; for both in one: -b -- sh -c 'COMMAND 2>&1'"),
    **dict.fromkeys(("--outdir", "--errdir"), "type --output-dir DIR"),
    **dict.fromkeys(("-q",), "type --quiet"),
    **dict.fromkeys(("-j",), "type --json FILE"),
    **dict.fromkeys(("-V",), "type --version"),
}
_FOR_SHELL = re.compile(r"[;|&<>$`*?()\n]|^~")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def check_arguments(args: Sequence[str], params: Iterable[Any], command: bool) -> None:
    """UsageError for an option of another launcher's, and for a second word that is no option.

    ``args``: those of boot in front of ``--``; ``params``: boot's, as typer has them; ``command``: was there a ``--``?
    """
    takes_value = {
        name: not param.is_flag for param in params if param.param_type_name == "option" for name in param.opts
    }
    words: list[int] = []
    foreign: list[tuple[int, str]] = []
    hosts = False
    at = 0
    while at < len(args):
        word = args[at]
        long, equals, _ = word.partition("=")
        name = word if word in HABITS else long if word.startswith("--") else word[:2]
        if word == "-" or not word.startswith("-"):
            words.append(at)
        elif name not in takes_value:
            foreign.append((at, name))
        else:
            hosts = hosts or name in ("--hosts", "-w")
            at += takes_value[name] and not (equals if word.startswith("--") else word[2:])
        at += 1
    hostfile = args[words[0]] if words else None
    if words and (not hosts or hostfile == "-" or os.path.lexists(args[words[0]])):
        del words[0]
    if foreign and not (words and words[0] < foreign[0][0]):
        name = foreign[0][1]
        if name in HABITS:
            raise UsageError(f"no such option: {name}: {HABITS[name]}; see mpboot --help")
    elif words:
        if not hosts and not command:
            check_hostfile(hostfile)
        raise UsageError(_too_many(args, words[0], command))


def _too_many(args: Sequence[str], at: int, command: bool) -> str:
    """What to say of a word behind the hosts."""
    word = shown(args[at])
    if command:
        return f"{word} is one word too many: give one hostfile, or all hosts together as --hosts a,b"
    line = _cut(f"mpboot {shlex.join(args[:at])} -- {shlex.join(args[at:])}")
    return f"{word} is one word too many: a command for the hosts goes behind --: type {line}"


def check_hostfile(hostfile: str | None) -> None:
    """UsageError where there is no such file, with what may have been meant."""
    if not hostfile or hostfile == "-" or os.path.lexists(hostfile):
        return
    from difflib import get_close_matches

    near = [] if hostfile[-1].isdigit() else get_close_matches(hostfile, [*COMMANDS, "help", "version"], 1)
    if near:
        meant = near[0] if near[0] in COMMANDS else f"--{near[0]}"
        advice = f"did you mean mpboot {meant}? the commands are {', '.join(COMMANDS)}"
    elif re.search(r"\s", hostfile):
        advice = 'hosts are given as --hosts "a b c", or one a line in a file'
    elif re.search(r"[\[,@]", hostfile):
        advice = f"hosts are given as --hosts {_cut(shlex.quote(hostfile))}"
    else:
        advice = (
            "give a readable hostfile, - for standard input, hosts as --hosts a,b, or a command of mpboot's "
            f"({', '.join(COMMANDS)}); a command for the hosts goes behind --"
        )
    raise UsageError(f"{shown(hostfile)[1:-1]}: No such file or directory: {advice}")


def check_command(words: Sequence[str]) -> None:
    """UsageError for a COMMAND that only a shell could read: no shell reads it on the hosts."""
    if not (words and words[0]):
        raise UsageError("no command after --")
    first = words[0]
    if _ASSIGNMENT.match(first):
        raise UsageError(f"{shown(first)} is no program: type -- env {_cut(shlex.join(words))}")
    if len(words) > 1:
        return
    if _FOR_SHELL.search(first):
        line = _cut(f"sh -c {shlex.quote(first)}")
        raise UsageError(f"{shown(first)} is one word, and no shell reads it: type -- {line}")
    try:
        parts = shlex.split(first)
    except ValueError:
        parts = [first]
    if len(parts) > 1:
        raise UsageError(f"{shown(first)} is one word, and no shell splits it: type -- {_cut(shlex.join(parts))}")


def _cut(line: str) -> str:
    """The line, or as much of it as a message may hold."""
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
