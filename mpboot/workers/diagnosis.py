"""Evidence of one launch → cause, phase and a line of detail. Pure: no clock, no process."""

from __future__ import annotations

import re

from mpboot.tree import causes
from mpboot.workers.commandline import SSH_FAILED, is_ssh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

# Phases of a launch, in order.
CONNECT, HANDSHAKE, SHELL, AGENT, CALLBACK = "connect", "handshake", "shell", "agent", "callback"

_SAYS = [
    (causes.RESOLVE, CONNECT, r"Could not resolve|Name or service not known|[Uu]nknown host|nodename nor servname"
     r"|Temporary failure in name resolution|No address associated|Host name lookup failure|Error looking up host"),
    # Before "Permission denied": a local firewall or a broadcast address is no matter of who logs in.
    (causes.UNREACHABLE, CONNECT, r"connect to (host|address) .*: (Permission denied|Operation not permitted)"),
    (causes.HANDSHAKE_TIMEOUT, HANDSHAKE, r"during banner exchange|Timeout, server .* not responding"
     r"|Connection to \S+ port \d+ timed out|(dispatch_run_fatal|exchange_identification): .*timed out"),
    (causes.HOST_KEY, HANDSHAKE, r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known"
     r"|key fingerprint is|no matching host key"),
    (causes.AUTH, HANDSHAKE, r"Permission denied|Too many authentication failures|Login incorrect|Authentication fail"),
    (causes.REFUSED, CONNECT, r"Connection refused"),
    (causes.UNREACHABLE, CONNECT, r"No route to host|Network is (unreachable|down)|Host is (down|unreachable)"),
    (causes.CONNECT_TIMEOUT, CONNECT, r"(Connection|Operation) timed out"),
]  # fmt: skip
# What our agent says, and shells, where a host has come to its limit of processes.
NO_ROOM = re.compile(r"mpboot: no room for a process|[Cc]an(no|')t fork|\bfork: .*[Rr]esource temporarily unavailable"
                     r"|fork failed: |No more processes|BlockingIOError: \[Errno 11\]")  # fmt: skip
NO_PYTHON = re.compile(r"python3: .*(not found|No such file)|exec: python3: ")
LACKS = re.compile(r"(ModuleNotFoundError|ImportError): (?!.*mpboot)")  # a Python that is not whole
OURS = re.compile(r'File "<(string|mpboot[.\w]*)>"|mpboot')  # in a traceback: the code is mpboot's
TOO_OLD = re.compile(r"mpboot: python \S+ is too old")
CHATTER = re.compile(r"debug[123]: |OpenSSH_\S+ |Authenticated to |Authenticating to |Transferred: |Bytes per second: ")
ENDED = re.compile(
    r"^(Connection (closed|reset) by|kex_exchange_identification: (Connection|read: Connection (reset|cl)))"
)
# What ssh says where its connection breaks, once it has logged in.
SSH_SAYS = re.compile(r"closed by remote host|client_loop: |ead from remote host|onnection (closed|reset|timed)"
                      r"|packet_write|dispatch_run|not responding|Broken pipe|mux_client")  # fmt: skip
SAYS = [(cause, phase, re.compile(pattern)) for cause, phase, pattern in _SAYS]


class Evidence:
    """What is known of a launch that did not lead to an agent.

    ``exit_code``: of rsh (negative: a signal), None where it was ended by us. ``logged_in``: rsh took input for the
    host, or its shell began: ``shell``, where that is known. ``eaten``: something there read what was the agent's.
    ``python`` (the interpreter's path or name) was started if it ``python_began``. ``agent``: it said so itself.
    ``blocked``: what the agent said of its ways back.
    ``tcp``: state and peer of rsh's connections, such as ("SYN_SENT", "10.0.0.5:22"); ``resolver``: a name server
    that has been asked and does not answer; ``tty``: the terminal it holds open. ``stderr`` and ``noise`` (stdout
    before the marker) are their last lines.
    """

    def __init__(self, rsh: str, host: str) -> None:
        self.rsh = rsh
        self.host = host
        self.seconds = 0.0
        self.exec_error = ""
        self.exit_code: Optional[int] = None
        self.agent = False
        self.logged_in = self.eaten = self.python_began = False
        self.shell = ""
        self.python = "python3"
        self.blocked = ""
        self.tcp: List[Tuple[str, str]] = []
        self.resolver = ""
        self.tty = ""
        self.stopped = False  # a process of it is stopped, as by SIGSTOP
        self.stderr = ""
        self.noise = ""


# Seconds (as a part of the timeout, and at least) after which a launch that does not move counts as hung.
LIMITS = {CONNECT: (1 / 3, 10.0), HANDSHAKE: (1 / 2, 15.0), SHELL: (2 / 3, 20.0)}
RESOLVES = 6.0  # seconds for a name, where others can try: after 5 s a resolver asks its next server
PROMPT = 0.9  # seconds that a process with a terminal open must have been still: from one look to the next


def judge(
    evidence: Evidence, still: float, timeout: float, expired: bool, is_root: bool = True
) -> Optional[Tuple[str, str, str]]:
    """Is this launch, still running, to be given up? (cause, phase, detail) if so.

    ``still``: seconds since anything moved; ``evidence.seconds``: in its phase; ``expired``: its time is over;
    ``is_root``: no ancestor is left to try it.
    """
    if evidence.stopped:
        return causes.RSH_FAILED, phase_of(evidence), "%s was stopped by a signal" % evidence.rsh
    if expired or (evidence.tty and still >= PROMPT):
        return of_silence(evidence)
    phase = phase_of(evidence)
    if phase == CONNECT and evidence.resolver and not evidence.tcp and not is_root:
        return of_silence(evidence) if evidence.seconds >= RESOLVES else None
    if phase not in LIMITS or (phase == CONNECT and not evidence.tcp):
        return None  # nothing is known of what it waits for: it has until the timeout
    part, least = LIMITS[phase]
    waited = evidence.seconds if phase == CONNECT else still
    return of_silence(evidence) if waited >= max(part * timeout, least) else None


BUSY = re.compile(r"[Cc]onnection (closed|reset) by|Exceeded MaxStartups|Not allowed at this time")
BUSY_TRIES = 4  # attempts beyond the retries for a host that turns us away since it has too much to do
MUTE = "no answer from the name server"


def is_busy(cause: str, stderr: str) -> bool:
    """Did the host answer, and turn the launch away before login? sshd's MaxStartups does so, for one."""
    return cause == causes.RSH_FAILED and BUSY.search(stderr) is not None


def is_own(cause: str, detail: str) -> bool:
    """Is it the launching machine that can't reach any host, whichever was meant?"""
    return cause == causes.RESOLVE and detail.startswith(MUTE)


def last_line(text: str) -> str:
    """The last line that says something; not what ssh tells of itself where it is to be verbose."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not CHATTER.match(line)]
    return lines[-1] if lines else ""


def printed(evidence: Evidence) -> str:
    """What was printed, in a line: of stdout, then of stderr. A banner says nothing of the fault, and may be either."""
    return " | ".join(filter(None, map(brief, (evidence.noise, evidence.stderr))))


def brief(text: str) -> str:
    """A text in a line: all of it, or its first and its last line, where there are many."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines if len(lines) < 4 else [lines[0] + " …", lines[-1]])


# Files that a shell reads before any command line of its own, and those that it reads at a login.
ALWAYS_READ = {"bash": ".bashrc", "zsh": ".zshenv", "csh": ".cshrc", "tcsh": ".tcshrc or .cshrc", "fish": "config.fish"}
READ_AT_LOGIN = {
    **dict.fromkeys(("sh", "dash", "ash", "ksh", "ksh93", "mksh"), "/etc/profile or .profile"),
    "bash": "/etc/profile, .bash_profile, .bash_login or .profile", "zsh": ".zshenv, .zprofile or .zlogin",
    **dict.fromkeys(("csh", "tcsh"), ".tcshrc, .cshrc or .login"), "fish": "config.fish",
}  # fmt: skip


def _named(shell: str, files: Dict[str, str]) -> str:
    return files.get(shell.rpartition("/")[2], "a start-up file")


def _eaten(shell: str) -> str:
    return "logged in, but %s read what was the agent's: a command there must not read stdin, nor become a shell" % (
        _named(shell, ALWAYS_READ))  # fmt: skip


def _where(shell: str, python_began: bool) -> str:
    """Where a login hangs."""
    if python_began:
        return ": python was started, and does not begin"
    return ", in %s" % _named(shell, READ_AT_LOGIN) if shell else ""


def _said(text: str) -> Optional[Tuple[str, str, str]]:
    """(cause, phase, detail) by the last line that tells one: before it, banners say what they like."""
    for line in reversed(text.splitlines()):
        if ENDED.search(line):
            return None
        for cause, phase, pattern in SAYS if not CHATTER.match(line) else ():
            if pattern.search(line):
                # The first such line tells most, but where a banner that forbids may stand before it.
                return cause, phase, line.strip(" \t\r@") if cause == causes.AUTH else _line_with(pattern, text)
    return None


def diagnose(evidence: Evidence) -> Tuple[str, str, str]:
    """(cause, phase, detail) of a failed launch."""
    if evidence.exec_error:
        return causes.RSH_MISSING, CONNECT, "%s: %s" % (evidence.rsh, evidence.exec_error)
    if evidence.exit_code is None:
        return of_silence(evidence)
    return _of_end(evidence)


def agree(seen: Tuple[str, str, str], states: List[Tuple[str, float]], stderr: str) -> Tuple[str, str, str]:
    """What a launch died of that the watcher ended because of what it had ``seen`` (a cause, phase and detail).

    The watcher knows best what rsh waits for; the worker, by the ``states`` that the host told, how far it had come,
    and what rsh wrote, ``stderr`` last.
    """
    cause, phase, detail = seen
    told = [name.partition("=")[0] for name, _ in states]
    shell = next((name[len("shell=") :] for name, _ in states if name.startswith("shell=")), "")
    if cause == causes.RSH_FAILED:
        return seen
    if "eaten" in told:
        return causes.SHELL_HANG, SHELL, _eaten(shell)
    if "agent" in told:
        return causes.CALLBACK_BLOCKED, CALLBACK, "the agent runs but did not connect back"
    if "shell" in told and cause != causes.SHELL_HANG:
        cause, phase, detail = causes.SHELL_HANG, SHELL, "logged in, but the shell did not get to the agent"
    said = brief(stderr)
    if cause == causes.SHELL_HANG:
        detail += _where(shell, "python" in told) + ("; printed: " + said if said else "")
    return cause, phase, detail


def phase_of(evidence: Evidence) -> str:
    """The phase that a launch is in."""
    if evidence.agent:
        return CALLBACK
    if evidence.tty:
        return HANDSHAKE  # who asks a person has not logged in, whatever else has read of stdin
    if evidence.logged_in:
        return SHELL
    if any(state == "ESTABLISHED" for state, _ in evidence.tcp):
        return HANDSHAKE
    return CONNECT


def of_silence(evidence: Evidence) -> Tuple[str, str, str]:
    """(cause, phase, detail) of what runs and does not move."""
    phase = phase_of(evidence)
    waited = "for %.0f s" % evidence.seconds
    peer = evidence.tcp[0][1] if evidence.tcp else evidence.host
    if phase == CALLBACK:
        return causes.CALLBACK_BLOCKED, phase, evidence.blocked or "the agent runs but did not connect back %s" % waited
    if evidence.tty:
        said = last_line(evidence.stderr)
        return causes.PASSWORD_PROMPT, phase, "%s waits at %s for a person%s" % (
            evidence.rsh, evidence.tty, ": " + said if said else "")  # fmt: skip
    if phase == SHELL:
        if evidence.eaten:
            return causes.SHELL_HANG, phase, _eaten(evidence.shell)
        said = printed(evidence)
        where = _where(evidence.shell, evidence.python_began)
        return causes.SHELL_HANG, phase, "logged in, but the shell did not get to the agent %s%s%s" % (
            waited, where, "; printed: " + said if said else "")  # fmt: skip
    told = _said(evidence.stderr)
    if told is not None:
        return told
    if phase == HANDSHAKE:
        return causes.HANDSHAKE_TIMEOUT, phase, "%s took the connection, then nothing came %s" % (peer, waited)
    if any(state == "SYN_SENT" for state, _ in evidence.tcp):
        return causes.CONNECT_TIMEOUT, phase, "no answer to SYN from %s %s" % (peer, waited)
    if evidence.resolver:
        return causes.RESOLVE, phase, "%s %s %s" % (MUTE, evidence.resolver, waited)
    return causes.CONNECT_TIMEOUT, phase, "%s did not get to the host %s" % (evidence.rsh, waited)


def _of_end(evidence: Evidence) -> Tuple[str, str, str]:
    code = evidence.exit_code
    assert code is not None
    said = printed(evidence)
    how = "%s ended with %s" % (evidence.rsh, "code %d" % code if code >= 0 else "signal %d" % -code)
    # The real rsh ends with 0 whatever the command did, so what is said counts more than the code.
    if evidence.blocked:
        return causes.CALLBACK_BLOCKED, CALLBACK, evidence.blocked
    if evidence.eaten:
        return causes.SHELL_HANG, SHELL, _eaten(evidence.shell)
    if (evidence.agent or evidence.logged_in) and NO_ROOM.search(evidence.stderr):
        cause, phase = (causes.AGENT_CRASH, AGENT) if evidence.agent else (causes.RSH_FAILED, SHELL)
        return cause, phase, "no room for a process on %s: %s" % (evidence.host, _line_with(NO_ROOM, evidence.stderr))
    if "Traceback (most recent call last)" in evidence.stderr:
        trace = evidence.stderr[evidence.stderr.index("Traceback") :].strip()
        if evidence.agent or (OURS.search(trace) and not LACKS.match(last_line(trace))):
            return causes.AGENT_CRASH, AGENT, trace
        return causes.NO_PYTHON, SHELL, "%s: %s" % (evidence.python, last_line(trace))
    if evidence.agent:
        cause = causes.LOST if code in (255, 0) else causes.AGENT_CRASH
        return cause, AGENT, "the agent began, then %s%s" % (how, ": " + said if said else "")
    killed = is_ssh(evidence.rsh) and code == SSH_FAILED  # if ssh has no word of its own: the command was, by a signal
    began = evidence.python_began and code >= 0 and not (killed and SSH_SAYS.search(evidence.stderr))
    for pattern in (TOO_OLD,) if began else (TOO_OLD, NO_PYTHON):
        if pattern.search(evidence.stderr):
            return causes.NO_PYTHON, SHELL, _line_with(pattern, evidence.stderr)
    if began:
        verb = "was killed, or ended with 255," if killed else "ended"
        how = "%s %s before it got to mpboot's code (%s)" % (evidence.python, verb, how)
        return causes.NO_PYTHON, SHELL, how + (": " + said if said else "")
    if is_ssh(evidence.rsh) and 0 <= code != SSH_FAILED:
        # ssh itself had no trouble; what stderr says of denied permissions and the like is the host's noise.
        how = "logged in, but the shell ended with code %d" % code
        return causes.RSH_FAILED, SHELL, how + (": " + said if said else "")
    told = _said(evidence.stderr)
    if told is not None:
        return told
    return causes.RSH_FAILED, phase_of(evidence), how + (": " + said if said else ", and no agent began")


def _line_with(pattern: re.Pattern[str], text: str) -> str:
    for line in text.splitlines():
        if pattern.search(line):
            return line.strip(" \t\r@")  # ssh frames its warnings
    return last_line(text)
