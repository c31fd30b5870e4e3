"""One line of advice for each cause: what a person can do about it."""

from __future__ import annotations

import re

from mpboot.tree import causes

ADVICE = {
    causes.RESOLVE: "check the spelling, or add the name to DNS or /etc/hosts",
    causes.REFUSED: "nothing listens on that port: start sshd (or in.rshd) there, or give the right port",
    causes.UNREACHABLE: "no route to it: is the host switched on, is this machine on its network?",
    causes.CONNECT_TIMEOUT: "is it switched on? does a firewall swallow connections? or is it slow (--timeout)?",
    causes.HANDSHAKE_TIMEOUT: "its login server hangs or is overloaded: look at sshd there, or raise --timeout",
    causes.PASSWORD_PROMPT: "log in must work without a question: install a key (ssh-copy-id), or load it (ssh-add)",
    causes.HOST_KEY: "its key is not known here: verify it, then put it into known_hosts (ssh-keyscan)",
    causes.AUTH: "is this the right --user, is your key in authorized_keys there, is the agent loaded (ssh-add -l)?",
    causes.SHELL_HANG: "a start-up file (.profile, .bashrc, .cshrc) or a file system hangs, or it reads stdin: "
    "log in by hand; --shell-probe none skips login files, --timeout gives a slow login longer",
    causes.NO_PYTHON: "install python3, 3.8 or newer, on the PATH of a login, or name one by --python",
    causes.AGENT_CRASH: "mpboot's own code failed there: please report it with what -v shows",
    causes.CALLBACK_BLOCKED: "a firewall stops connections back to the launcher: open it, or use --transport stdio",
    causes.LOST: "it was up, then gone: rebooted, out of memory, killed, or its network failed; look at its logs. "
    "Where a host kills what a login leaves (systemd's KillUserProcesses): --attach",
    causes.RSH_MISSING: "install the remote shell on the launching machine, or name another with --rsh",
    causes.RSH_FAILED: "run the same remote shell by hand: ssh HOST true",
    causes.DEADLINE: "give the boot more time: a larger --deadline",
    causes.INTERRUPTED: "",
}


NOT_BEGUN = "python was started, and does not begin"  # in the detail where a login got so far
NO_ROOM = "no room for a process"  # how the detail begins where a host has come to its limit
KILLED = " was killed, or ended"  # of a python that was started
NO_FAMILY = "Address family for hostname not supported"  # as ssh has it
# What ssh says where sshd ends a connection before login.
TURNED_AWAY = re.compile(r"kex_exchange_identification: |Connection (closed|reset) by|Not allowed at this time")
NOT_A_WORD = "the agent was to speak through rsh"  # how it begins where the agent then said nothing


CHANGED = re.compile(r"HOST IDENTIFICATION HAS CHANGED|[Hh]ost key for .* has changed|key.*(mismatch|different)")
UNUSABLE = re.compile(r"no matching host key")
# Where the launches are rsh's.
RSH = {
    causes.REFUSED: "nothing listens on that port: start in.rshd there (inetd, port 514)",
    causes.HANDSHAKE_TIMEOUT: "its in.rshd hangs, or waits for a name server: look at it there, or raise --timeout",
    **dict.fromkeys(
        (causes.AUTH, causes.PASSWORD_PROMPT),
        "in.rshd there must trust this user of this machine: ~/.rhosts or /etc/hosts.equiv; is this the right --user?",
    ),
}
RSHES = ("rsh", "remsh", "rlogin")
LONGEST = 80  # characters of a command line that is proposed


def advice(cause: str, detail: str = "", rsh: str = "ssh") -> str:
    """What to do about a cause, or about this detail of it; an empty string where nothing helps.

    ``rsh``: the command line by which hosts are launched.
    """
    if detail.startswith(NO_ROOM):
        return "its limit of processes is reached: end some there, or raise it (ulimit -u, TasksMax)"
    if cause == causes.SHELL_HANG and NOT_BEGUN in detail:
        return (
            "python hangs there, or what is sent to it does not arrive (a firewall, an MTU): try ssh HOST python3 -V; "
            "--python names another"
        )
    if cause == causes.NO_PYTHON and KILLED in detail:
        return "is python there built for that processor, and is there memory for it (dmesg)? --python names another"
    if cause == causes.RESOLVE and NO_FAMILY in detail:
        return "ssh here is set to the other kind of address (AddressFamily), or this machine has none of that kind"
    if detail.startswith(NOT_A_WORD):
        return "the host hangs, or something there reads what is the agent's: run the same remote shell by hand"
    if cause == causes.HOST_KEY and CHANGED.search(detail):
        return (
            "its key is not the one in known_hosts: it was installed anew, or this is an attack; ask who runs it, "
            "and only then forget the old key: ssh-keygen -R HOST"
        )
    if cause == causes.HOST_KEY and UNUSABLE.search(detail):
        return "it has only keys of kinds that ssh here refuses: make others there, or allow them (HostKeyAlgorithms)"
    program = (rsh.split() or [""])[0].rpartition("/")[2]
    if cause == causes.RSH_FAILED and TURNED_AWAY.search(detail):
        return "its sshd took the connection and closed it: see its log (MaxStartups? a ban?), and try again later"
    if cause == causes.RSH_FAILED:
        return f"run the same remote shell by hand: {by_hand(rsh)}"
    if program in RSHES and cause in RSH:
        return RSH[cause]
    if program != "ssh" and cause in (causes.AUTH, causes.PASSWORD_PROMPT, causes.HOST_KEY):
        return f"a login must work without a question; is this the right --user? try it by hand: {by_hand(rsh)}"
    return ADVICE.get(cause, "")


def by_hand(rsh: str) -> str:
    """What to type to try a remote shell on a host."""
    if rsh == "local":
        return "sh -c true"
    if len(rsh) > LONGEST or not rsh.isprintable():
        return "that of --rsh, with true as its command"
    line = rsh.replace("{host}", "HOST").replace("{user}", "USER").replace("{port}", "PORT")
    return f"{line} true" if "{host}" in rsh else f"{line} HOST true"
