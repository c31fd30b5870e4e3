"""What comes of a host, kept by a user who is not root."""

from __future__ import annotations

from pathlib import Path

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
