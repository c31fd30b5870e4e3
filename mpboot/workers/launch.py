"""One launch, from exec to verdict, inside a worker: feeds rsh, follows what the host says, names the cause."""

from __future__ import annotations

import errno
import os
import posix
from time import monotonic

from mpboot.net import surroundings
from mpboot.net.work import STATES, Started, Verdict
from mpboot.tree import causes
from mpboot.workers import commandline
from mpboot.workers.commandline import SSH_FAILED
from mpboot.workers.family import start_of
from mpboot.workers.rsh import Cancelled, RelayEnded, Rsh
from mpboot.workers.settings import BACKUP, payload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional

    from mpboot.net.work import LaunchOrder, LaunchSettings, States
    from mpboot.workers.diagnosis import Evidence
    from mpboot.workers.rsh import Interrupts

KEEP = 1200  # bytes kept of stderr, and of the noise before the marker: a verdict stays below PIPE_BUF
LINE = 1 << 16  # bytes that a line with the marker may have
VERBOSE = (b"debug1: ", b"debug2: ", b"debug3: ")  # what begins so on stderr is a verbose ssh's
LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # errors that are no fault of rsh's
LINGER = 5.0  # seconds that rsh may stay after the agent has let go of it
# What a host says after the marker.
SHELL, PYTHON, EATEN, AGENT, TCP, STDIO, BLOCKED = "shell", "python", "eaten", "agent", "tcp", "stdio", "blocked"
CONNECTED = (TCP, STDIO)
ECHOED, SHELL_NAME = b"what was sent to the agent, printed", 64  # characters of a login shell's path that are kept


class NoRsh(Exception):
    """The rsh command can't be started."""


class NoRoom(Exception):
    """This machine can't carry another process now."""

    def __init__(self, error: int) -> None:
        super().__init__(os.strerror(error))
        self.errno = error


class Signs:
    """How far a launch has come, by what its host says on rsh's stdout after the marker.

    ``noise`` is the end of what was said without it, ``rest`` what follows the last line with it.
    """

    def __init__(self, marker: str) -> None:
        self._marker = marker.encode()
        self.states: States = []
        self.state, self.since = "", 0.0  # what came last from the host; when the last state began
        self.logged_in = self.python = self.eaten = self.agent = False
        self.shell = ""  # the login shell's path
        self.blocked = ""  # what the agent said of its ways back
        self.noise = bytearray()
        self.rest = bytearray()
        self._echoed = False

    @property
    def connected(self) -> bool:
        """Is there a way between the agent and its parent?"""
        return self.state in CONNECTED

    def note(self, state: str) -> None:
        """Keep a state and its time; of what a host says without end no more than there are."""
        self.since = monotonic()
        if len(self.states) < STATES:
            self.states.append((state, self.since))

    def take(self, data: bytes) -> None:
        """Read on. Nothing counts after a way has been found: with ``stdio``, what follows is the agent's frames."""
        self.rest += data
        while not self.connected:
            start = self.rest.find(self._marker)
            end = self.rest.find(b"\n", start) if start >= 0 else -1
            if end < 0:
                if start < 0 or len(self.rest) - start > LINE:
                    self._skip(len(self.rest) - len(self._marker))  # of which the last may be the marker's beginning
                return
            word, _, rest = self.rest[start + len(self._marker) + 1 : end].decode("utf-8", "replace").partition(" ")
            self._skip(start)
            del self.rest[: end + 1 - start]
            word, _, shell = word.partition("=")
            # Other words, and "$": a shell has echoed its command line.
            if word in (SHELL, PYTHON, EATEN, AGENT, TCP, STDIO, BLOCKED) and "$" not in shell:
                self._heard(word, shell[:SHELL_NAME] if word == SHELL else rest)
            elif word == EATEN + ";" and not self._echoed:  # what was sent comes back, the agent's key too
                self._echoed = True
                self.noise[:] = ECHOED

    def said(self) -> str:
        """The end of all that was said without the marker."""
        rest = b"" if self.connected or self._echoed else self.rest
        return (self.noise + rest)[-KEEP:].decode("utf-8", "replace")

    def _skip(self, size: int) -> None:
        """So much of what has come is noise."""
        if size > 0:
            if not self._echoed:
                self.noise += self.rest[:size]
                del self.noise[:-KEEP]
            del self.rest[:size]

    def _heard(self, word: str, rest: str) -> None:
        self.state = word
        self.note(word + ("=" + rest if word == SHELL and rest else ""))
        if word == SHELL:
            self.logged_in = True
            self.shell = rest
        elif word == PYTHON:
            self.python = True
        elif word == EATEN:
            self.eaten = True
        else:
            self.agent = True
            self.blocked = rest


class RshLaunch:
    """Carries one launch; ``say(Started)`` tells the parent of each rsh."""

    def __init__(
        self, settings: LaunchSettings, order: LaunchOrder, interrupts: Interrupts, say: Callable[[Started], None]
    ) -> None:
        self._settings, self._order = settings, order
        self._interrupts = interrupts
        self._say = say
        self._python = order.python or settings.python
        self._begin, self._marker = monotonic(), "MPBOOT-" + os.urandom(8).hex()
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
        except RelayEnded as ended:  # nobody asks why where the agent had been up
            self._end()
            return self._verdict(*ended.args)
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
        # What runs here is no login: it has the environment that its user has.
        probe = settings.shell_probe if settings.rsh != commandline.LOCAL else commandline.NONE
        shell = self._ask_shell() if probe == commandline.SEPARATE else None
        if shell is None and probe == commandline.SEPARATE:
            return  # how that ended will tell why
        self._exit_code = self._launch(probe, shell)
        if probe != commandline.NONE and self._login_ended() and self._rsh is not None:
            self._progress.note("its login files ended the shell (code %d)" % self._exit_code)
            self._rsh.close()
            self._exit_code = self._launch(commandline.NONE, None)
        if self._rsh is not None and self._rsh.held and not self._progress.connected:
            self._end()  # what it left behind waits for nothing that could come

    def _launch(self, probe: str, shell: Optional[str]) -> int:
        command = commandline.remote_command(probe, shell, self._marker, self._python)
        return self._follow(command, payload(self._settings, self._order, self._marker))

    def _login_ended(self) -> bool:
        """Did the login shell end before its files had been read? By an exit in them, or since it knows no -l."""
        code, ssh = self._exit_code, commandline.is_ssh(self._settings.rsh)
        return self._progress.state == SHELL and code is not None and code >= 0 and not (ssh and code == SSH_FAILED)

    def _ask_shell(self) -> Optional[str]:
        """The login shell, by an rsh of its own; None if there is no answer."""
        self._exit_code = self._follow(commandline.PROBE, b"")
        paths = [word for word in self._progress.said().split() if word.startswith("/")]
        if self._exit_code or not paths or self._rsh is None:
            return None
        self._rsh.close()
        self._exit_code = None
        self._progress.noise.clear()
        self._progress.rest.clear()
        return paths[-1]

    def _follow(self, command: str, fed: bytes) -> int:
        """Start an rsh, feed it, follow it to its end; its exit code."""
        order, settings = self._order, self._settings
        cheap = settings.cheap
        if cheap and settings.offered:
            from mpboot.workers.kex import cheap_for

            cheap = cheap_for(settings, order)
        argv = commandline.rsh_argv(
            settings.rsh, order.name, order.user, order.port, settings.timeout, command,
            [*settings.ssh_options, *commandline.address_option(order.address), *cheap], settings.words,
        )  # fmt: skip
        environment = surroundings.environment(posix.environ)
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

    def _limit(self) -> Optional[float]:
        """The monotonic time at which rsh has had long enough, or None."""
        state = self._progress.state
        if state == STDIO or (state == TCP and self._settings.attach):
            return None  # rsh lives as long as its agent; the parent ends both
        if state == TCP:
            return self._progress.since + LINGER
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

                rsh.hand_over(Relay(rsh.stdin, rsh.stdout, self._settings.port, bytes(progress.rest), self._order.key))

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
        return Verdict(cause, phase, kept, self._progress.states[:STATES], self._printed(bool(cause)))

    def _printed(self, failed: bool) -> str:
        """The end of what rsh wrote: of stdout, if the launch ``failed``, then of stderr. Neither hides the other."""
        out = self._progress.said().strip().encode("utf-8") if failed else b""
        err = self._stderr.decode("utf-8", "replace").encode("utf-8")
        err = err[-max(KEEP // 2, KEEP - len(out) - 1) :]
        if out:
            out = out[-(KEEP - len(err) - 1) :] + b"\n"
        return out.decode("utf-8", "ignore") + err.decode("utf-8", "ignore")

    def _evidence(self, error: str) -> Evidence:
        from mpboot.workers.diagnosis import Evidence

        progress = self._progress
        found = Evidence((self._settings.words or ["rsh"])[0], self._order.name)
        found.seconds = monotonic() - self._begin
        found.exit_code, found.exec_error = self._exit_code, error
        found.logged_in = progress.logged_in or self._fed_in
        found.shell, found.python, found.python_began = progress.shell, self._python, progress.python
        found.eaten, found.agent, found.blocked = progress.eaten, progress.agent, progress.blocked
        found.stderr = (self._said + self._line).decode("utf-8", "replace")
        found.noise = progress.said()
        return found
