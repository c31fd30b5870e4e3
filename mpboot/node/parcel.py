"""psutil for hosts that became parents and have none: packed where it is, checked and kept where it is wanted.

Only asked for when a launch on such a host takes long, see workers/watcher.py.
"""

from __future__ import annotations

import marshal
import os
import shutil
import sys
import zlib

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


def digest(packed: bytes) -> str:
    """The name under which a packed psutil is kept."""
    import hashlib  # 4 ms, which few parents ever need

    wanted, files = marshal.loads(zlib.decompress(packed))
    content = hashlib.sha256(" ".join(wanted).encode())
    for name, data in files:
        content.update(b"%d %s\0" % (len(data), name.encode()) + data)
    return content.hexdigest()


def fits(packed: bytes) -> bool:
    """Can this machine load it?"""
    wanted = marshal.loads(zlib.decompress(packed))[0]
    return wanted in (platform(), platform("cpython"))


def cached() -> List[str]:
    """The digests that are kept here."""
    try:
        return sorted(os.listdir(_cache()))
    except OSError:
        return []


def keep(packed: bytes) -> Optional[str]:
    """Unpack it, unless that was done before; the directory for sys.path, or None where it can't be kept.

    It lies in the user's own cache, under its own hash, readable by nobody else, and is compared byte by byte
    before it is used: what was tampered with is replaced.
    """
    files = marshal.loads(zlib.decompress(packed))[1]
    base = os.path.join(_cache(), digest(packed))
    if _holds(base, files):
        return base
    fresh = "%s.%d" % (base, os.getpid())
    try:
        os.makedirs(_cache(), mode=0o700, exist_ok=True)
        for directory in (fresh, os.path.join(fresh, "psutil")):
            os.mkdir(directory, 0o700)
        for name, data in files:
            with open(os.path.join(fresh, "psutil", os.path.basename(name)), "wb") as file:
                file.write(data)
        if os.path.isdir(base) and not _holds(base, files):
            shutil.rmtree(base, ignore_errors=True)
        os.rename(fresh, base)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)  # another parent of this user was quicker, or there is no room
    return base if _holds(base, files) else None


def kept(name: str) -> Optional[str]:
    """The directory of the psutil kept under this digest, if it is still what the digest says."""
    base = os.path.join(_cache(), name)
    packed = pack(base)
    return keep(packed) if packed is not None and digest(packed) == name else None


def _cache() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "mpboot", "psutil")


def _holds(base: str, files: Files) -> bool:
    try:
        for directory in (base, os.path.join(base, "psutil")):
            status = os.lstat(directory)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                return False
        if {name for name in os.listdir(os.path.join(base, "psutil")) if name != "__pycache__"} != dict(files).keys():
            return False
        for name, data in files:
            with open(os.path.join(base, "psutil", name), "rb") as file:
                if file.read() != data:
                    return False
    except OSError:
        return False
    return True
