"""What OpenSSH (7.9 to 9.x), rsh and shells really say → cause, phase and the line that is shown."""

from __future__ import annotations

import pytest

from mpboot.tree import causes
from mpboot.workers.diagnosis import AGENT, CALLBACK, CONNECT, HANDSHAKE, SHELL, diagnose, is_busy
from tests.workers.given import evidence

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
The fingerprint for the ED25519 key sent by the remote host is
SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8.
Please contact your system administrator.
Offending ED25519 key in /home/joe/.ssh/known_hosts:3
Host key for h005 has changed and you have requested strict checking.
Host key verification failed.
"""
TRACEBACK = """\
stty: 'standard input': Inappropriate ioctl for device
Traceback (most recent call last):
  File "<string>", line 1, in <module>
MemoryError
"""

# Text on stderr of ssh that ended with 255; cause; phase; what the detail must hold.
SSH = [
    ("ssh: Could not resolve hostname h005: Name or service not known", causes.RESOLVE, CONNECT, "h005"),
    ("ssh: Could not resolve hostname h005: Temporary failure in name resolution", causes.RESOLVE, CONNECT, "Temp"),
    ("ssh: Could not resolve hostname h005: nodename nor servname provided, or not known", causes.RESOLVE, CONNECT, ""),
    ("ssh: Could not resolve hostname h005: No address associated with hostname", causes.RESOLVE, CONNECT, "No a"),
    ("ssh: connect to host h005 port 22: Connection refused", causes.REFUSED, CONNECT, "port 22"),
    ("ssh: connect to host 10.0.0.5 port 2222: Connection refused", causes.REFUSED, CONNECT, "port 2222"),
    ("ssh: connect to host h005 port 22: No route to host", causes.UNREACHABLE, CONNECT, "No route"),
    ("ssh: connect to host h005 port 22: Network is unreachable", causes.UNREACHABLE, CONNECT, "Network"),
    ("ssh: connect to host h005 port 22: Network is down", causes.UNREACHABLE, CONNECT, "down"),
    ("ssh: connect to host h005 port 22: Host is down", causes.UNREACHABLE, CONNECT, "down"),
    ("ssh: connect to host 10.0.0.255 port 22: Permission denied", causes.UNREACHABLE, CONNECT, "10.0.0.255"),
    ("ssh: connect to host h005 port 22: Operation not permitted", causes.UNREACHABLE, CONNECT, "not permitted"),
    ("ssh: connect to host h005 port 22: Connection timed out", causes.CONNECT_TIMEOUT, CONNECT, "timed out"),
    ("ssh: connect to host h005 port 22: Operation timed out", causes.CONNECT_TIMEOUT, CONNECT, "timed out"),
    ("Connection timed out during banner exchange", causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "banner"),
    (
        "Connection timed out during banner exchange\nConnection to 10.0.0.5 port 22 timed out",
        causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "banner",
    ),
    ("Connection to 10.0.0.5 port 22 timed out", causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "10.0.0.5"),
    (
        "ssh_dispatch_run_fatal: Connection to 10.0.0.5 port 22: Connection timed out",
        causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "10.0.0.5",
    ),
    ("kex_exchange_identification: read: Connection timed out", causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "timed out"),
    ("Timeout, server h005 not responding.", causes.HANDSHAKE_TIMEOUT, HANDSHAKE, "h005"),
    ("Host key verification failed.", causes.HOST_KEY, HANDSHAKE, "Host key"),
    (
        "No ED25519 host key is known for h005 and you have requested strict checking.\nHost key verification failed.",
        causes.HOST_KEY, HANDSHAKE, "h005",
    ),
    (CHANGED, causes.HOST_KEY, HANDSHAKE, "CHANGED"),
    (
        "Unable to negotiate with 10.0.0.5 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss",
        causes.HOST_KEY, HANDSHAKE, "ssh-dss",
    ),
    ("joe@h005: Permission denied (publickey).", causes.AUTH, HANDSHAKE, "joe@h005"),
    ("Permission denied (publickey,password,keyboard-interactive).", causes.AUTH, HANDSHAKE, "publickey"),
    (
        "Received disconnect from 10.0.0.5 port 22:2: Too many authentication failures\n"
        "Disconnected from 10.0.0.5 port 22",
        causes.AUTH, HANDSHAKE, "Too many",
    ),
    (
        "@@@@@@@@\n@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\n@@@@@@@@\nPermissions 0644 for 'id' are too open.\n"
        'Load key "id": bad permissions\njoe@h005: Permission denied (publickey).',
        causes.AUTH, HANDSHAKE, "joe@h005",
    ),
    (
        "Warning: Permanently added '10.0.0.5' (ED25519) to the list of known hosts.\r\n"
        "joe@10.0.0.5: Permission denied (publickey).\r\n",
        causes.AUTH, HANDSHAKE, "joe@10.0.0.5",
    ),
    # sshd or a firewall hangs up: nobody can say why, so the words themselves are the detail.
    ("kex_exchange_identification: read: Connection reset by peer", causes.RSH_FAILED, CONNECT, "Connection reset"),
    (
        "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.5 port 22",
        causes.RSH_FAILED, CONNECT, "Connection reset by 10.0.0.5",
    ),
    ("kex_exchange_identification: Connection closed by remote host", causes.RSH_FAILED, CONNECT, "closed by remote"),
    ("ssh_exchange_identification: Connection closed by remote host", causes.RSH_FAILED, CONNECT, "closed by remote"),
    ("Connection closed by 10.0.0.5 port 22", causes.RSH_FAILED, CONNECT, "closed by 10.0.0.5"),
    ("Connection closed by UNKNOWN port 65535", causes.RSH_FAILED, CONNECT, "UNKNOWN"),
    ("Connection reset by 10.0.0.5 port 22 [preauth]", causes.RSH_FAILED, CONNECT, "[preauth]"),
    ("Exceeded MaxStartups\r\nConnection closed by 10.0.0.5 port 22", causes.RSH_FAILED, CONNECT, "closed by"),
    (
        "Unable to negotiate with 10.0.0.5 port 22: no matching cipher found. Their offer: aes128-cbc",
        causes.RSH_FAILED, CONNECT, "aes128-cbc",
    ),
    ("/home/joe/.ssh/config: line 3: Bad configuration option: nonsense", causes.RSH_FAILED, CONNECT, "nonsense"),
    ("", causes.RSH_FAILED, CONNECT, "code 255, and no agent began"),
]  # fmt: skip

# The real rsh: netkit's and rsh-redone's. It ends with 0 or 1 whatever was wrong.
RSH = [
    ("h005: Unknown host", 1, causes.RESOLVE, CONNECT),
    ("h005: Host name lookup failure", 1, causes.RESOLVE, CONNECT),
    ("rsh: Error looking up host: Name or service not known", 1, causes.RESOLVE, CONNECT),
    ("h005: Connection refused", 1, causes.REFUSED, CONNECT),
    ("connect to address 10.0.0.5 port 514: Connection refused", 1, causes.REFUSED, CONNECT),
    ("h005: No route to host", 1, causes.UNREACHABLE, CONNECT),
    ("h005: Connection timed out", 1, causes.CONNECT_TIMEOUT, CONNECT),
    ("Permission denied.", 1, causes.AUTH, HANDSHAKE),
    ("rshd: Login incorrect.", 1, causes.AUTH, HANDSHAKE),
    ("sh: 1: exec: python3: not found", 0, causes.NO_PYTHON, SHELL),
    ("mpboot: python 3.6.15 is too old: 3.8 or newer is needed", 0, causes.NO_PYTHON, SHELL),
    (TRACEBACK, 0, causes.AGENT_CRASH, AGENT),
    ("poll: protocol failure in circuit setup", 1, causes.RSH_FAILED, CONNECT),
]

# Logged in by ssh: the code is the remote command's.
SHELLS = [
    ("/bin/sh: 1: exec: python3: not found", 127, causes.NO_PYTHON),  # dash
    ("/bin/sh: line 1: exec: python3: not found", 127, causes.NO_PYTHON),  # bash
    ("/bin/sh: python3: not found", 127, causes.NO_PYTHON),  # busybox
    ("/bin/sh: python3: inaccessible or not found", 127, causes.NO_PYTHON),  # mksh
    ("/bin/sh: python3:  not found", 127, causes.NO_PYTHON),  # ksh93
    ("/bin/sh: 1: exec: python3: Permission denied", 126, causes.NO_PYTHON),
    ("mpboot: python 2.7.18 is too old: 3.8 or newer is needed", 76, causes.NO_PYTHON),
    (TRACEBACK, 1, causes.AGENT_CRASH),
    ("/bin/sh: 1: Cannot fork", 2, causes.RSH_FAILED),
    # Noise of a profile that sounds like ssh's own trouble.
    ("cat: /etc/secret: Permission denied", 1, causes.RSH_FAILED),
    ("mount.nfs: Connection timed out\nping: www: Name or service not known", 1, causes.RSH_FAILED),
]


@pytest.mark.parametrize(("stderr", "cause", "phase", "detail"), SSH)
def test_what_ssh_says(stderr: str, cause: str, phase: str, detail: str) -> None:
    said = diagnose(evidence(stderr))
    assert said[:2] == (cause, phase)
    assert detail in said[2]
    assert "\n" not in said[2]
    assert "\r" not in said[2]


@pytest.mark.parametrize(("stderr", "cause", "phase", "detail"), SSH)
def test_noise_around_it_changes_nothing(stderr: str, cause: str, phase: str, detail: str) -> None:
    banner = "  Authorised users only.  All activity is logged.\n\n"
    assert diagnose(evidence(banner + stderr))[:2] == (cause, phase) or not detail


@pytest.mark.parametrize(("stderr", "code", "cause", "phase"), RSH)
def test_what_rsh_says(stderr: str, code: int, cause: str, phase: str) -> None:
    assert diagnose(evidence(stderr, code, "rsh"))[:2] == (cause, phase)


@pytest.mark.parametrize(("stderr", "code", "cause"), SHELLS)
def test_what_shells_say(stderr: str, code: int, cause: str) -> None:
    said = diagnose(evidence(stderr, code))
    assert said[0] == cause
    assert said[1] in (SHELL, AGENT)
    if cause == causes.RSH_FAILED:
        assert f"code {code}" in said[2]


@pytest.mark.parametrize(
    "said",
    [
        "dash: 1: Cannot fork",
        "bash: fork: retry: Resource temporarily unavailable",
        "E: mksh: can't fork - try again: Resource temporarily unavailable",
        "zsh:1: fork failed: resource temporarily unavailable",
        "No more processes.",
        "mpboot: no room for a process: Resource temporarily unavailable",
    ],
)
@pytest.mark.parametrize("agent", [True, False])
def test_a_host_at_its_limit_of_processes(said: str, agent: bool) -> None:
    given = evidence(said, 71)
    given.agent, given.logged_in = agent, True
    cause, phase = (causes.AGENT_CRASH, AGENT) if agent else (causes.RSH_FAILED, SHELL)
    assert diagnose(given) == (cause, phase, f"no room for a process on h005: {said}")


def test_a_traceback_is_kept_whole() -> None:
    cause, phase, detail = diagnose(evidence(TRACEBACK, 1))
    assert (cause, phase) == (causes.AGENT_CRASH, AGENT)
    assert detail.startswith("Traceback")
    assert detail.endswith("MemoryError")


def test_rsh_that_does_not_exist() -> None:
    given = evidence(rsh="nosuchrsh")
    given.exec_error = "No such file or directory"
    assert diagnose(given) == (causes.RSH_MISSING, CONNECT, "nosuchrsh: No such file or directory")


def test_rsh_that_was_killed() -> None:
    assert diagnose(evidence("", -9)) == (causes.RSH_FAILED, CONNECT, "ssh ended with signal 9, and no agent began")


@pytest.mark.parametrize("code", [77, 0])
def test_an_agent_without_a_way_back(code: int) -> None:
    given = evidence("", code)
    given.agent = True
    given.blocked = "10.0.0.1: no answer"
    assert diagnose(given) == (causes.CALLBACK_BLOCKED, CALLBACK, "10.0.0.1: no answer")


@pytest.mark.parametrize(
    ("code", "how", "cause"),
    [
        (255, "code 255", causes.LOST), (0, "code 0", causes.LOST), (1, "code 1", causes.AGENT_CRASH),
        (-1, "signal 1", causes.AGENT_CRASH),
    ],
)  # fmt: skip
def test_an_agent_that_ended(code: int, how: str, cause: str) -> None:
    given = evidence("client_loop: send disconnect: Broken pipe", code)
    given.agent = True
    said = f"the agent began, then ssh ended with {how}"
    assert diagnose(given) == (cause, AGENT, f"{said}: client_loop: send disconnect: Broken pipe")
    given.stderr = ""
    assert diagnose(given) == (cause, AGENT, said)


# stderr, exit code, rsh; the phase, and how that is told.
ENDS = [
    ("", 3, "ssh", SHELL, "logged in, but the shell ended with code 3"),
    ("", 0, "ssh", SHELL, "logged in, but the shell ended with code 0"),
    ("motd\nlast words\n", 3, "/usr/bin/ssh", SHELL, "logged in, but the shell ended with code 3: motd | last words"),
    ("last words", 255, "ssh", CONNECT, "ssh ended with code 255: last words"),
    ("", 1, "rsh", CONNECT, "rsh ended with code 1, and no agent began"),
    ("", 0, "rsh", CONNECT, "rsh ended with code 0, and no agent began"),
    ("last words", -1, "ssh", CONNECT, "ssh ended with signal 1: last words"),
]


@pytest.mark.parametrize(("stderr", "code", "rsh", "phase", "detail"), ENDS)
def test_an_end_that_nobody_can_explain_is_told_as_it_was(
    stderr: str, code: int, rsh: str, phase: str, detail: str
) -> None:
    assert diagnose(evidence(stderr, code, rsh)) == (causes.RSH_FAILED, phase, detail)


# Each way of saying it by itself.
SAID = {
    (causes.RESOLVE, CONNECT): [
        "Could not resolve h", "Name or service not known", "Unknown host", "unknown host", "nodename nor servname",
        "Temporary failure in name resolution", "No address associated", "Host name lookup failure",
        "Error looking up host",
    ],
    (causes.UNREACHABLE, CONNECT): [
        "connect to host h port 22: Permission denied", "connect to address h: Operation not permitted",
        "No route to host", "Network is unreachable", "Network is down", "Host is down", "Host is unreachable",
    ],
    (causes.HANDSHAKE_TIMEOUT, HANDSHAKE): [
        "x during banner exchange", "Timeout, server h not responding", "Connection to h port 22 timed out",
        "dispatch_run_fatal: x: timed out", "exchange_identification: read: timed out",
    ],
    (causes.HOST_KEY, HANDSHAKE): [
        "Host key verification failed", "HOST IDENTIFICATION HAS CHANGED", "no host key is known for h",
        "key fingerprint is x", "no matching host key",
    ],
    (causes.AUTH, HANDSHAKE): [
        "Permission denied", "Too many authentication failures", "Login incorrect", "Authentication fail",
    ],
    (causes.REFUSED, CONNECT): ["Connection refused"],
    (causes.CONNECT_TIMEOUT, CONNECT): ["Connection timed out", "Operation timed out"],
    (causes.NO_PYTHON, SHELL): [
        "python3: not found", "python3: No such file", "exec: python3: x", "mpboot: python 3.6 is too old",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("cause", "phase", "line"), [(*what, line) for what, lines in SAID.items() for line in lines])
def test_every_way_of_saying_it_counts_by_itself(cause: str, phase: str, line: str) -> None:
    for frame in ("{}", "x\n{}\ny", "@  {} @\r\n"):
        assert diagnose(evidence(frame.format(line), 1, "rsh")) == (cause, phase, line)


@pytest.mark.parametrize(
    ("cause", "stderr", "busy"),
    [
        (causes.RSH_FAILED, "Connection closed by 10.0.0.5 port 22", True),
        (causes.RSH_FAILED, "kex_exchange_identification: read: Connection reset by peer", True),
        (causes.RSH_FAILED, "connection closed by x", True),
        (causes.RSH_FAILED, "Exceeded MaxStartups", True),
        (causes.RSH_FAILED, "Not allowed at this time", True),
        (causes.RSH_FAILED, "Bad configuration option", False),
        (causes.REFUSED, "Connection closed by x", False),
    ],
)
def test_a_host_that_is_too_busy(cause: str, stderr: str, busy: bool) -> None:
    assert is_busy(cause, stderr) is busy
