"""One launch, from exec to verdict, inside a worker: feeds rsh, follows what the agent says, names the cause."""

from __future__ import annotations

import marshal
import os
from time import monotonic

from mpboot.node import remote
from mpboot.tree import causes
from mpboot.workers.diagnosis import Evidence, diagnose, phase_of
from mpboot.workers.kex import cheap_exchange
from mpboot.workers.relay import Relay
from mpboot.workers.rsh import Cancelled, Rsh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    Target = Tuple[int, int, str, Optional[str], Optional[int], str]  # launch, rank, host name, user, port, label

KEEP = 1200  # bytes kept of stderr, and of the noise before the marker: a verdict stays below PIPE_BUF
BACKUP = 1.0  # seconds beyond the timeout, in which the watcher ends the launch, and knows better why
STATES = ("shell", "agent", "tcp", "stdio", "blocked")  # what a host says after the marker
LINGER = 5.0  # seconds that rsh may stay after the agent has let go of it


class Settings:
    """What all launches of a boot have in common."""

    def __init__(
        self, boot: Dict[str, Any], kit: Tuple[Any, ...], agent: Dict[str, Any], port: int, sample: str
    ) -> None:
        """``boot``: rsh, timeout, shell_probe, attach; ``kit`` and ``agent`` make the payload for rsh's stdin

        (see bundle.py and leaf.py); ``port``: the parent's accept socket; ``sample``: one of the hosts.
        """
        self.rsh: str = boot["rsh"]
        self.timeout: float = boot["timeout"]
        self.shell_probe: str = boot["shell_probe"]
        self.attach: bool = boot["attach"]
        self.kit = kit
        self.agent = agent
        self.port = port
        # Through stdio travels what commands print, and not the boot's secret alone.
        cheap = remote.is_ssh(self.rsh) and boot["transport"] != "stdio"
        self.ssh_options = cheap_exchange(self.rsh, sample) if cheap else []

    def payload(self, target: Target, marker: str) -> bytes:
        """The bytes that start an agent: a length in hexadecimal, a newline, the marshalled payload."""
        config = dict(self.agent, id=target[0], rank=target[1], host=target[5], marker=marker)
        packed = marshal.dumps((*self.kit, config), 2)
        return b"%x\n" % len(packed) + packed


class NoRsh(Exception):
    """The rsh command can't be started."""


class Verdict:
    """How a launch ended. ``cause`` is empty if the agent took over. ``states``: (name, monotonic time)."""

    def __init__(self, cause: str, phase: str, detail: str, states: List[Tuple[str, float]], stderr: str) -> None:
        self.cause = cause
        self.phase = phase
        self.detail = detail
        self.states = states
        self.stderr = stderr


class Launch:
    """Carries one launch. ``say("started", pid)`` tells the parent; for ``wake``, ``orders``, ``heed`` see Rsh."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        wake: int,
        orders: int,
        heed: Callable[[], None],
        say: Callable[..., None],
    ) -> None:
        self.settings = settings
        self.target = target
        self._io = (wake, orders, heed)
        self._say = say
        self._begin = monotonic()
        self._states: List[Tuple[str, float]] = []
        self._state = ""  # what came last from the host: shell, agent, tcp, stdio, blocked
        self._marker = "MPBOOT-" + os.urandom(8).hex()
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._rsh: Optional[Rsh] = None
        words = settings.rsh.split()
        self._evidence = Evidence(words[0] if words else "rsh", target[2])

    def run(self) -> Verdict:
        """Launch, and follow until rsh has ended or was ended."""
        evidence = self._evidence
        try:
            shell = self._probe_shell()
            if shell is not None or self.settings.shell_probe != remote.SEPARATE:
                evidence.exit_code = self._start(
                    remote.remote_command(self.settings.shell_probe, shell, self._marker),
                    self.settings.payload(self.target, self._marker),
                )
                if self._rsh is not None and self._rsh.held and self._state not in ("tcp", "stdio"):
                    self._end()
        except Cancelled:
            self._end()
            return self._verdict(causes.INTERRUPTED, "", "cancelled")
        except TimeoutError:
            evidence.logged_in = evidence.logged_in or (self._rsh is not None and self._rsh.has_read())
            self._end()
        except NoRsh as error:
            evidence.exec_error = str(error)
        except OSError as error:
            self._end()
            return self._verdict(causes.RSH_FAILED, phase_of(evidence), "its worker failed: %s" % error)
        finally:
            if self._rsh is not None:
                self._rsh.close()
        evidence.seconds = monotonic() - self._begin
        evidence.stderr = self._stderr.decode("utf-8", "replace")
        evidence.noise = self._stdout.decode("utf-8", "replace")
        if self._state in ("tcp", "stdio"):
            return self._verdict("", "", "")
        return self._verdict(*diagnose(evidence))

    # -- inside ------------------------------------------------------------------------------------

    def _probe_shell(self) -> Optional[str]:
        """Ask for the login shell as the notes do, if that is wanted; None if there is no answer."""
        if self.settings.shell_probe != remote.SEPARATE:
            return None
        if self.settings.rsh == remote.LOCAL:
            return os.environ.get("SHELL", "/bin/sh")
        self._evidence.exit_code = self._start(remote.PROBE, b"")
        words = [word for word in self._stdout.decode("utf-8", "replace").split() if word.startswith("/")]
        if self._evidence.exit_code or not words or self._rsh is None:
            return None
        self._rsh.close()
        self._stdout.clear()
        return words[-1]

    def _start(self, command: str, payload: bytes) -> int:
        _, _, name, user, port, _ = self.target
        common = self.settings
        argv = remote.rsh_argv(common.rsh, name, user, port, common.timeout, command, common.ssh_options)
        environment = dict(os.environ)
        if self.settings.rsh == remote.LOCAL:
            environment.pop("SSH_CONNECTION", None)  # it tells of the user's own login, not of this launch
        try:
            self._rsh = Rsh(argv, environment, *self._io)
        except (OSError, ValueError) as error:
            raise NoRsh(getattr(error, "strerror", None) or str(error)) from None
        self._note("started")
        self._say("started", (self._rsh.pid, len(payload)))
        self._rsh.feed(payload)
        return self._rsh.follow(self._limit, self._got)

    def _limit(self) -> Optional[float]:
        if self._state == "stdio" or (self._state == "tcp" and self.settings.attach):
            return None  # rsh lives as long as its agent; the parent ends both
        if self._state == "tcp":
            return self._states[-1][1] + LINGER
        return self._begin + self.settings.timeout + BACKUP

    def _got(self, fd: int, data: bytes) -> None:
        rsh = self._rsh
        assert rsh is not None
        if fd == rsh.stderr:
            self._stderr += data
            del self._stderr[:-KEEP]
            return
        if self._state == "tcp":
            return
        self._stdout += data
        marker = self._marker.encode()
        while True:
            start = self._stdout.find(marker)
            end = self._stdout.find(b"\n", start) if start >= 0 else -1
            if end < 0:
                if start < 0:
                    del self._stdout[:-KEEP]
                return
            word, _, rest = self._stdout[start + len(marker) + 1 : end].decode("utf-8", "replace").partition(" ")
            self._evidence.noise = self._evidence.noise or self._stdout[:start].decode("utf-8", "replace")
            del self._stdout[: end + 1]
            if word in STATES:  # else a shell has echoed its command line
                self._heard(word, rest)
            if word == "stdio":
                rsh.hand_over(Relay(rsh.stdin, rsh.stdout, self.settings.port, bytes(self._stdout)))
                return

    def _heard(self, word: str, rest: str) -> None:
        self._state = word
        self._note(word)
        if word == "shell":
            self._evidence.logged_in = True
            return
        self._evidence.agent = True
        self._evidence.blocked = rest

    def _note(self, state: str) -> None:
        self._states.append((state, monotonic()))

    def _end(self) -> None:
        if self._rsh is not None:
            self._rsh.end()

    def _verdict(self, cause: str, phase: str, detail: str) -> Verdict:
        stderr = bytes(self._stderr[-KEEP:]).decode("utf-8", "replace")
        return Verdict(cause, phase, detail[:KEEP], self._states[:12], stderr)
