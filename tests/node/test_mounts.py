"""Where programs are: what is mounted from elsewhere, where links lead, which loader a program names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.node import mounts
from mpboot.node.mounts import ALL, elsewhere, is_here, loader_of

MOUNTED = b"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 0:25 / /tmp ro shared:12 master:3 - tmpfs none ro,size=4k
29 27 0:40 / /net/a\\040b rw - nfs4 server:/a rw
30 27 0:41 / /auto rw - autofs systemd-1 rw
31 27 0:42 / /mnt/\\134x rw - fuse.sshfs u@h:/ rw
32 27 0:43 / /over rw - overlay overlay rw,lowerdir=/net/x
33 27 7:1 / /image ro - squashfs /dev/loop1 ro
"""


class TestWhatIsElsewhere:
    def test_is_told_by_the_kinds_of_file_systems(self) -> None:
        assert elsewhere(MOUNTED) == {b"/proc", b"/net/a b", b"/auto", b"/mnt/\\x", b"/over", b"/image"}

    @pytest.mark.parametrize(("path", "here"), [
        (b"/bin/true", True), (b"/usr/../bin/./true", True), (b"/net/a b/true", False), (b"/net/a b", False),
        (b"/net/a/true", True), (b"/auto/x/..", False), (b"/a\0b", False), (b"true", False), (b"./true", False),
        (b"", False),
        (b"/", True), (b"/link/true", False), (b"/far", False), (b"/up/x", True), (b"/loop", False),
        (b"/usr/rel", False),
    ])  # fmt: skip
    def test_no_way_leads_there(self, path: bytes, here: bool) -> None:
        links = {
            b"/link": b"/auto/bin",
            b"/far": b"link",
            b"/up": b"usr/..",
            b"/loop": b"/loop",
            b"/usr/rel": b"../auto",
        }
        assert is_here(path, frozenset((b"/auto", b"/net/a b")), links.get) is here

    def test_on_a_machine_without_disks_all_is(self) -> None:
        assert not is_here(b"/bin/true", frozenset((b"/",)), lambda _: None)

    @given(st.data())
    def test_whatever_links_there_are(self, data: st.DataObject) -> None:
        """Where they lead is walked here in another way: by replacing the first link as long as there is one."""
        names = st.sampled_from([b"a", b"b", b"c"])
        path = st.lists(names, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts))
        links = data.draw(st.dictionaries(path, path, max_size=4))
        asked, far = data.draw(path), frozenset(data.draw(st.sets(path, max_size=3)))
        at, seen, passes = asked, 0, False
        while seen <= mounts.MOST_LINKS and not passes:
            parts = at.split(b"/")[1:]
            befores = [b"/" + b"/".join(parts[: count + 1]) for count in range(len(parts))]
            first = next((one for one in befores if one in links or one in far), None)
            if first is None:
                break
            passes = first in far
            at, seen = links.get(first, b"") + at[len(first) :], seen + 1
        assert is_here(asked, far, links.get) is not (passes or seen > mounts.MOST_LINKS)

    @pytest.mark.parametrize("mountinfo", [
        b"", b"nonsense\n", b"22 27 0:21 / /x rw - ext4 a\n", MOUNTED.replace(b"ext4", b"nfs"),
        MOUNTED + b"40 27 0:9 / / rw - nfs4 server:/root rw\n", MOUNTED + b"40 27 0:9 / /x\n", MOUNTED + b"a - b\n",
    ])  # fmt: skip
    def test_where_that_can_not_be_told_all_is(self, mountinfo: bytes) -> None:
        assert not is_here(b"/bin/true", elsewhere(mountinfo), lambda _: None)

    def test_no_name_of_a_mount_misleads(self) -> None:
        more = MOUNTED + b"40 27 0:9 / /a\rb\x0bc\x85 rw - nfs4 server:/a rw\n"
        assert b"/a\rb\x0bc\x85" in elsewhere(more)

    @given(st.binary(max_size=200))
    def test_nonsense_is_no_error(self, mountinfo: bytes) -> None:
        assert elsewhere(mountinfo) == ALL or b" / " in mountinfo

    def test_that_of_this_machine(self) -> None:
        assert b"/proc" in elsewhere(Path("/proc/self/mountinfo").read_bytes())


class TestLoader:
    MACHINE = os.uname().machine

    @pytest.fixture
    def head(self) -> bytes:
        if self.MACHINE not in mounts.MACHINES:
            pytest.skip(f"{self.MACHINE} is not known")
        return Path("/bin/sh").read_bytes()[: mounts.HEAD]

    def test_of_a_program(self, head: bytes) -> None:
        loader = loader_of(head, self.MACHINE)
        assert loader
        assert Path(os.fsdecode(loader)).exists()

    def test_of_one_without(self, head: bytes) -> None:
        begin = int.from_bytes(head[32:40], "little")
        count = int.from_bytes(head[56:58], "little")
        changed = bytearray(head)
        for at in range(begin, begin + 56 * count, 56):
            if changed[at] == mounts._LOADER:
                changed[at] = 6
        assert loader_of(bytes(changed), self.MACHINE) == b""

    @pytest.mark.parametrize(("at", "byte"), [(0, 0), (4, 1), (5, 2), (18, 255), (54, 1), (57, 255), (39, 255)])
    def test_of_what_is_none_of_this_machine(self, head: bytes, at: int, byte: int) -> None:
        changed = bytearray(head)
        changed[at] = byte
        assert loader_of(bytes(changed), self.MACHINE) is None

    def test_of_a_machine_that_is_not_known(self, head: bytes) -> None:
        assert loader_of(head, "pdp11") is None

    @given(st.data())
    def test_nonsense_is_no_error(self, data: st.DataObject) -> None:
        head = bytearray(Path("/bin/sh").read_bytes()[: data.draw(st.integers(0, 400))])
        for at, byte in data.draw(st.dictionaries(st.integers(0, 399), st.integers(0, 255), max_size=8)).items():
            if at < len(head):
                head[at] = byte
        found = loader_of(bytes(head), self.MACHINE)
        assert found is None or found in bytes(head)
