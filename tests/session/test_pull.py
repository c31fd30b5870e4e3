"""What comes of a host that is pulled from: files, and what a host that lies says."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpboot.net import files
from mpboot.session.incoming import Incoming


def frame(**told: object) -> bytes:
    body = json.dumps(told).encode()
    return len(body).to_bytes(4, "big") + body


def entry(path: str, kind: str = files.FILE, size: int = 0, link: str = "") -> bytes:
    return frame(entry=[path, kind, 0o644 if kind == files.FILE else 0o755, 10**18, size, link])


def file(path: str, data: bytes) -> bytes:
    return entry(path, size=len(data)) + data + blake2b(data, digest_size=files.DIGEST).digest()


ALL = b"".join((
    entry("d", files.DIRECTORY), file("d/one", b"1" * 1000), file("d/none", b""), entry("d/l", files.LINK, link="one"),
    frame(failed="permission", detail="d/x: Permission denied"), frame(end=True),
))  # fmt: skip


@given(cuts=st.lists(st.integers(1, len(ALL) - 1), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_matters_nowhere_how_it_is_cut(tmp_path: Path, cuts: list[int]) -> None:
    incoming = Incoming(str(tmp_path))
    marks = [0, *sorted(cuts), len(ALL)]
    for start, end in zip(marks, marks[1:]):
        incoming.feed(ALL[start:end])
    incoming.close()
    assert (incoming.complete, incoming.bytes) == (True, 1000)
    assert (incoming.problems, incoming.problem) == (1, ("permission", "d/x: Permission denied"))
    assert (tmp_path / "d" / "one").read_bytes() == b"1" * 1000
    assert (tmp_path / "d" / "l").readlink() == Path("one")
    assert sorted(one.name for one in (tmp_path / "d").iterdir()) == ["l", "none", "one"]


@pytest.mark.parametrize(
    "said",
    [
        entry("../x"), entry("/etc/x"), entry("a/../../x"), b"\xff\xff\xff\xff", frame(entry=["a"]), frame(),
        frame(end=True) + frame(end=True), entry("no/x"), (5).to_bytes(4, "big") + b"nojso",
        entry("d", files.DIRECTORY) + entry("d/l", files.LINK, link="/etc") + file("d/l/x", b"x"),
        entry("l", files.LINK, link="..") + entry("l/d", files.DIRECTORY),
    ],
)  # fmt: skip
def test_a_host_that_would_lead_elsewhere(tmp_path: Path, said: bytes) -> None:
    place = tmp_path / "host"
    place.mkdir()
    incoming = Incoming(str(place))
    with pytest.raises((ValueError, LookupError, TypeError, OSError)):
        incoming.feed(said)
    incoming.close()
    assert [one.name for one in tmp_path.iterdir()] == ["host"]
    assert not [one for one in place.rglob("*") if "mpboot" in one.name]


@pytest.mark.parametrize(("proof", "cause"), [(bytes(files.DIGEST), "changed"), (b"x" * files.DIGEST, "hash")])
def test_what_came_wrong_is_not_kept(tmp_path: Path, proof: bytes, cause: str) -> None:
    (tmp_path / "one").write_text("old")
    incoming = Incoming(str(tmp_path))
    incoming.feed(entry("one", size=3) + b"new" + proof + frame(end=True))
    incoming.close()
    assert incoming.problem is not None
    assert (incoming.problems, incoming.problem[0]) == (1, cause)
    assert (tmp_path / "one").read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["one"]


def test_what_breaks_off_is_not_kept(tmp_path: Path) -> None:
    incoming = Incoming(str(tmp_path))
    incoming.feed(ALL[:300])
    incoming.close()
    assert not incoming.complete
    assert [one.name for one in (tmp_path / "d").iterdir()] == []


def test_a_link_that_is_there_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "precious").write_text("old")
    (tmp_path / "host" / "one").symlink_to(tmp_path / "precious")
    incoming = Incoming(str(tmp_path / "host"))
    incoming.feed(file("one", b"new"))
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "host" / "one").read_text() == "new"


def test_whose_rights_a_file_has_there_says_nothing_here(tmp_path: Path) -> None:
    incoming = Incoming(str(tmp_path))
    incoming.feed(frame(entry=["one", files.FILE, 0o6755, 0, 0, ""]) + blake2b(b"", digest_size=16).digest())
    assert (tmp_path / "one").stat().st_mode & 0o7777 == 0o755


def test_complaints_without_end_take_no_room(tmp_path: Path) -> None:
    incoming = Incoming(str(tmp_path))
    for number in range(5):
        incoming.feed(frame(failed="permission", detail=f"{number}: Permission denied"))
    assert (incoming.problem, incoming.problems) == (("permission", "0: Permission denied"), 5)


def test_a_file_that_is_not_open_all_the_time(tmp_path: Path) -> None:
    incoming = Incoming(str(tmp_path))
    whole = file("one", bytes(range(256)) * 4)
    for at in range(0, len(whole), 100):
        incoming.feed(whole[at : at + 100])
        incoming.rest()
        assert not incoming.writes
    assert (tmp_path / "one").read_bytes() == bytes(range(256)) * 4
