"""The closed list of causes why a host is not up, and what the tree has to know of each."""

from __future__ import annotations

RESOLVE = "resolve"
REFUSED = "refused"
UNREACHABLE = "unreachable"
CONNECT_TIMEOUT = "connect-timeout"
HANDSHAKE_TIMEOUT = "handshake-timeout"
PASSWORD_PROMPT = "password-prompt"
HOST_KEY = "host-key"
AUTH = "auth"
SHELL_HANG = "shell-hang"
NO_PYTHON = "no-python"
AGENT_CRASH = "agent-crash"
CALLBACK_BLOCKED = "callback-blocked"
LOST = "lost"
RSH_MISSING = "rsh-missing"
RSH_FAILED = "rsh-failed"
DEADLINE = "deadline"
INTERRUPTED = "interrupted"

ALL = (
    RESOLVE, REFUSED, UNREACHABLE, CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, PASSWORD_PROMPT, HOST_KEY, AUTH, SHELL_HANG,
    NO_PYTHON, AGENT_CRASH, CALLBACK_BLOCKED, LOST, RSH_MISSING, RSH_FAILED, DEADLINE, INTERRUPTED,
)  # fmt: skip

# What passes while a host starts or somebody sets it up: with --wait-for it is tried again. Not so what waits for a
# person, and what only a change on the launching machine can mend.
PASSING = frozenset(ALL) - {PASSWORD_PROMPT, RSH_MISSING, DEADLINE, INTERRUPTED}
