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

# What a host that is still starting answers: with --wait-for it is tried again.
STARTING = frozenset((REFUSED, UNREACHABLE, CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT))
# The fault may be the launching machine's own: an ancestor must try before the host is called failed.
LAUNCHERS = frozenset(
    (RESOLVE, UNREACHABLE, PASSWORD_PROMPT, HOST_KEY, AUTH, RSH_MISSING, RSH_FAILED, CALLBACK_BLOCKED)
)
