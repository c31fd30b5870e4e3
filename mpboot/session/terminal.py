"""A user's terminal: its size and modes, as they are sent to a host."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from pathlib import Path
from typing import TYPE_CHECKING

from mpboot.net.login import KEYS, SWITCHES

if TYPE_CHECKING:
    from mpboot.net.login import Size

_AT = {"iflag": 0, "oflag": 1, "lflag": 3}  # in what tcgetattr returns
_CC = 6
_SHAPE = struct.Struct("4H")


def size(fd: int) -> Size:
    """Rows, columns, and both in pixels; zeros where it is no terminal."""
    try:
        rows, columns, x, y = _SHAPE.unpack(fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(_SHAPE.size)))
    except OSError:
        return 0, 0, 0, 0
    return rows, columns, x, y


def is_in_background(fd: int, pid: int) -> bool:
    """Would the kernel let this process read that terminal only later, since another job is in the foreground there?"""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        group, _, number, foreground = map(int, fields[2:6])
        device = os.fstat(fd).st_rdev
    except (OSError, ValueError):
        return False
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    return foreground > 0 and group != foreground and device in (os.makedev(major, minor), os.makedev(5, 0))


def modes(fd: int) -> list[str]:
    """Its modes by name, as in ``ECHO=1`` or ``VERASE=127``; none where it is no terminal."""
    if not os.isatty(fd):
        return []
    try:
        found = termios.tcgetattr(fd)
    except termios.error:
        return []
    switches = [
        f"{name}={int(bool(found[_AT[kind]] & getattr(termios, name)))}"
        for kind, names in SWITCHES for name in names if hasattr(termios, name)
    ]  # fmt: skip
    keys = [f"{name}={ord(found[_CC][getattr(termios, name)])}" for name in KEYS if hasattr(termios, name)]
    return switches + keys
