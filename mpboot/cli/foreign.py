"""Options of other launchers that are none here, and of one command typed to another: what is to be typed instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mpboot.cli.words import FLAGS

_FILE = "a file of hosts needs no option: mpboot HOSTFILE"
_PORT = "a port belongs to its host: --hosts ssh://HOST:PORT, or port=N on its line of the hostfile"
_COUNT = "every host that is given is booted, once: give as many as you want"
_BOTH = "-b gathers standard output; for both in one: -b -- sh -c 'COMMAND 2>&1'"
_NAMES = ("-H", "-host", "--host", "-hosts", "--nodelist", "--hostlist")
_FILES = ("-hostfile", "--hostfile", "-machinefile", "--machinefile", "-F", "--nodefile", "--inventory", "--hosts-file")
_SSH = ("-i", "-o", "-e", "-O", "-J", "-E", "--options", "--option", "--identity", "--key")
_KEYS = "no password is asked for, a key is needed: mpboot explain auth"
_OUTPUT = "a line of output has its host in front, -b gathers equal outputs"
# What means the same to a boot and in a session; a line that proposes an option is only for commands that have it.
_BOTH_WAYS = {
    **dict.fromkeys(("-k", "-K", "--askpass", "--ask-pass", "--ask-become-pass", "--password"), _KEYS),
    **dict.fromkeys(("--cwd", "--dir", "--workdir", "--chdir-to", "-D", "-wdir", "--wdir"), "type --chdir DIR"),
    **dict.fromkeys(("-genv", "-env"), "a variable for COMMAND is given as --env NAME=VALUE"),
    **dict.fromkeys(("--pty", "--tty"), "commands have no terminal here: ssh over mpboot env has one"),
    **dict.fromkeys(("--oversubscribe", "--allow-run-as-root"), "it is not needed: leave it out"),
    **dict.fromkeys(("-np", "--np", "--ntasks", "--nodes"), _COUNT),
    **dict.fromkeys(("--map-by", "-map-by", "--rank-by", "--bind-to", "-bind-to", "-ppn", "--ppn"), _COUNT),
    **dict.fromkeys(("--sudo", "--become", "--become-user"), "type -- sudo -n COMMAND"),
    **dict.fromkeys(("--diff", "-L", "--print", "--inline"), _OUTPUT),
    **dict.fromkeys(("-I", "--send-input"), "type --stdin -"),
    **dict.fromkeys(
        ("-m", "-a", "--module-name", "--args", "--mode"), "there are no modules: a command goes behind --"
    ),
    **dict.fromkeys(("-M", "-Q", "-T", "-y", "--yes", "--conf"), "it is not needed: leave it out"),
    **dict.fromkeys(("-P", "--progress"), "output is shown as it comes, and progress on a terminal: leave it out"),
    **dict.fromkeys(("-G", "-r", "--regroup"), "hosts are shown by their names, not by groups: leave it out"),
    **dict.fromkeys(("-s", "--groupsource"), "a source of groups stands in front of the group: @SOURCE:GROUP"),
    **dict.fromkeys(("--color", "--colour"), "a terminal has colours; NO_COLOR=1 leaves them out"),
    **dict.fromkeys(("--nocolor", "--no-color"), "set NO_COLOR=1 in front of mpboot"),
}
_COPIES = "files are copied by mpboot push and mpboot pull, over a session"
# Of pdsh, clush, pssh, mpirun, srun, ssh and rsh, typed to a boot or a plan.
BOOTS = {
    **_BOTH_WAYS,
    **dict.fromkeys(("--forks", "--par", "--parallel"), "type --fanout N"),
    **dict.fromkeys(("-C", "--tree"), "it is always a tree: --topology and --children say which"),
    **dict.fromkeys(("-d", "--debug"), "type --verbose"),
    **dict.fromkeys(("--pick",), 'type --hosts "$(nodeset --pick N -f SET)"'),
    **dict.fromkeys(_FILES, _FILE),
    **dict.fromkeys(("-X",), "a group is left out by -x @GROUP"),
    **dict.fromkeys(_NAMES, "type --hosts LIST"),
    **dict.fromkeys(("-g", "--group"), "a group is given as --hosts @GROUP"),
    **dict.fromkeys(("-a", "--all"), "all hosts of the default group source are --hosts '@*'"),
    **dict.fromkeys(("--login",), "type --user NAME"),
    **dict.fromkeys(("-p", "--port"), _PORT),
    **dict.fromkeys(("-p",), f"{_PORT}; so many logins at once, as with pssh, are --fanout N"),
    **dict.fromkeys(_SSH, "ssh's options go into --rsh, as in --rsh 'ssh -i KEY'"),
    **dict.fromkeys(("-i",), "a key is given as --rsh 'ssh -i KEY'; a file of hosts needs no option: mpboot HOSTFILE"),
    **dict.fromkeys(("-e", "--extra-vars"), "a variable for COMMAND is given as --env NAME=VALUE"),
    **dict.fromkeys(("-A",), "an agent is forwarded by --rsh 'ssh -A'; no password is asked for"),
    **dict.fromkeys(("--check",), "type mpboot plan in place of mpboot"),
    **dict.fromkeys(("-R", "--rcmd", "--launcher", "--worker"), "type --rsh COMMAND"),
    **dict.fromkeys(("--connect-timeout", "--connect_timeout"), "type --timeout S"),
    **dict.fromkeys(("--nostdin",), "type -n"),
    **dict.fromkeys(("--session",), "type --name NAME"),
    **dict.fromkeys(("--dry-run",), "type mpboot plan in place of mpboot"),
    **dict.fromkeys(("--limit",), "type --hosts LIST"),
    **dict.fromkeys(("--maxrc",), "type -S"),
    **dict.fromkeys(("-N",), f"a line has its host in front, but not with --output-dir; as in srun: {_COUNT}"),
    **dict.fromkeys(("-B",), _BOTH),
    **dict.fromkeys(("-c", "--copy", "--rcopy"), _COPIES),
    **dict.fromkeys(("--outdir", "--errdir"), "type --output-dir DIR"),
    **dict.fromkeys(("-q",), "type --quiet; to list the hosts, as pdsh -q does, type mpboot plan"),
    **dict.fromkeys(("-j",), "type --json FILE"),
}
# The same, typed to a command about a session.
SESSIONS = {
    **_BOTH_WAYS,
    **dict.fromkeys(("-f", "--fanout", "--forks"), "a session has its tree already: leave it out"),
    **dict.fromkeys(("-l", "--user", "--login"), "the user was chosen when the session was booted: leave it out"),
    **dict.fromkeys(
        ("-t", "--timeout", "--connect-timeout", "--connect_timeout"), "a session is logged in already: leave it out"
    ),
    **dict.fromkeys(("--debug", "-A"), "it is not needed: leave it out"),
    **dict.fromkeys(("-d",), "what is to run on without its terminal takes --detach; else leave it out"),
    **dict.fromkeys(("--nostdin",), "type -n"),
    **dict.fromkeys(("--session",), "type --name NAME"),
    **dict.fromkeys(("-s",), "a session is given as --name NAME, a source of groups as -w @SOURCE:GROUP"),
    **dict.fromkeys(("--limit", "--pick"), "type -w SET"),
    **dict.fromkeys(("--maxrc",), "type -S"),
    **dict.fromkeys(_FILES, "hosts of a session are given as -w SET"),
    **dict.fromkeys(_NAMES, "type -w SET"),
    **dict.fromkeys(("-X",), "a group is left out by -x @GROUP"),
    **dict.fromkeys(("-g", "--group"), "a group is given as -w @GROUP"),
    **dict.fromkeys(("-a", "--all"), "without -w all hosts of the session are meant"),
    **dict.fromkeys(("-p", "--port", *_SSH, "-R", "--rcmd", "--rsh"), "a session is reached already: leave it out"),
    **dict.fromkeys(("-q", "--quiet"), "only what went wrong is shown anyway: leave it out"),
    **dict.fromkeys(("-B",), _BOTH),
    **dict.fromkeys(("-c", "--copy", "--rcopy"), _COPIES),
    **dict.fromkeys(("--outdir", "--errdir"), "type --output-dir DIR"),
    **dict.fromkeys(("-j",), "type --json FILE"),
}
# grow logs in, with the options that its session was booted with.
_AS_BOOTED = "the session's own is used: leave it out"
GROWS = {**SESSIONS, **dict.fromkeys(("-t", "--timeout", "-p", "--port", *_SSH, "-R", "--rcmd", "--rsh"), _AS_BOOTED)}
_ONE = "one session is meant, --name says which; mpboot sessions shows all"
_ALONE = {
    **{name: SESSIONS[name] for name in ("-j", "--session", *_FILES)},
    "-s": "type --name NAME",
    **dict.fromkeys(("-a", "--all"), _ONE),
}
_PLANS = {**BOOTS, "-q": "the hosts are listed anyway, as by pdsh -q: leave it out"}
_HABITS = {"boot": BOOTS, "plan": _PLANS, "inspect": {}, "sessions": {}, "explain": {}, "grow": GROWS,
    **dict.fromkeys(("halt", "nodes", "jobs", "kill"), _ALONE),
}  # fmt: skip
_SIGNAL = re.compile(r"-([0-9]+|[A-Z]|s|n)")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][a-z-]*")


def refusal(command: str, name: str, every: Mapping[str, Mapping[str, Any]]) -> str:
    """The line about an option that a command does not have; ``every``: the options of each command, by name."""
    own = every[command]
    said = f"no such option: {name}"
    habits: Mapping[str, str] = _HABITS.get(command, SESSIONS)
    near = _nearest(name, own)
    if command == "kill" and _SIGNAL.fullmatch(name):
        said += f": a signal is given as --signal {name[1:] if name[1:].isdigit() else 'S'}"
    elif name in habits and (habits in (BOOTS, _PLANS) or _there(habits[name], own)):
        said += f": {habits[name]}"
    elif name.startswith("-") and "-" + name in {*own, *FLAGS}:
        said += f": type -{name}"
    elif owner := next((other for other in every if name.startswith("--") and name in every[other]), ""):
        said += f": {owner} has it, {command} has not"
    elif near:
        said += f", did you mean {near}?"
    return f"{said}; see {help_of(command)}"


def help_of(command: str) -> str:
    """What shows a command's options."""
    return "mpboot --help" if command == "boot" else f"mpboot {command} --help"


def _there(line: str, own: Mapping[str, Any]) -> bool:
    """Has the command all options that a line proposes?"""
    return all(one in own for one in _OPTION.findall(line.partition(" -- ")[0]))


def _nearest(name: str, own: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    if not name.startswith("--"):
        return ""
    long = [one for one in (*own, *FLAGS) if one.startswith("--")]
    begun = [one for one in long if len(name) > 4 and one.startswith(name)]
    return (begun or get_close_matches(name, long, 1, 0.7) or [""])[0]
