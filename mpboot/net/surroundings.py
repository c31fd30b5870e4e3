"""The environment that a process of ours was started with: what it starts itself is to have that, and no more."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Mapping

COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")  # what Python makes of LC_CTYPE where there is no locale (PEP 538)


def environment(given: Mapping[bytes, bytes]) -> Dict[bytes, bytes]:
    """``given`` without the LC_CTYPE that Python itself has put there, which ssh might even send on."""
    kept = dict(given)
    if kept.get(b"LC_CTYPE") in COERCED and not _came_with(b"LC_CTYPE"):
        del kept[b"LC_CTYPE"]
    return kept


def _came_with(name: bytes) -> bool:
    """Was there such a variable when this program began? What it changes itself is not seen there."""
    try:
        with open("/proc/self/environ", "rb") as file:
            return (b"\0" + name + b"=") in b"\0" + file.read()
    except OSError:
        return True  # nobody can tell, so it stays
