"""Can the kernel open a program without waiting for another machine? Judged by what is mounted, and by links. Pure.

It opens the program, and the loader that the program names.
"""

from __future__ import annotations

from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, FrozenSet, Optional

# Of file systems whose files are on a disk of this machine, or in its memory; not overlay: below it may be any other.
LOCAL = frozenset(b"ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs tmpfs ramfs rootfs squashfs erofs iso9660".split())
FAR = (b"/dev/loop", b"/dev/nbd", b"/dev/rbd", b"/dev/drbd")  # devices whose bytes may be elsewhere all the same
ESCAPED = ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\"))  # in mountinfo
ALL = frozenset((b"/",))
MOST_LINKS = 20
HEAD = 1 << 12  # bytes of a program that are looked at
ELF, CLASS_64 = b"\x7fELF", 2
MACHINES = {"x86_64": 62, "aarch64": 183, "ppc64le": 21, "s390x": 22, "riscv64": 243}  # by uname, as ELF has them
_LOADER = 3  # PT_INTERP


def elsewhere(mountinfo: bytes) -> FrozenSet[bytes]:
    """Where something is mounted that may be on another machine, of what /proc/self/mountinfo says.

    ALL where that makes no sense, or does not say what is mounted at /, as below a chroot.
    """
    found, root = set(), False
    for line in mountinfo.split(b"\n")[:-1]:
        head, _, tail = line.partition(b" - ")
        fields, about = head.split(b" "), tail.split(b" ")
        if len(fields) < 6 or len(about) < 2:
            return ALL
        point = fields[4]
        root = root or point == b"/"
        if about[0] not in LOCAL or about[1].startswith(FAR):
            for code, byte in ESCAPED:
                point = point.replace(code, byte)
            found.add(point)
    return frozenset(found) if root else ALL


def is_here(path: bytes, elsewhere: FrozenSet[bytes], link: Callable[[bytes], Optional[bytes]]) -> bool:
    """Does nothing on the way to an absolute path lie elsewhere? ``link(path)``: what a link says; None: it is none."""
    left, at, links = path.split(b"/")[::-1], b"", 0
    if path[:1] != b"/" or b"\0" in path or b"/" in elsewhere:
        return False
    while left:
        part = left.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            at = at.rpartition(b"/")[0]
            continue
        at += b"/" + part
        if at in elsewhere:
            return False
        target = link(at)
        if target is not None:
            links += 1
            if links > MOST_LINKS:
                return False
            left += target.split(b"/")[::-1]
            at = b"" if target[:1] == b"/" else at.rpartition(b"/")[0]
    return True


def loader_of(head: bytes, machine: str) -> Optional[bytes]:
    """The loader that a program names, by its first HEAD bytes; b"" where it needs none, None where nobody can tell.

    ``machine``: as uname has it. There may be an emulator for the programs of another, which the kernel would open.
    """
    order = 1 if byteorder == "little" else 2
    if len(head) < 64 or head[:6] != ELF + bytes((CLASS_64, order)) or machine not in MACHINES:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], byteorder)

    if number(18, 2) != MACHINES[machine]:
        return None
    begin, size, count = number(32, 8), number(54, 2), number(56, 2)
    if size < 56 or begin + size * count > len(head):
        return None
    for at in range(begin, begin + size * count, size):
        if number(at, 4) == _LOADER:
            name = number(at + 8, 8)
            end = name + number(at + 32, 8)
            return head[name:end].partition(b"\0")[0] if name < end <= len(head) and not head[end - 1] else None
    return b""
