"""A client's connection to a session's daemon: found, checked, and frames in and out."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from mpboot._version import __version__
from mpboot.session import frames
from mpboot.session.registry import Place, SessionError, clear_dead

CHUNK = 1 << 16
ANSWER = 10.0  # seconds that a daemon may take to answer
LIFE = 10.0  # seconds without a word after which the daemon is asked whether it lives, and that it has to answer
PAUSE = 0.02  # seconds until it is tried again to connect
SOON = (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN)  # why that may be so only for now


class SessionLost(SessionError):
    """The daemon has gone, or says nothing any more."""


def no_session(name: str) -> SessionError:
    """The error where there is no session of this name."""
    option = "" if name == "default" else f" --name {name}"
    place = Place(name)
    why = f": the last one crashed, {place.last_words} says why" if place.has_crashed else ""
    how = f"mpboot HOSTFILE --keep{option} begins one, mpboot sessions shows those there are"
    return SessionError(f"no session {name}{why}: {how}")


class Connection:
    """To be used by one thread at a time. ``pid``: the daemon's."""

    def __init__(self, name: str) -> None:
        """SessionError: no such session, another user's, another version's, or one that does not answer."""
        self.name = name
        self.pid = 0
        place = self._place = Place(name)
        place.check_parent()
        if not place.there:
            raise no_session(name)
        place.check()
        if not place.lives:
            clear_dead(place)
            raise no_session(name)
        self._reader = frames.Reader()
        self._messages: deque[frames.Message] = deque()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._sock.settimeout(ANSWER)
            self._connect(place)
            self.pid = self._peer()
            self._greet()
        except OSError as error:
            self._sock.close()
            silent = isinstance(error, (TimeoutError, BlockingIOError))
            why = "does not answer" if silent else f"can't be reached: {error.strerror}"
            raise SessionLost(f"session {name} {why}{self._who()}") from None
        except SessionError:
            self._sock.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor."""
        return self._sock.fileno()

    def ask(self, what: str, **values: Any) -> None:
        """Send a request. SessionLost."""
        self._send(frames.pack({"ask": what, **values}))

    def stdin(self, data: bytes) -> None:
        """Send standard input for the job; nothing is its end. SessionLost."""
        self._send(frames.pack_stdin(data))

    def answer(self, timeout: float | None = ANSWER) -> dict[str, Any]:
        """Wait for an object; SessionError for one that tells of an error, and SessionLost.

        ``timeout`` is None for what may take long: as long as the daemon lives.
        """
        kind, what = self.next(timeout) if timeout is not None else self.next_of_living()
        while timeout is None and kind == frames.TELL and "pong" in what:
            kind, what = self.next_of_living()
        if kind != frames.TELL:
            raise SessionLost(f"session {self.name} gave an answer that can't be read: is another mpboot behind it?")
        if "error" in what:
            code = what.get("code")
            raise SessionError(what["error"], code if isinstance(code, int) else 2)
        return dict(what)

    def next(self, timeout: float | None = None) -> frames.Message:
        """Wait for the next message, for so many seconds at most. SessionLost."""
        until = None if timeout is None else monotonic() + timeout
        while not self._messages:
            left = None if until is None else until - monotonic()
            if left is not None and left <= 0:
                raise SessionLost(self.silent())
            if self.fileno() < 0:
                raise SessionLost(self._ended())
            waiter = select.poll()  # select takes no descriptor from 1024 on, and a program may have many
            waiter.register(self._sock, select.POLLIN)
            if waiter.poll(None if left is None else left * 1000):
                self.receive()
        return self._messages.popleft()

    def next_of_living(self) -> frames.Message:
        """Wait for the next message, for as long as the daemon lives: who is silent is asked. SessionLost."""
        try:
            return self.next(LIFE)
        except SessionLost:
            self.ask("ping")
            return self.next(LIFE)

    def receive(self) -> list[frames.Message]:
        """Read what has come: it is kept for ``next`` and ``taken``. SessionLost."""
        try:
            data = self._sock.recv(CHUNK)
            messages = self._reader.feed(data)
        except (OSError, frames.FrameError) as error:
            raise SessionLost(f"session {self.name}: {getattr(error, 'strerror', None) or error}") from None
        if not data:
            raise SessionLost(self._ended())
        self._messages.extend(messages)
        return messages

    def rest(self) -> list[frames.Message]:
        """All that had come when the daemon closed the connection, or that is there now."""
        waiter = select.poll()
        waiter.register(self._sock, select.POLLIN)
        with suppress(SessionLost):
            while waiter.poll(0):
                self.receive()
        return self.taken()

    def taken(self) -> list[frames.Message]:
        """What has been received and was not asked for by ``next``."""
        found = list(self._messages)
        self._messages.clear()
        return found

    def close(self) -> None:
        """Go: a job that was asked for on this connection ends."""
        self._sock.close()

    def silent(self) -> str:
        """The line about a daemon that does not answer."""
        return f"session {self.name} does not answer{self._who()}"

    # -- inside ------------------------------------------------------------------------------------

    def _connect(self, place: Place) -> None:
        """Connect; a daemon that lives may be about to make its socket, or be asked by very many at once. OSError."""
        end = monotonic() + ANSWER
        while True:
            try:
                self._sock.connect(str(place.control))
            except OSError as error:
                if error.errno not in SOON or monotonic() > end:
                    raise
                if not place.lives:
                    raise no_session(self.name) from None
                sleep(PAUSE)
            else:
                return

    def _send(self, frame: bytes) -> None:
        try:
            self._sock.sendall(frame)
        except TimeoutError:
            raise SessionLost(self.silent()) from None
        except OSError:
            raise SessionLost(self._ended()) from None

    def _ended(self) -> str:
        if self.fileno() < 0:
            return f"session {self.name}: this connection to it was closed"
        more = f": it crashed, {self._place.last_words} says why" if self._place.has_crashed else ""
        return f"the daemon of session {self.name} has ended{more}"

    def _peer(self) -> int:
        size = struct.calcsize("3i")
        pid, uid, _ = struct.unpack("3i", self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if uid != os.getuid():
            raise SessionError(f"session {self.name} is held by another user's process (uid {uid}): it is not used")
        return int(pid)

    def _greet(self) -> None:
        told = self.answer()
        if told.get("protocol") != frames.PROTOCOL:
            theirs = str(told.get("mpboot", "another version"))[:40]
            raise SessionError(
                f"session {self.name} is held by mpboot {theirs}, this is {__version__}: use that one, or end it by "
                f"kill {self.pid}"
            )

    def _who(self) -> str:
        if not self.pid:
            return ""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        except OSError:
            return ""
        if state in (b"T", b"t"):
            return f": its daemon is stopped (kill -CONT {self.pid} lets it go on, kill -KILL {self.pid} ends it)"
        return f" (its daemon is process {self.pid})"
