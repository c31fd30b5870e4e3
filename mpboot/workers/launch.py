"""One launch, from exec to verdict, inside a worker: feeds rsh, follows what the agent says, names the cause."""

from __future__ import annotations

import errno
import os
import posix
from time import monotonic

from mpboot.tree import causes
from mpboot.workers import commandline
from mpboot.workers.rsh import Cancelled, Rsh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional

    from mpboot.workers.diagnosis import Evidence
    from mpboot.workers.settings import Settings, States, Target, Verdict

KEEP = 1200  # bytes kept of stderr, and of the noise before the marker: a verdict stays below PIPE_BUF
LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # errors that are no fault of rsh's
BACKUP = 1.0  # seconds beyond the timeout, in which the watcher ends the launch, and knows better why
STATES = ("shell", "agent", "tcp", "stdio", "blocked")  # what a host says after the marker
LINGER = 5.0  # seconds that rsh may stay after the agent has let go of it


class NoRsh(Exception):
    """The rsh command can't be started."""


class NoRoom(Exception):
    """This machine can't carry another process now: errno."""


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
        self._states: States = []
        self._state = ""  # what came last from the host: shell, agent, tcp, stdio, blocked
        self._marker = "MPBOOT-" + os.urandom(8).hex()
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._rsh: Optional[Rsh] = None
        self._blocked = ""
        self._exit_code: Optional[int] = None
        self._logged_in = self._agent = False

    def run(self) -> Verdict:
        """Launch, and follow until rsh has ended or was ended."""
        error = ""
        try:
            shell = self._probe_shell()
            if shell is not None or self.settings.shell_probe != commandline.SEPARATE:
                self._exit_code = self._start(
                    commandline.remote_command(self.settings.shell_probe, shell, self._marker),
                    self.settings.payload(self.target, self._marker),
                )
                if self._rsh is not None and self._rsh.held and self._state not in ("tcp", "stdio"):
                    self._end()
        except Cancelled:
            self._end()
            return self._verdict(causes.INTERRUPTED, "", "cancelled")
        except TimeoutError:
            self._logged_in = self._logged_in or (self._rsh is not None and self._rsh.has_read())
            self._end()
        except NoRsh as why:
            error = str(why)
        except OSError as why:
            self._end()
            return self._verdict(causes.RSH_FAILED, "connect", "its worker failed: %s" % why)
        finally:
            if self._rsh is not None:
                self._rsh.close()
        if self._state in ("tcp", "stdio"):
            return self._verdict("", "", "")
        from mpboot.workers.diagnosis import diagnose

        return self._verdict(*diagnose(self._evidence(error)))

    # -- inside ------------------------------------------------------------------------------------

    def _probe_shell(self) -> Optional[str]:
        """Ask for the login shell as the notes do, if that is wanted; None if there is no answer."""
        if self.settings.shell_probe != commandline.SEPARATE:
            return None
        if self.settings.rsh == commandline.LOCAL:
            return os.environ.get("SHELL", "/bin/sh")
        self._exit_code = self._start(commandline.PROBE, b"")
        words = [word for word in self._stdout.decode("utf-8", "replace").split() if word.startswith("/")]
        if self._exit_code or not words or self._rsh is None:
            return None
        self._rsh.close()
        self._exit_code = None
        self._stdout.clear()
        return words[-1]

    def _start(self, command: str, payload: bytes) -> int:
        _, _, name, user, port, _ = self.target
        common = self.settings
        argv = commandline.rsh_argv(
            common.rsh, name, user, port, common.timeout, command, common.ssh_options, common.words
        )
        environment = posix.environ
        if self.settings.rsh == commandline.LOCAL:  # SSH_CONNECTION tells of the user's own login, not of this launch
            environment = {key: value for key, value in environment.items() if key != b"SSH_CONNECTION"}
        try:
            self._rsh = Rsh(argv, environment, *self._io)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in LIMITS:
                raise NoRoom(error.errno) from None  # type: ignore[union-attr]
            raise NoRsh(getattr(error, "strerror", None) or str(error)) from None
        self._note("started")
        self._say("started", (self._rsh.pid, len(payload), os.getpid()))
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
            del self._stdout[: end + 1]
            if word in STATES:  # else a shell has echoed its command line
                self._heard(word, rest)
            if word == "stdio":
                from mpboot.workers.relay import Relay

                rsh.hand_over(Relay(rsh.stdin, rsh.stdout, self.settings.port, bytes(self._stdout)))
                return

    def _heard(self, word: str, rest: str) -> None:
        self._state = word
        self._note(word)
        if word == "shell":
            self._logged_in = True
            return
        self._agent = True
        self._blocked = rest

    def _note(self, state: str) -> None:
        self._states.append((state, monotonic()))

    def _end(self) -> None:
        if self._rsh is not None:
            self._rsh.end()

    def _verdict(self, cause: str, phase: str, detail: str) -> Verdict:
        told = detail.encode("utf-8", "replace")[:KEEP].decode("utf-8", "ignore")
        stderr = self._stderr.decode("utf-8", "replace").encode("utf-8")[-KEEP:].decode("utf-8", "ignore")
        return cause, phase, told, self._states[:12], stderr

    def _evidence(self, error: str) -> Evidence:
        from mpboot.workers.diagnosis import Evidence

        found = Evidence((self.settings.words or ["rsh"])[0], self.target[2])
        found.seconds = monotonic() - self._begin
        found.exit_code, found.exec_error = self._exit_code, error
        found.logged_in, found.agent, found.blocked = self._logged_in, self._agent, self._blocked
        found.stderr = self._stderr.decode("utf-8", "replace")
        found.noise = self._stdout.decode("utf-8", "replace")
        return found
