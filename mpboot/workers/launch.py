"""One launch, from exec to verdict, inside a worker: feeds rsh, follows what the host says, names the cause."""

from __future__ import annotations

import errno
import os
import posix
from time import monotonic

from mpboot.net.work import STATES, Started, Verdict
from mpboot.tree import causes
from mpboot.workers import commandline
from mpboot.workers.family import start_of
from mpboot.workers.rsh import Cancelled, Rsh
from mpboot.workers.settings import BACKUP, payload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional

    from mpboot.net.work import LaunchOrder, LaunchSettings, States
    from mpboot.workers.diagnosis import Evidence
    from mpboot.workers.rsh import Interrupts

KEEP = 1200  # bytes kept of stderr, and of the noise before the marker: a verdict stays below PIPE_BUF
LINE = 1 << 16  # bytes that a line with the marker may have
VERBOSE = (b"debug1: ", b"debug2: ", b"debug3: ")  # what begins so on stderr is a verbose ssh's
LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # errors that are no fault of rsh's
LINGER = 5.0  # seconds that rsh may stay after the agent has let go of it
SHELL, AGENT, TCP, STDIO, BLOCKED = "shell", "agent", "tcp", "stdio", "blocked"  # what a host says after the marker
CONNECTED = (TCP, STDIO)


class NoRsh(Exception):
    """The rsh command can't be started."""


class NoRoom(Exception):
    """This machine can't carry another process now."""

    def __init__(self, error: int) -> None:
        super().__init__(os.strerror(error))
        self.errno = error


class Signs:
    """How far a launch has come, by what its host says on rsh's stdout after the marker.

    ``noise`` is what was said without it: the end of that before, or all that follows the last line with the marker.
    """

    def __init__(self, marker: str) -> None:
        self._marker = marker.encode()
        self.states: States = []
        self.state = ""  # what came last from the host
        self.logged_in = self.agent = False
        self.blocked = ""  # what the agent said of its ways back
        self.noise = bytearray()

    @property
    def connected(self) -> bool:
        """Is there a way between the agent and its parent?"""
        return self.state in CONNECTED

    def note(self, state: str) -> None:
        """Keep a state and its time."""
        self.states.append((state, monotonic()))

    def take(self, data: bytes) -> None:
        """Read on. Nothing counts after a way has been found: with ``stdio``, what follows is the agent's frames."""
        self.noise += data
        while not self.connected:
            start = self.noise.find(self._marker)
            end = self.noise.find(b"\n", start) if start >= 0 else -1
            if end < 0:
                if start < 0 or len(self.noise) - start > LINE:
                    del self.noise[:-KEEP]
                return
            word, _, rest = self.noise[start + len(self._marker) + 1 : end].decode("utf-8", "replace").partition(" ")
            del self.noise[: end + 1]
            if word in (SHELL, AGENT, TCP, STDIO, BLOCKED):  # else a shell has echoed its command line
                self._heard(word, rest)

    def _heard(self, word: str, rest: str) -> None:
        self.state = word
        self.note(word)
        if word == SHELL:
            self.logged_in = True
        else:
            self.agent = True
            self.blocked = rest


class RshLaunch:
    """Carries one launch; ``say(Started)`` tells the parent of each rsh."""

    def __init__(
        self, settings: LaunchSettings, order: LaunchOrder, interrupts: Interrupts, say: Callable[[Started], None]
    ) -> None:
        self._settings = settings
        self._order = order
        self._interrupts = interrupts
        self._say = say
        self._begin = monotonic()
        self._marker = "MPBOOT-" + os.urandom(8).hex()
        self._progress = Signs(self._marker)
        self._stderr = bytearray()  # the end of it; and of what counts in it, but for the line that has no end yet
        self._said, self._line = bytearray(), b""
        self._rsh: Optional[Rsh] = None
        self._exit_code: Optional[int] = None
        self._fed_in = False  # rsh took of its input, so it was logged in

    def run(self) -> Verdict:
        """Launch, and follow until rsh has ended or was ended. NoRoom if this machine is at a limit."""
        error = ""
        try:
            self._shell_then_agent()
        except Cancelled:
            self._end()
            return self._verdict(causes.INTERRUPTED, "", "cancelled")
        except TimeoutError:
            self._fed_in = self._rsh is not None and self._rsh.has_read()
            self._end()
        except NoRsh as why:
            error = str(why)
        except OSError as why:
            self._end()
            return self._verdict(causes.RSH_FAILED, "connect", "its worker failed: %s" % why)
        finally:
            if self._rsh is not None:
                self._rsh.close()
        if self._progress.connected:
            return self._verdict("", "", "")
        from mpboot.workers.diagnosis import diagnose

        return self._verdict(*diagnose(self._evidence(error)))

    # -- inside ------------------------------------------------------------------------------------

    def _shell_then_agent(self) -> None:
        settings = self._settings
        shell = self._ask_shell() if settings.shell_probe == commandline.SEPARATE else None
        if shell is None and settings.shell_probe == commandline.SEPARATE:
            return  # how that ended will tell why
        command = commandline.remote_command(settings.shell_probe, shell, self._marker)
        self._exit_code = self._follow(command, payload(settings, self._order, self._marker))
        if self._rsh is not None and self._rsh.held and not self._progress.connected:
            self._end()  # what it left behind waits for nothing that could come

    def _ask_shell(self) -> Optional[str]:
        """The login shell, by an rsh of its own; None if there is no answer."""
        if self._settings.rsh == commandline.LOCAL:
            return os.environ.get("SHELL", "/bin/sh")
        self._exit_code = self._follow(commandline.PROBE, b"")
        said = self._progress.noise
        paths = [word for word in said.decode("utf-8", "replace").split() if word.startswith("/")]
        if self._exit_code or not paths or self._rsh is None:
            return None
        self._rsh.close()
        self._exit_code = None
        said.clear()
        return paths[-1]

    def _follow(self, command: str, fed: bytes) -> int:
        """Start an rsh, feed it, follow it to its end; its exit code."""
        order, settings = self._order, self._settings
        argv = commandline.rsh_argv(
            settings.rsh, order.name, order.user, order.port, settings.timeout, command,
            [*settings.ssh_options, *commandline.address_option(order.address), *self._cheap()], settings.words,
        )  # fmt: skip
        environment = posix.environ
        if settings.rsh == commandline.LOCAL:  # SSH_CONNECTION tells of the user's own login, not of this launch
            environment = {key: value for key, value in environment.items() if key != b"SSH_CONNECTION"}
        try:
            self._rsh = rsh = Rsh(argv, environment, self._interrupts)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number in LIMITS:
                raise NoRoom(number) from None
            raise NoRsh(getattr(error, "strerror", None) or str(error)) from None
        self._progress.note("started")
        self._say(Started(order.launch, rsh.pid, start_of(rsh.pid), len(fed), os.getpid()))
        rsh.feed(fed)
        return rsh.follow(self._limit, self._got)

    def _cheap(self) -> List[str]:
        """Options for the cheapest key exchange, unless the user has a wish of his own for this host: ssh knows."""
        order, settings = self._order, self._settings
        if settings.cheap and settings.offered:
            from mpboot.workers.kex import allows

            about = commandline.address_option(order.address)
            about += ["-l", order.user] if order.user else []
            about += ["-p", str(order.port)] if order.port else []
            question = [*commandline.before_host(settings.words), *about, "-G", order.name]
            return settings.cheap if allows(question, settings.offered) else []
        return settings.cheap

    def _limit(self) -> Optional[float]:
        """The monotonic time at which rsh has had long enough, or None."""
        state = self._progress.state
        if state == STDIO or (state == TCP and self._settings.attach):
            return None  # rsh lives as long as its agent; the parent ends both
        if state == TCP:
            return self._progress.states[-1][1] + LINGER
        return self._begin + self._settings.timeout + BACKUP

    def _got(self, fd: int, data: bytes) -> None:
        rsh, progress = self._rsh, self._progress
        assert rsh is not None
        if fd == rsh.stderr:
            self._stderr += data
            del self._stderr[:-KEEP]
            self._heard_by_line(data)
        elif not progress.connected:
            progress.take(data)
            if progress.state == STDIO:
                from mpboot.workers.relay import Relay

                rsh.hand_over(Relay(rsh.stdin, rsh.stdout, self._settings.port, bytes(progress.noise)))

    def _heard_by_line(self, data: bytes) -> None:
        """Keep what counts of stderr: a verbose ssh says ten times as much, and none of that tells a cause."""
        self._line += data
        if b"\n" in self._line:
            *lines, self._line = self._line.split(b"\n")
            self._said += b"".join(line + b"\n" for line in lines if not line.startswith(VERBOSE))
            del self._said[:-KEEP]
        self._line = self._line[-KEEP:]

    def _end(self) -> None:
        if self._rsh is not None:
            self._rsh.end()

    def _verdict(self, cause: str, phase: str, detail: str) -> Verdict:
        kept = detail.encode("utf-8", "replace")[:KEEP].decode("utf-8", "ignore")
        stderr = self._stderr.decode("utf-8", "replace").encode("utf-8")[-KEEP:].decode("utf-8", "ignore")
        return Verdict(cause, phase, kept, self._progress.states[:STATES], stderr)

    def _evidence(self, error: str) -> Evidence:
        from mpboot.workers.diagnosis import Evidence

        progress = self._progress
        found = Evidence((self._settings.words or ["rsh"])[0], self._order.name)
        found.seconds = monotonic() - self._begin
        found.exit_code, found.exec_error = self._exit_code, error
        found.logged_in = progress.logged_in or self._fed_in
        found.agent, found.blocked = progress.agent, progress.blocked
        found.stderr = (self._said + self._line).decode("utf-8", "replace")
        found.noise = progress.noise.decode("utf-8", "replace")
        return found
