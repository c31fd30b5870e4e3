"""What --help and the manual pages say of each command besides its options: examples, exit codes, variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Rows = tuple[tuple[str, str], ...]

# The options in the order in which they are shown; those that are in no group come last.
GROUPS = (
    ("Hosts", ("--hosts", "--exclude", "--hosts-count")),
    ("Tree", ("--topology", "--children", "--fanout", "--quorum")),
    (
        "Launches",
        ("--rsh", "--user", "--timeout", "--deadline", "--wait-for", "--retries", "--transport", "--shell-probe",
         "--python", "--attach"),
    ),
    (
        "Command",
        ("--gather", "--output-dir", "--stdin", "--push", "-n", "--env", "--chdir", "--command-timeout", "--barrier",
         "--detach", "-S"),
    ),
    ("Session", ("--keep", "--name", "--idle-timeout", "--rejoin")),
    ("Output", ("--json", "--long", "--quiet", "--verbose")),
    ("Simulation", ("--simulate", "--cost", "--latency", "--slow", "--dead", "--plot")),
)  # fmt: skip
OTHERS = "Other options"
SESSION = "MPBOOT_SESSION"
USAGE = {
    "boot": "[HOSTFILE] [OPTIONS] [-- COMMAND …]", "plan": "[HOSTFILE] [OPTIONS] [-- COMMAND …]",
    "exec": "[OPTIONS] -- COMMAND …", "env": "[OPTIONS] [-- COMMAND …]", "kill": "JOB [OPTIONS]",
    "grow": "[HOSTFILE] [OPTIONS]", "shrink": "-w SET [OPTIONS]", "push": "[OPTIONS] SOURCE… DEST",
    "pull": "[OPTIONS] SOURCE… DIR", "inspect": "[PID…] [OPTIONS]", "explain": "[CAUSE…]",
}  # fmt: skip


@dataclass(frozen=True)
class About:
    """Examples (a line, and what it does) and exit codes (a code, and its meaning) of a command."""

    examples: Rows = ()
    exits: Rows = ()


_USAGE = ("2", "wrong usage: one line says what")
_SESSION = ("2", "no such session, or wrong usage: one line says what")
_UNWRITTEN = ("74", "output, or the file of --json, could not be written")
_ENDED = ("130, 143, 129", "ended by INT (Ctrl-C), TERM, HUP")
_UNREAD = ("141", "nobody reads the output any more")
_DONE = ("0", "done")

COMMANDS = {
    "boot": About(
        (
            ("mpboot hosts", "boot all hosts of the file; say which are not up, and why"),
            ("mpboot hosts -- uptime", "run a command on each as soon as it is up"),
            ("mpboot node[1-9] -b -- uname -r", "hosts as a word; equal outputs once"),
            ("mpboot -w 'n[1-147]' -x n3 -f 32 -t 10", "the letters of pdsh and clush"),
            ("mpboot hosts --rsh 'ssh -i key' -l joe", "another key, another user"),
            ("mpboot hosts --json report.json", "the report for programs"),
            ("mpboot hosts --quorum 95% -- ./step.sh", "95 of 100 hosts are enough"),
            ("mpboot -w 'h[1-8]' --rsh local", "try it out: eight agents on this machine"),
            ("mpboot hosts --keep", "keep the agents, as a session"),
        ),
        (
            ("0", "all hosts (or the quorum) are up"),
            ("1", "too few are"),
            ("2", "wrong usage or hostfile: one line says what; nothing was launched"),
            _UNWRITTEN,
            ("124", "--deadline ended a COMMAND"),
            _ENDED,
            _UNREAD,
            ("255", "too few hosts are up, and one was lost while COMMAND ran"),
            ("other", "enough hosts are up: the largest exit code of COMMAND"),
        ),
    ),
    "exec": About(
        (
            ("mpboot exec -- uptime", "run a command on all hosts of the session"),
            ("mpboot exec -w 'n[1-16]' -b -- df /", "on some; equal outputs once"),
            ("mpboot exec -- sh -c 'uname -a | wc -l'", "a command that needs a shell"),
        ),
        (
            ("0 to 254", "the largest of the commands'; 128 + n by signal n; 126 and 127 as in a shell"),
            ("124", "--command-timeout ended one"),
            ("255", "a host is not up, or was lost while the command ran"),
            _SESSION,
            _UNWRITTEN,
            _ENDED,
            _UNREAD,
        ),
    ),
    "nodes": About((), (("0", "all hosts are up"), ("1", "one is not"), _SESSION, _UNWRITTEN, _UNREAD)),
    "sessions": About((), (_DONE, _USAGE, _UNWRITTEN, _UNREAD)),
    "jobs": About((), (_DONE, _SESSION, _UNWRITTEN, _UNREAD)),
    "kill": About(
        (("mpboot kill 3", "end job 3"), ("mpboot kill 3 --signal USR1", "send it a signal")), (_DONE, _SESSION)
    ),
    "grow": About(
        (("mpboot grow -w 'n[9-12]'", "boot these as well"),),
        (("0", "all are up"), ("1", "one is not"), _SESSION, _UNWRITTEN, _ENDED),
    ),
    "shrink": About((("mpboot shrink -w 'n[9-12]'", "let these go"),), (_DONE, _SESSION)),
    "halt": About((), (_DONE, _SESSION)),
    "push": About(
        (
            ("mpboot push data /tmp", "a file or directory, to /tmp/data on every host"),
            ("mpboot push -w n1 a b dir/", "two, to one host"),
        ),
        (("0", "every host has all of it"), ("1", "one has not: a line says why"), _SESSION, _UNWRITTEN, _ENDED),
    ),
    "pull": About(
        (("mpboot pull /var/log/syslog logs", "logs/HOST/syslog, of every host"),),
        (("0", "all has come from every host"), ("1", "some has not: a line says why"), _SESSION, _UNWRITTEN, _ENDED),
    ),
    "env": About(
        (
            ('eval "$(mpboot env)"', "from here on this shell's ssh, scp, sftp, rsync, git, … ride"),
            ("mpboot env -- mpiexec -f hosts ./a.out", "the same for one command"),
            ("mpboot env --ssh-config > ~/.ssh/mpboot.conf", "the same for every shell, if ~/.ssh/config begins "
             "with Include mpboot.conf"),
        ),
        (_DONE, ("2", "no such session, wrong usage, or nothing can ride"), ("126, 127", "the command can't be run, "
         "or is not there"), ("other", "the command's")),
    ),
    "explain": About((("mpboot explain auth", "what to do where no login is let in"),), (_DONE, _USAGE, _UNREAD)),
    "plan": About(
        (
            ("mpboot plan hosts", "the tree of a boot"),
            ("mpboot plan hosts -f 8 -- uptime", "what a boot by this command line would do"),
            ("mpboot plan --simulate --hosts-count 147", "how long a boot would take with each topology"),
        ),
        (_DONE, _USAGE, _UNWRITTEN, _UNREAD),
    ),
    "inspect": About(
        (
            ("mpboot inspect", "a line for each ssh and rsh of yours"),
            ("mpboot inspect 4711", "all about one"),
            ("mpboot inspect --json", "for programs"),
            ("mpboot inspect --kill-hung", "list what is hung, ask, end it"),
        ),
        (("0", "nothing is hung, or all that was is ended"), ("1", "something is"), _USAGE, _UNWRITTEN, _UNREAD),
    ),
}  # fmt: skip

# Variables beside those of options, and which commands heed them.
_VARIABLES = (
    ("NO_COLOR", "no colours on the terminal", ("boot",)),
    ("TERM", "dumb: no display, lines instead", ("boot",)),
    ("XDG_RUNTIME_DIR", "sessions are in its directory mpboot; without it in /tmp/mpboot-UID", None),
    ("SHELL", "the shell that the eval is for, without --shell", ("env",)),
)
_GIVEN = (
    ("MPBOOT_RANK", "in COMMAND: the host's number, from 0"),
    ("MPBOOT_SIZE", "in COMMAND: how many hosts there are"),
    ("MPBOOT_HOST", "in COMMAND: what the host is called"),
)
_NO_SESSION = ("plan", "inspect", "explain")
_GIVES = ("boot", "exec")


def groups(params: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The options that help shows, each group with its title."""
    left = {_place(param): param for param in params if param.param_type_name == "option" and not param.hidden}
    for title, names in GROUPS:
        found = [left.pop(name) for name in names if name in left]
        if found:
            yield title, found
    if left:
        yield OTHERS, list(left.values())


def _place(param: Any) -> str:
    """The name by which an option is in a group; inspect's --name names no session, and is in none."""
    name: str = param.opts[0]
    return name if name != "--name" or param.envvar == SESSION else "--name of programs"


def by_variables(params: list[Any]) -> str:
    """What there is to say of the variables of a command's own options; nothing if they have none."""
    own = [param for _, found in groups(params) for param in found if param.envvar]
    names = [param.envvar for param in own]
    if names in ([], [SESSION]):
        return f"{SESSION} can stand for --name. An option that is typed wins." if names else ""
    valued = [param for param in own if not param.is_flag and param.envvar != SESSION]
    example = next((param for param in valued if param.opts[0] == "--wait-for"), valued[-1])
    value = "10" if example.metavar == "S" else example.metavar
    return (
        f"A variable can give an option as well: {example.opts[0]} {value} by {example.envvar}={value}"
        f"{', a flag by 1 or 0' if any(param.is_flag for param in own) else ''}. An option that is typed wins. "
        f"The variables are {', '.join(names)}{' (that of --name)' if names[-1:] == [SESSION] else ''}."
        f"{f' {SESSION} is that of --name.' if SESSION in names[:-1] else ''}"
    )


def variables(command: str) -> list[tuple[str, str]]:
    """The other variables that a command heeds or gives."""
    heeds = [
        (name, what)
        for name, what, commands in _VARIABLES
        if (command in commands if commands else command not in _NO_SESSION)
    ]
    return [*heeds, *(_GIVEN if command in _GIVES else ())]
