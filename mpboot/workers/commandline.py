"""The command lines: rsh's argv on the launching side, and what the user's shell gets to read on the host.

Login shells differ in nearly everything. ``exec /bin/sh -c '…'`` with one pair of single quotes, inside which
there is no quote, backslash, exclamation mark or newline, reads alike in sh, bash, zsh, ksh, csh, tcsh and fish.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Sequence, Tuple

LOCAL = "local"
INLINE, SEPARATE, NONE = "inline", "separate", "none"
SHELL_PROBES = (INLINE, SEPARATE, NONE)

PYTHON3 = "python3"
# Reads the length of a payload and the payload from stdin, and runs its first part (node/stage.py). Where none comes,
# since the launcher's machine was switched off or is frozen, it ends after a minute: nobody else can tell it. Where the
# first line is not there (it has the argument in it, see ``heading``), something else has read it: that is said.
ALARM = "import _signal;_signal.alarm(60);"
BOOTSTRAP = ALARM + (
    "import sys,marshal;i=sys.stdin.buffer;m=str(*sys.argv[1:]);n=i.readline();"
    "m.encode()in n or sys.exit(sys.stdout.write(m+chr(10))and 93);"
    "payload=marshal.loads(i.read(int(n[-9:],16)));exec(payload[0])"
)
EATEN = "%s eaten"
# Nothing is imported but the standard library and what comes down the line: not from the working directory, not from
# where PYTHON* variables point, not from site directories.
ISOLATED = ("-I", "-S")
PROBE = "echo $SHELL"

# The login shell reads its login files as a login would, and becomes the interpreter: so that has their environment,
# umask and limits. They have no input, and what they print goes to stderr: 3 and 4 are what rsh gave us. $1 is what the
# interpreter is to run, $2 a double quote, $p starts it, and $c says so before; all of it reads alike in these shells.
#
# /bin/sh is such a shell itself, and goes on whatever happens in the files. The others would end with their files: then
# the launcher tries again without (launch.py). A csh that has a command is no login shell, and closes 3 and 4.
#
# The whole is kept below 1024 bytes, which is the most that some rshd take.
START = (
    "m={0}; echo $m shell=$SHELL; exec 3<&0 4>&1; "
    'p="exec $2{1}$2 -I -S -c $2$1$2 $2$m eaten$2"; c="echo $m python >&4; $p <&3 >&4 3<&- 4>&-"; '
)
LOGINS = (
    (
        ("sh", "dash", "ash"),
        'trap "$c" 0; [ -r /etc/profile ] && . /etc/profile </dev/null >&2; '
        "[ -r ~/.profile ] && . ~/.profile </dev/null >&2; exit",
    ),
    (("bash", "zsh", "ksh", "ksh93", "mksh", "fish"), 'exec $SHELL -l -c "$c" </dev/null >&2'),
    (
        ("csh", "tcsh"),
        'exec $SHELL -c "if (-r /etc/csh.login) source /etc/csh.login </dev/null; '
        'if (-r ~/.login) source ~/.login </dev/null; echo $m python; $p" 3<&- 4>&-',
    ),
)


def _login(shell_probe: str, shell: Optional[str]) -> str:
    """What reads the login files and starts the interpreter, if there are any to be read."""
    if shell_probe == INLINE:
        return "case $SHELL in %s; esac; " % ";; ".join(
            "%s) %s" % ("|".join("*/" + name for name in names), begin) for names, begin in LOGINS
        )
    if shell_probe == SEPARATE and shell is not None:
        return next((begin + "; " for names, begin in LOGINS if shell.rpartition("/")[2] in names), "")
    return ""


def heading(marker: str, size: int) -> bytes:
    """The first line of what goes down rsh's stdin. A shell that reads it says so, and reads no more."""
    return b"echo %s; exit 93 #%08x\n" % ((EATEN % marker).encode("ascii"), size)


def remote_command(shell_probe: str, shell: Optional[str] = None, marker: str = "", python: str = PYTHON3) -> str:
    """The command line for rsh that starts an agent; ``shell`` is the login shell where it has been asked for.

    ``marker`` is said first, and again before the interpreter is started, so that the launcher knows how far the host
    has come.
    """
    if python.startswith("~/"):
        python = "$HOME" + python[1:]
    script = START + _login(shell_probe, shell) + 'eval "$c"'
    return "exec /bin/sh -c '%s' sh '%s' '\"'" % (script.format(marker, python), BOOTSTRAP)


SSH_FAILED = 255  # ssh's own trouble; any other code is the remote command's


def is_ssh(rsh: str) -> bool:
    """Is this rsh command line OpenSSH's client itself?"""
    return rsh.strip().partition(" ")[0].rpartition("/")[2] == "ssh"


# ssh's options that take a value, and those that would keep from mpboot what ssh says, or from ssh what it is to say.
VALUED, MUTE = "BbcDEeFIiJLlmOoPpQRSWw", "qnfNyE"
# In front of the user's own: what ssh says must be read. Where ssh knows them so must those of SINCE, see kex.py.
READABLE = ("-o", "LogLevel=INFO", "-o", "VisualHostKey=no")
SINCE = {"remotecommand": "none", "sessiontype": "default", "stdinnull": "no", "forkafterauthentication": "no"}


def rsh_words(rsh: str) -> List[str]:
    """The words of an rsh command line, ssh's without -q and its like. ValueError if it can't be split, or has none."""
    import shlex  # not in workers, which would each pay for it

    words = shlex.split(rsh)
    if not words:
        raise ValueError("--rsh is empty")
    return _audible(words) if is_ssh(rsh) else words


def _audible(words: List[str]) -> List[str]:
    """The words of an ssh's command line without those options that would have it say nothing, or take no input."""
    end = host_place(words)
    kept = words[:1]
    at = 1
    while at < end:
        word, at = words[at], at + 1
        letters, value = _letters(word)
        more = [words[at]] if letters[-1:] and letters[-1] in VALUED and not value and at < end else []
        at += len(more)
        clean = "".join(letter for letter in letters if letter not in MUTE)
        if clean == letters:
            kept += [word, *more]
        elif clean:
            kept += ["-" + clean + (value if clean[-1] in VALUED else ""), *(more if clean[-1] in VALUED else ())]
    return [*kept, *words[end:]]


def _letters(word: str) -> Tuple[str, str]:
    """The options in a word such as -tp22, and the value of the last where it is in the word."""
    for at, letter in enumerate(word[1:], 2):
        if letter in VALUED:
            return word[1:at], word[at:]
    return word[1:], ""


def host_place(words: Sequence[str]) -> int:
    """Where in an ssh's command line its host stands, and what it is to run follows; the end, if there is none."""
    at = 1
    while at < len(words) and words[at][:1] == "-" and words[at] not in ("-", "--"):
        letters, value = _letters(words[at])
        at += 2 if letters[-1:] and letters[-1] in VALUED and not value else 1
    return min(at, len(words))


def before_host(words: Sequence[str]) -> List[str]:
    """The words of an ssh's command line up to the host's place, where it has one."""
    return list(words[: host_place(words)])


def address_option(address: Optional[str]) -> List[str]:
    """Tell ssh the address that a name stands for; none: it knows it itself."""
    return ["-o", "HostName=" + address.replace("%", "%%")] if address else []


def rsh_argv(
    rsh: str,
    host: str,
    user: Optional[str],
    port: Optional[int],
    timeout: float,
    command: str,
    ssh_options: Sequence[str] = (),
    words: Sequence[str] = (),
) -> List[str]:
    """The argv of one rsh. ValueError if ``rsh`` can't be split into words.

    ``rsh`` is ``ssh``, ``rsh``, ``local``, or a command line in which ``{host}``, ``{user}`` and ``{port}`` stand
    where they belong; what has no place in it is appended the way ssh and rsh take it. ``words`` are rsh_words(rsh),
    if they are known. ``timeout`` in seconds goes to ssh as ConnectTimeout, a little longer: the watcher knows better
    why nothing comes. ``ssh_options`` are for ssh alone.
    """
    if rsh == LOCAL:
        return ["/bin/sh", "-c", command]
    words = list(words or rsh_words(rsh))
    if is_ssh(rsh):
        # Else a user's own options come first: ssh takes the first value that it sees of each.
        at = host_place(words)
        ours = ["-x", "-T", "-e", "none", "-o", "ClearAllForwardings=yes", "-o", "BatchMode=yes"]
        ours += ["-o", "ConnectTimeout=%d" % (round(timeout) + 1)]
        if any("{host}" in word for word in words[at:-1]) and "{host}" not in words[-1]:
            command = command[command.startswith("exec ") and 5 :]  # for a program such as sudo that stands before it
        words = [words[0], *READABLE, *ssh_options, *words[1:at], *ours, *words[at:]]
    return [*_placed(words, rsh, host, user, port), command]


def _placed(words: List[str], rsh: str, host: str, user: Optional[str], port: Optional[int]) -> List[str]:
    """The words with host, user and port where ``rsh`` has a place for them, or behind."""
    about = [] if not user or "{user}" in rsh else ["-l", user]
    about += [] if not port or "{port}" in rsh else ["-p", str(port)]
    # ssh takes what follows its host for the command.
    at = next((at for at, word in enumerate(words) if "{host}" in word), len(words)) if is_ssh(rsh) else len(words)
    words = [*words[:at], *about, *words[at:]]
    words = [word.replace("{user}", user or "").replace("{port}", str(port or 22)) for word in words]
    if "{host}" in rsh:
        return [word.replace("{host}", host) for word in words]
    return [*words, host]
