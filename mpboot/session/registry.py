"""Where sessions are: a directory each, its control socket, and the lock by which one is known to live.

The daemon holds the lock for as long as it lives, however it ends: so a session whose daemon has died is seen as such.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpboot.head.report import BootReport

ENDED = "the session has ended"  # why a job is lost that a halt has ended
DEFAULT = "default"  # a session's name, unless it is given one
VARIABLE = "MPBOOT_SESSION"  # --name's variable
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")
_CONTROL, _LOCK, _CRASHED, _RIDE = "control", "lock", ".crashed", "ssh"
MOMENT = 0.5  # seconds in which those have it again
_LONGEST = 100  # bytes of a socket's path: the kernel takes 107


class SessionError(Exception):
    """The error of a session that is not there, or can't be used: a line that says what, and what to do.

    ``code``: the exit code of a command that ends with it; ``report``: of the boot that no session has come of.
    """

    is_for_people = True

    def __init__(self, text: str, code: int = 2, report: BootReport | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.report = report


def check_name(name: str) -> str:
    """The name, or SessionError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        rule = "letters, digits, _ . @ + -, at most 64 and the first none of . @ + -"
        raise SessionError(f"no session can be called {name!r}: give {rule}")
    return name


def base(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of this user's sessions, whether it is there or not."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and os.access(runtime, os.F_OK) and Path(runtime).is_dir():
        return Path(runtime) / "mpboot"
    return Path(f"/tmp/mpboot-{os.getuid()}")


class Place:
    """A session's own directory."""

    def __init__(self, name: str, environ: Mapping[str, str] = os.environ) -> None:
        """SessionError for a name that can't be."""
        self.name = check_name(name)
        self.directory = base(environ) / name
        self.control = self.directory / _CONTROL
        if len(os.fsencode(self.control)) > _LONGEST:
            raise SessionError(f"{self.control} is too long for a socket: set XDG_RUNTIME_DIR to a shorter directory")

    def make(self) -> None:
        """Make the directory, for nobody else to look into. SessionError where another has made it, or may use it."""
        for one in (self.directory.parent, self.directory):
            try:
                one.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                raise SessionError(f"{one}: {error.strerror}: no session can be kept") from None
            _check(one)

    def check_parent(self) -> None:
        """SessionError if the directory of all sessions is there, and another user made it, or may use it."""
        if os.path.lexists(self.directory.parent):
            _check(self.directory.parent)

    def check(self) -> None:
        """SessionError if another user made it, or may use it."""
        for one in (self.directory.parent, self.directory):
            _check(one)

    @property
    def there(self) -> bool:
        """Is there such a directory? SessionError where this user may not even look."""
        return _there(self.directory)

    @property
    def lives(self) -> bool:
        """Does a daemon hold it?"""
        try:
            lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # which others may have who look at the same time
        except OSError as error:
            return error.errno == errno.EWOULDBLOCK
        finally:
            os.close(lock)
        return False

    def claim(self) -> int:
        """Take the name, while the returned descriptor is open; what a dead one has left goes. SessionError."""
        self.make()
        path = self.directory / _LOCK
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise SessionError(f"{path}: {error.strerror}: no session can be kept") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(lock), (self.directory / _LOCK).stat())
        except OSError:
            same = False
        if not same:  # another has it, or has just given it up
            os.close(lock)
            raise SessionError(self.taken())
        for left in self.directory.iterdir():
            if left.name != _LOCK:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        return lock

    def claim_soon(self) -> int:
        """As ``claim``, where others may have it for the moment of a look, or of clearing away. SessionError."""
        end = monotonic() + MOMENT
        while True:
            try:
                return self.claim()
            except SessionError:
                if monotonic() > end:
                    raise
            sleep(MOMENT / 50)

    def holds(self, lock: int) -> bool:
        """Is what ``claim`` returned still this name's lock? Not if the directory was taken away."""
        try:
            return os.path.samestat(os.fstat(lock), (self.directory / _LOCK).stat())
        except OSError:
            return False

    def taken(self) -> str:
        """The error for a client that wants the name of a session that lives."""
        return f"there is a session {self.name} already: mpboot halt --name {self.name} ends it, --name gives another"

    @property
    def ride(self) -> Path:
        """Where the sockets of its hosts are, for ssh; a name that leads to the living daemon's own directory."""
        return self.directory / _RIDE

    def make_ride(self) -> Path:
        """Make that directory; returns the daemon's own. OSError."""
        own = self.directory / f"{_RIDE}.{os.getpid()}"
        own.mkdir(mode=0o700)
        self.ride.unlink(missing_ok=True)  # it leads nowhere, where others have tidied up
        self.ride.symlink_to(own.name)
        return own

    def clear(self) -> None:
        """Take the directory away: the session has ended."""
        shutil.rmtree(self.directory, ignore_errors=True)
        with suppress(OSError):
            self.directory.parent.rmdir()

    @property
    def last_words(self) -> Path:
        """The file in which a daemon that crashed has written why."""
        return self.directory.with_name(self.name + _CRASHED)

    @property
    def has_crashed(self) -> bool:
        """Has the last daemon of this name written why it crashed?"""
        with suppress(OSError):
            return self.last_words.exists()
        return False

    def forget_last_words(self) -> None:
        """Another session has this name now."""
        with suppress(OSError):
            self.last_words.unlink(missing_ok=True)

    def crashed(self, why: str) -> None:
        """Keep what a fault of mpboot's own has to say."""
        with suppress(OSError):
            self.last_words.write_text(why)


def names(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The names of all sessions that live, and of those whose directory is not to be used: to reach one says why.

    What dead ones have left is cleared away. SessionError where the directory of all is not to be used.
    """
    root = base(environ)
    if not _there(root):
        return []
    _check(root)
    found = []
    for one in sorted(root.iterdir()):
        if not _NAME.fullmatch(one.name) or not one.is_dir():
            continue
        place = Place(one.name, environ)
        usable = False
        with suppress(SessionError):
            place.check()
            usable = True
        if place.lives or not usable:
            found.append(one.name)
        else:
            clear_dead(place)
    return found


def _check(directory: Path) -> None:
    try:
        found = directory.lstat()
    except OSError as error:
        raise SessionError(f"{directory}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        why = "is another user's" if found.st_uid != os.getuid() else "can be used by others"
        raise SessionError(f"{directory} {why}: it is not used; take it away, or set XDG_RUNTIME_DIR")


def clear_dead(place: Place) -> None:
    """Take away what a daemon has left that died, unless another has just taken its place."""
    with suppress(SessionError, OSError):
        lock = place.claim()
        place.clear()
        os.close(lock)


def _there(directory: Path) -> bool:
    try:
        return directory.is_dir()
    except OSError as error:
        raise SessionError(f"{directory}: {error.strerror}: set XDG_RUNTIME_DIR to a directory of your own") from None
