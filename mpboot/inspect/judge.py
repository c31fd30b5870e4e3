"""What an ssh or rsh client does, and whether it hangs: the meaning of what two looks at it have shown.

The looks are taken by look.py, the findings are shown by view.py. docs/inspect.md tells how each verdict is known, and
when it can be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic, sleep

import psutil

from mpboot.clientline import Words, read_words
from mpboot.inspect.look import Client, Inspector
from mpboot.inspect.netlink import TcpConnection
from mpboot.tree import causes
from mpboot.workers.diagnosis import CONNECT, HANDSHAKE, SHELL, Evidence, of_silence

SESSION = "session"  # the phase after the login, but for a shell that never says a word: that is in the phase SHELL
HEALTHY, IDLE, STARTING, STOPPED, ENDED, UNKNOWN = "healthy", "idle", "starting", "stopped", "ended", "unknown"
RIDES = "rides"  # it goes over a session of mpboot's
PATIENCE = 5.0  # seconds without movement before the session stands, after which a client counts as hung
INTERVAL = 1.0  # seconds between two looks
KEYS = 1200  # bytes; fewer can't hold a server's part of an SSH key exchange
UNANSWERED = 3  # times that bytes were sent again before the peer counts as gone
LITTLE = 0.02  # seconds of processor time that are no movement: the look itself may cost the client some


@dataclass
class Finding:
    """What a client does. ``still``: seconds since it moved, no more than that unless ``exact``."""

    client: Client
    host: str
    phase: str = ""
    still: float = 0.0
    exact: bool = True
    waits: str = ""
    verdict: str = UNKNOWN
    detail: str = ""

    @property
    def hung(self) -> bool:
        """Is the verdict a cause why a launch fails?"""
        return self.verdict in causes.ALL

    @property
    def peer(self) -> str:
        """Where its connection leads; empty if it has none."""
        return self.client.tcp[0].peer if self.client.tcp else ""


def mark_riders(found: Iterable[Finding], riders: Mapping[int, tuple[str, str]]) -> None:
    """Say which of these ride a session of mpboot's. ``riders``: host and what it waits for, by pid."""
    for one in found:
        if one.client.pid in riders:
            one.host, one.waits = riders[one.client.pid]
            one.verdict, one.phase, one.detail = RIDES, SESSION, ""


def logged_in(client: Client, words: Words) -> bool:
    """Has it logged in? docs/inspect.md tells how that is known."""
    if client.copies:
        return True
    if not client.tcp or not client.tcp[0].exact or client.via is not None:
        return False
    received = client.tcp[0].received
    if client.name.startswith(("rsh", "rlogin", "remsh")):
        return received > 0  # rshd's first byte says that the user is let in
    # Others, and ssh -N or -W, may open nothing that shows: then what came is more than keys, or not.
    return (client.name != "ssh" or bool(set("NW") & set(words.flags))) and received >= KEYS


def judge_client(before: Client | None, client: Client, patience: float) -> Finding:
    """What a client does, from two looks at it (``before`` None: it is new)."""
    words = read_words(client.command)
    found = Finding(client, words.host)
    moved = before is None or before.counters != client.counters or client.cpu > before.cpu + LITTLE
    tcp = client.tcp[0] if client.tcp else None
    if tcp is not None and tcp.exact:
        found.still, found.exact = tcp.quiet, True
    else:
        found.still, found.exact = 0.0 if moved else client.age, False
    if client.status == psutil.STATUS_ZOMBIE:
        return _say(found, ENDED, "its parent, which has not taken note of its end")
    if client.reads < 0 and not client.tcp:
        return _say(found, UNKNOWN, "? (another user's: only root can see)")
    entered = logged_in(client, words)
    connected = tcp is not None and tcp.state != "SYN_SENT"
    found.phase = SESSION if entered else HANDSHAKE if connected else CONNECT
    if client.status == psutil.STATUS_STOPPED:
        return _say(found, STOPPED, f"SIGCONT: somebody stopped it (kill -CONT {client.pid} lets it go on)")
    if entered:
        return _judge_session(found, words, moved, patience)
    if client.shares and tcp is None and not client.prompt:
        found.phase = ""
        return _say(found, UNKNOWN, "another process that has the connection (ControlMaster?)")
    found.waits = _waits_for(client, tcp)
    if moved or (found.still < patience and not client.prompt):
        found.verdict = STARTING
        return found
    return _judge_start(found)


def _say(found: Finding, verdict: str, waits: str) -> Finding:
    found.verdict, found.waits = verdict, waits
    return found


def _waits_for(client: Client, tcp: TcpConnection | None) -> str:
    """What a client that is not logged in waits for."""
    if client.prompt:
        return f"a person at {client.prompt}: " + (
            "an answer, such as yes to a new host key" if client.echo else "a password or passphrase")  # fmt: skip
    if client.status == psutil.STATUS_DISK_SLEEP:
        return "the kernel: a disk or file system"
    if tcp is None:
        return f"the name server {client.asks}" if client.asks else "a program, file or lock on this machine"
    if tcp.state == "SYN_SENT":
        return f"an answer to its SYN from {tcp.peer}"
    if tcp.exact and not tcp.received:
        return f"the first byte from {tcp.peer}: it took the connection, nothing came"
    return f"{tcp.peer} to finish keys or login" + (f": {tcp.received} bytes came" if tcp.exact else "")


def _judge_start(found: Finding) -> Finding:
    """The verdict on a client that is not logged in and does not move: in the same words as a boot's."""
    client = found.client
    evidence = Evidence(client.name, found.host)
    evidence.seconds = found.still
    evidence.tcp = [("ESTABLISHED" if found.phase == HANDSHAKE else one.state, one.peer) for one in client.tcp]
    evidence.tty = client.prompt
    found.verdict, _, found.detail = of_silence(evidence)
    if client.asks and not client.tcp:
        found.verdict = causes.RESOLVE
        found.detail = f"no answer from the name server {client.asks} for {found.still:.0f} s"
    return found


def _judge_session(found: Finding, words: Words, moved: bool, patience: float) -> Finding:
    """The verdict on a client that is logged in."""
    client = found.client
    tcp = client.tcp[0] if client.tcp else None
    if tcp is not None and tcp.unsent and tcp.resent >= UNANSWERED and tcp.unanswered >= patience:
        found.still = tcp.unanswered  # what it sends again and again is no movement
        found.detail = f"{tcp.peer} has acknowledged nothing for {tcp.unanswered:.0f} s"
        return _say(found, causes.LOST, f"{tcp.peer} to acknowledge {tcp.unsent} bytes")
    if tcp is not None and tcp.unread and not moved:
        return _say(found, IDLE, f"whoever reads its output: {tcp.unread} bytes wait")
    if tcp is not None and tcp.unsent and not moved:
        return _say(found, IDLE, f"the far side to take {tcp.unsent} bytes")
    silent = tcp is not None and tcp.exact and client.via is None and 0 <= client.written <= tcp.sent
    if silent and _has_a_shell(client, words):
        found.phase = SHELL
        found.detail = f"logged in, but the shell has not said a word for {found.still:.0f} s"
        return _say(found, STARTING if found.still < patience else causes.SHELL_HANG, "the shell's first prompt")
    what = "the remote command" if words.command else "the remote shell, or whoever types"
    if set("NW") & set(words.flags):
        what = "users of its connection"
    return _say(found, HEALTHY if moved or (found.exact and found.still < patience) else IDLE, what)


def _has_a_shell(client: Client, words: Words) -> bool:
    """Does it run a shell at a terminal, which would say a word first?"""
    if words.command or set("NTWfns") & set(words.flags):
        return False
    return "tt" in words.flags or client.stdin.startswith(("/dev/pts/", "/dev/tty", "/dev/console"))


def examine(
    inspector: Inspector,
    interval: float = INTERVAL,
    patience: float = PATIENCE,
    clock: Callable[[], float] = monotonic,
    pause: Callable[[float], None] = sleep,
) -> list[Finding]:
    """What all clients do that an inspector finds, in the order of their numbers.

    It looks twice, ``interval`` seconds apart, and again while a client is too young to be judged: for at most
    ``interval + patience`` seconds and one look.
    """
    start = clock()
    first = inspector.look()
    found: dict[int, Finding] = {}
    before = first
    while first:
        pause(interval)
        now = inspector.look()
        found = {pid: judge_client(before.get(pid), one, patience) for pid, one in now.items() if pid in first}
        before = now
        if clock() - start >= interval + patience or all(one.verdict != STARTING for one in found.values()):
            break
    return [found[pid] for pid in sorted(found)]
