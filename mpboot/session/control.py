"""The socket at which a session's clients come: theirs and root's processes are let in, and it is kept in its place."""

from __future__ import annotations

import errno
import os
import resource
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from mpboot.net.loop import READ, Loop
from mpboot.session.registry import Place, SessionError

ASIDE = 256  # descriptors that are for all else than riders
PAUSE = 0.5  # seconds until somebody is let in again, where there was no descriptor left
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


def peer(sock: socket.socket) -> tuple[int, int]:
    """Pid and uid of the process at the other end, as the kernel knows them."""
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return pid, uid


def is_ours(uid: int) -> bool:
    """May a process of this user use the session?"""
    return uid in (os.getuid(), 0)


def room() -> int:
    """How many descriptors riders and their sockets may have. The limit is raised as far as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return (1 << 20 if soft == resource.RLIM_INFINITY else soft) - ASIDE


class Control:
    """``welcome(sock)`` gets the connection of each client."""

    def __init__(self, loop: Loop, place: Place, lock: int, welcome: Callable[[socket.socket], None]) -> None:
        """``place``: where the socket is made; ``lock``: what claiming it gave. OSError."""
        self.lock = lock
        self._loop = loop
        self._place = place
        self._path = place.control
        self._welcome = welcome
        self._listener = self._listen()

    def look(self) -> None:
        """Have the socket in its place: a login's end may take its directory away."""
        try:
            here = os.path.samestat(self._path.lstat(), self._made)
        except OSError:
            here = False
        if not here:
            try:
                if not self._place.holds(self.lock):
                    self.lock = self._place.claim()
                listener = self._listen()
            except (OSError, SessionError):  # not yet, or another has the name by now
                return
            self.close()
            self._listener = listener

    def close(self) -> None:
        """Let nobody in any more."""
        self._loop.forget(self._listener.fileno())
        self._listener.close()

    # -- inside ------------------------------------------------------------------------------------

    def _listen(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            made.bind(str(self._path))
            self._path.chmod(0o600)
            made.listen(256)
            made.setblocking(False)
            self._made = self._path.lstat()
        except OSError:
            made.close()
            raise
        self._loop.watch(made.fileno(), READ, lambda _: self._accept())
        return made

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                listener = self._listener
                self._loop.forget(listener.fileno())
                self._loop.later(PAUSE, lambda: self._watch_again(listener))
            return
        if is_ours(peer(sock)[1]):
            self._welcome(sock)
        else:
            sock.close()

    def _watch_again(self, listener: socket.socket) -> None:
        if listener is self._listener and listener.fileno() >= 0:
            self._loop.watch(listener.fileno(), READ, lambda _: self._accept())
