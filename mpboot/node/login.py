"""A command as sshd runs it: by the user's login shell, in the home directory, with a terminal if one is asked for."""

from __future__ import annotations

import posix

from mpboot.net.login import CONNECT, FORCED, FREE, KEYS, NO_TERMINAL, RECEIVE, SEND, SHELL, SUBSYSTEM, SWITCHES
from mpboot.node import sshdconfig
from mpboot.node.program import SHELL as PLAIN_SHELL
from mpboot.node.program import NotRun, Program, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, NoReturn, Sequence, Tuple

    from mpboot.net.login import Login, Size
    from mpboot.node.guard import Guard

ACCEPTED = ("LANG", "LC_*")  # variables that are taken where the host's own rule can't be read
SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server", "/usr/lib64/misc/sftp-server",
)  # fmt: skip
SSH_PORT = 22
NO_CODE = 255


def about() -> str:
    """Who and where the agent is: its user, sshd's port, and in what sshd does not let its logins have their way."""
    connection = posix.environ.get(b"SSH_CONNECTION", b"").split()
    port = connection[3].decode("ascii", "replace") if len(connection) == 4 else "%d" % SSH_PORT
    user = _user()
    if b"SSH_ORIGINAL_COMMAND" in posix.environ:
        way = FORCED
    elif b"SSH_CONNECTION" in posix.environ and not sshdconfig.permits_terminal(sshdconfig.read(user)):
        way = NO_TERMINAL
    else:
        way = FREE
    return "%s %s %s" % (user, port, way)


def _user() -> str:
    """Our uid's name. No name service is asked, since one may hang: who is in no file was named by the login."""
    uid = b"%d" % posix.getuid()
    try:
        with open("/etc/passwd", "rb") as file:
            for line in file:
                fields = line.split(b":")
                if len(fields) > 3 and fields[2] == uid:
                    return fields[0].decode("utf-8", "replace")
    except OSError:
        pass  # the login knows
    name = posix.environ.get(b"LOGNAME") or posix.environ.get(b"USER") or uid
    return name.decode("utf-8", "replace")


class LoginProgram(Program):
    """What a login runs. ``variables``: those that ssh has sent."""

    def __init__(
        self, login: Login, variables: Sequence[Tuple[str, str]], host: str, ignored: Sequence[int], cwd: str = ""
    ) -> None:
        super().__init__([login.what or login.kind], (), host, ignored, cwd)
        self._login = login
        self._sent = variables
        self._label = host
        self.is_patient = not login.term  # as sshd is: a terminal ends with its login

    def open_terminal(self) -> None:
        """Get it a terminal. OSError."""
        self.terminal = posix.openpty()
        posix.set_blocking(self.terminal[0], False)

    def start(self, guard: Guard, stdin: int) -> Tuple[int, int, int]:
        """As Program does; with a terminal that is stdin, stdout and stderr, and -1 stands for what is not there."""
        ours, theirs = self.terminal
        if ours < 0:
            return super().start(guard, stdin)
        return self._fork(guard, (theirs, theirs, theirs)), ours, -1

    def code_of(self, status: int, exited: bool) -> int:
        """Who was ended by a signal has no code with ssh."""
        return status if exited else NO_CODE

    # -- in the new process ------------------------------------------------------------------------

    def _go(self, variables: Dict[bytes, bytes]) -> NoReturn:
        import pwd  # it may ask a name service: here that holds up nobody else

        login = self._login
        if login.kind == CONNECT:
            from mpboot.node.connect import connect

            connect(*login.what.rsplit(" ", 1))
        try:
            _, _, _, _, _, home, shell = pwd.getpwuid(posix.getuid())
        except KeyError:
            home, shell = "/", ""
        path = encoded(shell) or PLAIN_SHELL
        variables[b"SHELL"] = path
        variables.setdefault(b"HOME", encoded(home))
        # Reading it takes a while.
        config = sshdconfig.read(_user()) if self._sent or login.kind == SUBSYSTEM else {}
        accepted = [word for words in config.get("acceptenv", ()) for word in words] if config else ACCEPTED
        for name, value in self._sent:
            if sshdconfig.accepts(accepted, name) and not sshdconfig.is_set(config, name):
                variables[encoded(name)] = encoded(value)
        variables.pop(b"SSH_TTY", None)
        variables.pop(b"TERM", None)
        if self.terminal[0] >= 0:
            variables[b"SSH_TTY"] = posix.ttyname(0).encode()
            variables[b"TERM"] = encoded(login.term)
            _take_terminal(login)
        try:
            posix.chdir(self._cwd or home)
        except OSError as error:
            posix.write(2, encoded("Could not chdir to home directory %s: %s\n" % (home, error.strerror)))
            posix.chdir("/")
        if login.kind in (RECEIVE, SEND):
            _move_files(login.kind, self._label)
        called = path.rpartition(b"/")[2]
        command = encoded(login.what)
        words: List[bytes] = []
        if login.kind == SUBSYSTEM:
            try:
                command, words = _subsystem(login.what, config.get("subsystem", ()))
            except NotRun as error:
                posix.write(2, encoded("mpboot: %s\n" % error))
                posix._exit(NO_CODE)  # as ssh ends where sshd refuses it
        if words:
            path = words[0]
        else:
            words = [b"-" + called] if login.kind == SHELL else [called, b"-c", command]
        try:
            posix.execve(path, words, variables)
        except OSError as error:
            raise NotRun("the login shell %s: %s" % (shell, error.strerror)) from None


def _move_files(kind: str, label: str) -> NoReturn:
    """Receive or send files: the code for that comes first on standard input, behind its length (4 bytes)."""
    import sys

    size, bundle = int.from_bytes(posix.read(0, 4), "big"), bytearray()
    while len(bundle) < size:
        data = posix.read(0, size - len(bundle))
        if not data:
            posix._exit(1)
        bundle += data
    store: Any = next(one for one in sys.meta_path if hasattr(one, "bundles"))
    store.add(bytes(bundle))
    if kind == SEND:
        from mpboot.node.send import send

        send()
    from mpboot.node.receive import receive

    receive(label)


def resize(terminal: int, size: Size) -> None:
    """A terminal has another size: its programs get SIGWINCH."""
    import fcntl
    import termios
    from sys import byteorder

    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, b"".join(side.to_bytes(2, byteorder) for side in size))
    except OSError:
        pass  # nobody has it any more


def _take_terminal(login: Login) -> None:
    """Make the terminal at 0 that of this process's session, with the modes and the size that the user's has."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    settings = login.settings
    found = termios.tcgetattr(0)
    for at, (_, names) in zip((0, 1, 3), SWITCHES):
        for name in names:
            bit = getattr(termios, name, 0)
            if name in settings:
                found[at] = found[at] | bit if settings[name] else found[at] & ~bit
    for name in KEYS:
        key = getattr(termios, name, None)
        if name in settings and key is not None:
            found[6][key] = bytes((min(settings[name], 255),))
    termios.tcsetattr(0, termios.TCSANOW, found)
    resize(0, login.size)


def _subsystem(name: str, configured: Sequence[List[str]]) -> Tuple[bytes, List[bytes]]:
    """The command of a subsystem, for the login shell; or the words of one that runs without it.

    ``configured``: the lines of sshd's configuration that tell of subsystems.
    """
    given = [words[1:] for words in configured if words[:1] == [name] and words[1:]]
    program, options = (given[0][0], given[0][1:]) if given else ("", [])
    if given and program != "internal-sftp":
        return encoded(" ".join(given[0])), []
    if name == "sftp" or given:
        for path in SFTP_SERVERS:
            try:
                posix.stat(path)
            except OSError:
                continue
            return b"", [encoded(word) for word in (path, *options)]  # those of internal-sftp are the same
    raise NotRun("subsystem %s: sshd's configuration names no program for it, nor is OpenSSH's there" % name)
