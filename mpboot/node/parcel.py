"""psutil for hosts that became parents and have none: packed where it is, checked and kept where it is wanted.

Only asked for when a launch on such a host takes long, see workers/watcher.py.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import zlib
from _blake2 import blake2s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    Files = Tuple[Tuple[str, bytes], ...]

LIMIT = 1 << 22  # bytes of all its files; it has some 600,000


def platform(extension: str = "") -> List[str]:
    """What must be alike for a compiled module to load here: system, processor, C library.

    And the Python, if the module (its file name) is not of the stable kind, which any Python 3 loads.
    """
    try:
        libc = (os.confstr("CS_GNU_LIBC_VERSION") or "other").split()[0]
    except (OSError, ValueError, AttributeError):
        libc = "other"
    python = "any" if "abi3" in extension or not extension else str(sys.implementation.cache_tag)
    return [sys.platform, os.uname().machine, libc, python]


def pack(directory: str) -> Optional[bytes]:
    """The psutil package found in ``directory`` as bytes for ``keep``; None if it can't be read."""
    base = os.path.join(directory, "psutil")
    files = []
    extension = ""
    try:
        for name in sorted(os.listdir(base)):
            if name.endswith((".py", ".so")) and os.path.isfile(os.path.join(base, name)):
                with open(os.path.join(base, name), "rb") as file:
                    files.append((name, file.read()))
                extension = name if name.endswith(".so") else extension
    except OSError:
        return None
    if not extension or sum(len(data) for _, data in files) > LIMIT:
        return None
    return zlib.compress(marshal.dumps((platform(extension), tuple(files)), 2))


def _unpack(packed: bytes) -> Tuple[List[str], Files]:
    """What a packed psutil needs, and its files. ValueError if it is none."""
    try:
        wanted, files = marshal.loads(zlib.decompressobj().decompress(packed, 2 * LIMIT))
        if not all(type(word) is str for word in wanted):
            raise ValueError("no platform")
        for name, data in files:
            if type(data) is not bytes or name != os.path.basename(name) or name in ("", ".", ".."):
                raise ValueError("no file of psutil")
    except (zlib.error, EOFError, TypeError) as error:
        raise ValueError("no psutil") from error
    return list(wanted), files


def digest(packed: bytes) -> str:
    """The name under which a packed psutil is kept. ValueError if it is none."""
    wanted, files = _unpack(packed)
    content = blake2s(" ".join(wanted).encode())  # hashlib would take 4 MB, which any child can make the root take
    for name, data in files:
        content.update(b"%d %s\0" % (len(data), name.encode()) + data)
    return content.hexdigest()


def fits(packed: bytes) -> bool:
    """Can this machine load it? ValueError if it is none."""
    wanted, _ = _unpack(packed)
    return wanted in (platform(), platform("cpython"))


def cached() -> List[str]:
    """The digests that are kept here."""
    if others_write():
        return []
    try:
        return sorted(name for name in os.listdir(_cache()) if _is_digest(name))
    except OSError:
        return []


def keep(packed: bytes) -> Optional[str]:
    """Unpack it, unless that was done before; the directory for sys.path, or None where it can't be kept.

    It lies in the user's own cache, under its own hash, where nobody else can read or write, and is compared as a whole
    before it is used: what was tampered with is replaced.
    """
    _, files = _unpack(packed)
    if others_write():
        return None
    base = os.path.join(_cache(), digest(packed))
    if _holds(base, files):
        return base
    fresh = "%s.%d" % (base, os.getpid())
    try:
        _make_cache()
        for directory in (fresh, os.path.join(fresh, "psutil")):
            _make(directory)
        for name, data in files:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(os.path.join(fresh, "psutil", os.path.basename(name)), flags, 0o600)
            with open(fd, "wb") as file:
                os.fchmod(fd, 0o600)  # whatever the umask took away
                file.write(data)
        if os.path.lexists(base) and not _holds(base, files):
            _remove(base)
        os.rename(fresh, base)
    except OSError:
        _remove(fresh)  # another parent of this user was quicker, or there is no room
    return base if _holds(base, files) else None


def kept(name: str) -> Optional[str]:
    """The directory of the psutil kept under this digest, if it is still what the digest says."""
    if not _is_digest(name) or others_write():
        return None
    base = os.path.join(_cache(), name)
    packed = pack(base)
    return keep(packed) if packed is not None and digest(packed) == name else None


def _is_digest(name: str) -> bool:
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def _cache() -> str:
    return os.path.join(_home(), "mpboot", "psutil")


def _home() -> str:
    return os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")


def others_write() -> str:
    """The directory to which others can write, among those that the cache is in, or an empty string.

    They could put another cache in the place of one that has just been looked at.
    """
    path = os.path.realpath(_home())
    while True:
        try:
            status = os.stat(path)
            open_to = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
            if open_to or status.st_uid not in (0, os.geteuid()):
                return path
        except FileNotFoundError:
            pass  # it will be ours
        except OSError:
            return path
        if path == os.path.dirname(path):
            return ""
        path = os.path.dirname(path)


def _make_cache() -> None:
    """Make the directories of the cache, or see that they are nobody else's. OSError."""
    os.makedirs(os.path.dirname(os.path.realpath(_home())), exist_ok=True)
    if not os.path.isdir(_home()):
        _make(os.path.realpath(_home()))
    for directory in (os.path.join(_home(), "mpboot"), _cache()):
        try:
            _make(directory)
        except FileExistsError:
            if not _is_own(directory):
                raise PermissionError(directory) from None


def _make(directory: str) -> None:
    os.mkdir(directory, 0o700)
    os.chmod(directory, 0o700)  # whatever the umask


def _remove(path: str) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                _remove(os.path.join(path, name))
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError:
        return  # it is not there, or another user's


def _is_own(directory: str, open_to: int = 0o022) -> bool:
    """Is this a directory, no link to one, of this user's, which nobody else can write to (``open_to``: or use)?"""
    status = os.lstat(directory)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & open_to


def _holds(base: str, files: Files) -> bool:
    """Is exactly this there, and nothing beside it?"""
    inside = os.path.join(base, "psutil")
    try:
        if not all(_is_own(directory) for directory in (os.path.dirname(base), os.path.dirname(os.path.dirname(base)))):
            return False
        if not _is_own(base, 0o077) or not _is_own(inside, 0o077):
            return False
        if os.listdir(base) != ["psutil"] or set(os.listdir(inside)) != dict(files).keys():
            return False
        for name, data in files:
            with open(os.open(os.path.join(inside, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022 or status.st_uid != os.geteuid():
                    return False
                if file.read(LIMIT + 1) != data:
                    return False
    except OSError:
        return False
    return True
