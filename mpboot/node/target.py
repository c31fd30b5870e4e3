"""Where each file of a plan goes: by cp's rules, never through a link, never in the place of what is no file."""

from __future__ import annotations

import errno
import posix
from _stat import S_ISDIR, S_ISLNK, S_ISREG

from mpboot.net.files import DIRECTORY, NO_SPACE, NOT_FOUND, PERMISSION, UNSUPPORTED, Entry, Plan
from mpboot.node.program import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple, Union

CAUSES = {
    errno.ENOSPC: NO_SPACE, errno.EDQUOT: NO_SPACE, errno.EFBIG: NO_SPACE, errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION, errno.EROFS: PERMISSION, errno.ENOENT: NOT_FOUND,
}  # fmt: skip


class Refused(Exception):
    """It can't be put there: a cause, and why."""


def cause_of(error: Union[OSError, Refused]) -> Tuple[str, str]:
    """A cause of files.CAUSES, and a line about it."""
    if isinstance(error, Refused):
        return error.args[0], error.args[1]
    name = error.filename
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    why = error.strerror or str(error)
    return CAUSES.get(error.errno or 0, UNSUPPORTED), "%s: %s" % (name, why) if name else why


def status(path: str, follow: bool = False) -> Optional[posix.stat_result]:
    """What is there; None: nothing. OSError."""
    try:
        return posix.stat(encoded(path)) if follow else posix.lstat(encoded(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def from_home(path: str) -> str:
    """A path as a shell has it: ``~`` is the home directory, which we are in, ``~user`` that of another. Refused."""
    import pwd

    if path[:1] == "~":
        user, slash, rest = path[1:].partition("/")
        if user:
            try:
                return pwd.getpwnam(user).pw_dir + slash + rest
            except KeyError:
                raise Refused(NOT_FOUND, "~%s: there is no such user" % user) from None
        path = rest.lstrip("/") or "."
    if path[:1] != "/" and posix.getcwd() == "/":
        try:
            home = pwd.getpwuid(posix.getuid()).pw_dir
        except KeyError:
            home = "/"
        if home != "/":  # a login goes on from / then: not with what was meant for home
            raise Refused(NOT_FOUND, "the home directory %s is not there" % home)
    return path


class Target:
    """Where the entries of a plan go. OSError, Refused."""

    def __init__(self, plan: Plan) -> None:
        dest = from_home(plan.dest)
        self._base: Optional[str] = None  # what all goes into; None: the one source gets the destination's own name
        found = status(dest, follow=True)
        if found is not None and S_ISDIR(found.st_mode):
            self._base = "" if not dest.rstrip("/") else dest.rstrip("/")
            return
        makes = not plan.many and bool(plan.entries) and plan.entries[0].kind == DIRECTORY
        if plan.many or (dest.endswith("/") and not makes):
            raise Refused(NOT_FOUND, "%s is no directory" % dest)
        self._dest = dest.rstrip("/")
        parent = status(self._dest.rpartition("/")[0] or ("/" if dest.startswith("/") else "."), follow=True)
        if parent is None or not S_ISDIR(parent.st_mode):
            raise Refused(NOT_FOUND, "%s: the directory that it would be in is not there" % dest)

    def of(self, entry: Entry) -> str:
        """The path of an entry."""
        if self._base is not None:
            return "%s/%s" % (self._base, entry.path)
        return self._dest + entry.path[len(entry.path.partition("/")[0]) :]

    def check_way(self, entry: Entry) -> None:
        """Nothing is written through a link below the destination. Refused."""
        parts = entry.path.split("/")[:-1]
        way = self._base
        if way is None:
            way, parts = self._dest, parts[1:]
            if parts or "/" in entry.path:
                _no_link(way)
        for part in parts:
            way = "%s/%s" % (way, part)
            _no_link(way)

    def look(self, entry: Entry) -> Optional[posix.stat_result]:
        """What is in its place; Refused for what would have to go for it."""
        target = self.of(entry)
        found = status(target)
        if found is None:
            return None
        if entry.kind == DIRECTORY:
            _no_link(target, found)
            if not S_ISDIR(found.st_mode):
                raise Refused(UNSUPPORTED, "%s is there and no directory" % target)
        elif S_ISDIR(found.st_mode):
            raise Refused(UNSUPPORTED, "%s is a directory: no file takes its place" % target)
        elif not S_ISREG(found.st_mode) and not S_ISLNK(found.st_mode):
            raise Refused(UNSUPPORTED, "%s is no ordinary file: nothing takes its place" % target)
        return found


def _no_link(path: str, found: Optional[posix.stat_result] = None) -> None:
    found = found or status(path)
    if found is not None and S_ISLNK(found.st_mode):
        raise Refused(UNSUPPORTED, "%s is a link: nothing is written through it" % path)
