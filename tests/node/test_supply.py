"""psutil for parents that have none: asked for once, taken from above, kept, and passed on to whoever waits for it."""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psutil
import pytest

from mpboot.net import wire
from mpboot.net.link import Link
from mpboot.net.messages import Psutil, Want
from mpboot.node import parcel
from mpboot.node.supply import PsutilSupply
from mpboot.workers import sight
from mpboot.workers.lookout import Lookout
from tests.node.played import Far, Message, Rounds, line

REAL = str(Path(psutil.__file__).parent.parent)
NONE_HERE = ("watch", "no psutil: launches from here have their timeouts alone")
CAME = ("watch", "psutil came from the parent")


class Looks:
    """Stands for the lookout: where it looks for psutil, and where it is told to."""

    def __init__(self) -> None:
        self.directories = ["elsewhere"]
        self.looks_in: list[str] = []

    def look_in(self, directory: str) -> None:
        self.looks_in.append(directory)


class Node:
    """A node's supply, what it says upward, and what it notes."""

    def __init__(self, is_root: bool = False, directories: list[str] | None = None) -> None:
        self.sent: list[Message] = []
        self.notes: list[tuple[str, str]] = []
        self.looks = Looks()
        self.supply = PsutilSupply(
            cast(Lookout, self.looks),
            lambda *message: self.sent.append(message),
            lambda *note: self.notes.append(note),
            is_root,
            directories or [],
        )


class Child:
    """A child that has none."""

    def __init__(self, loop: Rounds) -> None:
        self.loop = loop
        self.link: Link
        self.end: Far
        self.link, self.end = line(loop)

    def answers(self) -> list[bytes]:
        """What it was answered."""
        self.link.send(wire.PING)
        self.loop.until(lambda: wire.PING in self.end.kinds)
        said = self.end.bodies(wire.PSUTIL)
        self.end.heard.clear()
        return said


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where psutil is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mpboot" / "psutil"


@pytest.fixture
def none_here(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """There is no psutil to be found here; where it was looked for."""
    asked: list[list[str]] = []
    monkeypatch.setattr(sight, "psutil", lambda directories: asked.append(list(directories)))
    return asked


@pytest.fixture
def child(loop: Rounds) -> Iterator[Child]:
    made = Child(loop)
    yield made
    made.link.close()
    made.end.close()


@pytest.fixture(scope="module")
def whole() -> bytes:
    packed = parcel.pack(REAL)
    assert packed is not None
    return packed


WANT = Want([])


# -- who has it gives it ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [OSError(24, "Too many open files"), ImportError("x.so: Too many open files")])
def test_where_no_descriptor_is_left_a_child_does_without(
    child: Child, whole: bytes, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """…and another may have more luck."""

    def psutil(_: object) -> None:
        raise fault

    node = Node(is_root=True)
    with monkeypatch.context() as short:
        short.setattr(sight, "psutil", psutil)
        node.supply.wanted(child.link, WANT)
    assert child.answers() == [Psutil().pack()]
    assert (node.sent, node.notes) == ([], [])
    node.supply.wanted(child.link, WANT)
    assert child.answers() == [Psutil(packed=whole).pack()]


def test_who_has_one_packs_it(child: Child, whole: bytes) -> None:
    node = Node()
    node.supply.wanted(child.link, WANT)
    assert child.answers() == [whole]
    assert (node.sent, node.notes, node.looks.looks_in) == ([], [], [])


def test_the_root_has_it_where_the_head_has_it(child: Child, whole: bytes, none_here: list[list[str]]) -> None:
    node = Node(is_root=True, directories=["/nothing", REAL])
    node.supply.wanted(child.link, WANT)
    assert child.answers() == [whole]
    assert none_here == []


def test_who_keeps_the_same_is_told_so(child: Child, whole: bytes) -> None:
    node = Node()
    node.supply.wanted(child.link, Want(["0" * 64, parcel.digest(whole)]))
    assert child.answers() == [parcel.digest(whole).encode()]
    node.supply.wanted(child.link, Want(["0" * 64]))
    assert child.answers() == [whole]


def test_it_is_packed_once(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    node.supply.wanted(child.link, WANT)
    monkeypatch.setattr(parcel, "pack", lambda _: pytest.fail("again"))
    node.supply.wanted(child.link, WANT)
    assert len(child.answers()) == 2


# -- who has none asks -----------------------------------------------------------------------------


def test_who_has_none_asks_above_once(cache: Path, none_here: list[list[str]], child: Child) -> None:
    (cache / ("1" * 64)).mkdir(parents=True)
    node = Node()
    node.supply.missing()
    node.supply.missing()
    node.supply.wanted(child.link, WANT)
    assert node.sent == [(wire.WANT, Want(["1" * 64]).pack())]
    assert child.answers() == []
    assert node.notes == []
    assert none_here == [["elsewhere"]]


def test_what_comes_is_kept_used_and_passed_on(
    cache: Path, none_here: list[list[str]], child: Child, whole: bytes
) -> None:
    node = Node()
    node.supply.wanted(child.link, WANT)
    node.supply.wanted(child.link, Want([parcel.digest(whole)]))
    node.supply.take(whole)
    assert child.answers() == [whole, parcel.digest(whole).encode()]
    assert node.notes == [CAME]
    assert node.looks.looks_in == [str(cache / parcel.digest(whole))]
    node.supply.wanted(child.link, WANT)
    assert child.answers() == [whole]
    assert len(none_here) == 2
    node.supply.take(whole)
    assert child.answers() == []  # nobody waits for it any more


@pytest.mark.usefixtures("none_here")
def test_a_digest_stands_for_what_is_kept(child: Child, whole: bytes) -> None:
    directory = parcel.keep(whole)
    node = Node()
    node.supply.wanted(child.link, WANT)
    node.supply.take(parcel.digest(whole).encode())
    assert child.answers() == [whole]
    assert node.looks.looks_in == [directory]
    assert node.notes == [CAME]


@pytest.mark.usefixtures("none_here")
@pytest.mark.parametrize("answer", [b"", b"0" * 64, "another machine's"])
def test_where_there_is_none_those_below_are_told_so(
    child: Child, whole: bytes, answer: bytes | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node()
    node.supply.wanted(child.link, WANT)
    if isinstance(answer, str):
        monkeypatch.setattr(parcel, "fits", lambda _: False)
        answer = whole
    node.supply.take(answer)
    assert child.answers() == [b""]
    assert node.notes == [NONE_HERE]
    assert node.looks.looks_in == []
    node.supply.wanted(child.link, WANT)
    assert child.answers() == [b""]
    assert len(node.sent) == 1


@pytest.mark.usefixtures("none_here")
@pytest.mark.parametrize("nonsense", [b"x", b"X" * 64, zlib.compress(b"x"), zlib.compress(marshal.dumps(3)),
                                      zlib.compress(marshal.dumps((["linux"], (("../x", b""),)), 2))])  # fmt: skip
def test_nonsense_from_above_changes_nothing(child: Child, nonsense: bytes) -> None:
    """Whoever reads it loses its parent for a ValueError; the next parent may know better."""
    node = Node()
    node.supply.wanted(child.link, WANT)
    with pytest.raises(ValueError, match=r"no |unpack|marshal"):
        node.supply.take(nonsense)
    assert node.notes == []
    assert child.answers() == []


@pytest.mark.usefixtures("none_here")
def test_above_the_root_there_is_nobody(child: Child) -> None:
    root = Node(is_root=True)
    root.supply.missing()
    assert root.notes == [NONE_HERE]
    root.supply.wanted(child.link, WANT)
    assert child.answers() == [b""]
    assert root.sent == []


@pytest.mark.usefixtures("none_here")
def test_where_others_write_none_is_kept_and_a_note_says_so(child: Child, whole: bytes, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    node = Node()
    node.supply.wanted(child.link, WANT)
    node.supply.take(whole)
    assert node.notes == [(NONE_HERE[0], f"{NONE_HERE[1]} (none is kept, since others can write to {tmp_path})")]
    assert node.looks.looks_in == []
    assert list(tmp_path.iterdir()) == []
