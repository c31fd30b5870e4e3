"""What comes of a host, kept by a user who is not root."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mpboot.net import files, plain
from mpboot.session.incoming import Incoming
from tests.support.somebody import as_somebody, open_to_all

__all__ = ["open_to_all"]


def told(data: bytes) -> bytes:
    """A read-only directory with a file, as a host sends it."""
    frames = [
        {"entry": files.Entry("tree", files.DIRECTORY, 0o555, 10**18).row()},
        {"entry": files.Entry("tree/a", files.FILE, 0o644, 10**18, len(data)).row()},
    ]
    body = [plain.dumps(frame) for frame in frames]
    sent = b"".join(len(one).to_bytes(4, "big") + one for one in body) + data + files.digest(data)
    end = plain.dumps({"end": True})
    return sent + len(end).to_bytes(4, "big") + end


def test_a_directory_that_may_not_be_written_comes_again(open_to_all: Path) -> None:
    """The second pull into the same place was refused, where root's was not."""

    def act() -> None:
        for data in (b"one", b"another"):
            come = Incoming(str(open_to_all))
            come.feed(told(data))
            come.close()
            assert (come.complete, come.problem) == (True, None)
            assert (open_to_all / "tree" / "a").read_bytes() == data
            assert (open_to_all / "tree").stat().st_mode & 0o777 == 0o555

    as_somebody(act)


def test_what_does_not_come_whole_leaves_nothing(tmp_path: Path) -> None:
    """Not even where nobody is left to take it away: it has no name until it is whole."""
    come = Incoming(str(tmp_path))
    come.feed(told(b"some data")[:-40])
    assert come.writes
    assert list((tmp_path / "tree").iterdir()) == []
    come.close()


def test_one_of_many_that_come_at_once_goes_on_under_a_name(tmp_path: Path) -> None:
    come, all_of_it = Incoming(str(tmp_path)), told(b"some data")
    come.feed(all_of_it[:-60])
    come.rest()
    assert not come.writes
    come.feed(all_of_it[-60:])
    come.close()
    assert (come.complete, come.problem) == (True, None)
    assert [one.name for one in (tmp_path / "tree").iterdir()] == ["a"]
    assert (tmp_path / "tree" / "a").read_bytes() == b"some data"


@pytest.mark.parametrize(("make", "why"), [(os.mkfifo, "It is there and no file"), (os.mkdir, "Is a directory")])
def test_no_file_takes_the_place_of_what_is_none(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    (tmp_path / "tree").mkdir()
    make(tmp_path / "tree" / "a")
    come = Incoming(str(tmp_path))
    with pytest.raises(OSError, match=f"{why}: '{tmp_path}/tree/a'"):
        come.feed(told(b"data"))
    come.close()
