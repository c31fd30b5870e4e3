"""A client's connection to a daemon that lives, and can't be reached at once."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mpboot.session import connection, frames
from mpboot.session.connection import Connection, SessionLost
from mpboot.session.registry import Place, SessionError


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A session's, in a directory whose name is short enough for a socket's."""
    with TemporaryDirectory(prefix="connection-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        yield Place("default")


class Daemon:
    """What a daemon does with a client: it greets the first that it accepts."""

    def __init__(self, path: Path, backlog: int) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.path = path
        if backlog >= 0:
            self.listener.listen(backlog)

    def serve(self) -> None:
        self.listener.listen(256)
        threading.Thread(target=self._greet, daemon=True).start()

    def _greet(self) -> None:
        while True:
            accepted, _ = self.listener.accept()
            accepted.sendall(frames.pack({"protocol": frames.PROTOCOL}))


@pytest.mark.parametrize("backlog", [None, -1, 0], ids=["no socket yet", "nobody listens yet", "full"])
def test_one_that_is_busy_or_just_begins_is_waited_for(
    place: Place, backlog: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.claim()
    made = [Daemon(place.control, backlog)] if backlog is not None else []
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(8 if backlog == 0 else 0)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(str(place.control))
    tries: list[float] = []

    def later(pause: float) -> None:
        tries.append(pause)
        if len(tries) == 3:
            (made or [Daemon(place.control, -1)])[0].serve()

    monkeypatch.setattr(connection, "sleep", later)
    with Connection("default") as made_it:
        assert made_it.pid > 0
    assert len(tries) >= 3


def test_one_that_stays_so_does_not_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.claim()
    daemon = Daemon(place.control, 0)
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(str(place.control))
    monkeypatch.setattr(connection, "ANSWER", 0.1)
    with daemon.listener, pytest.raises(SessionLost, match="session default does not answer"):
        Connection("default")


def test_one_that_dies_meanwhile_is_no_session(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = place.claim()
    monkeypatch.setattr(connection, "sleep", lambda _: os.close(lock))
    with pytest.raises(SessionError, match="no session default"):
        Connection("default")
