"""The commands' output into files: HOST.out and HOST.err in one directory, complete to the byte.

Files are written without a wait for a reader; what can't be written is lost, counted, and told at the end.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mpboot.cli.codes import OutputError
from mpboot.cli.output import Output, encoded
from mpboot.net.outlet import STDERR, STDOUT
from mpboot.text import fold, printable

if TYPE_CHECKING:
    from mpboot.net.loop import Loop

ENDINGS = {STDOUT: b".out", STDERR: b".err"}
MOST_OPEN = 64  # files
WAITING = 1 << 16  # bytes of a file that wait to be written at most
LONGEST = 240  # bytes of a file's name without its ending
# What no name of a file can hold, or should; and what would read as if it stood for that.
_UNSAFE = re.compile(r"[\x00-\x1f/\x7f]|%(?=[0-9A-F]{2})")
_NEW = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_AGAIN = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OutputDir(Output):
    """Writes two files for each host where the command runs, from when it was started there."""

    def __init__(self, path: str) -> None:
        """``path``: made if it is not there. OutputError if it can't be."""
        super().__init__()
        self._path = path
        try:
            with suppress(FileExistsError):  # something else is there, which the next line finds
                Path(path).mkdir(parents=True, exist_ok=True)
            self._directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(path, error.strerror or str(error)) from None
        if not os.access(path, os.W_OK | os.X_OK):
            os.close(self._directory)
            raise _refused(path, "it can't be written to")
        self._loop: Loop | None = None
        self._due = False  # the loop will call
        self._hosts: set[str] = set()  # that have their files
        self._open: dict[tuple[str, int], int] = {}  # the one that was used last stands last
        self._waiting: dict[tuple[str, int], bytearray] = {}
        self._bad: dict[tuple[str, int], None] = {}  # files that could not be written: never again
        self._why = ""  # the first of these could not
        self._lost = 0  # bytes

    @property
    def complaint(self) -> str:
        """Why, and how much of whose output is lost."""
        if not self._bad:
            return ""
        name = str(Path(self._path, file_name(*next(iter(self._bad))).decode("utf-8", "replace")))
        lost = f"{self._lost} bytes of output are lost, of" if self._lost else "not all was written of"
        return f"{printable(name)}: {self._why}: {lost} {printable(fold(self.spoilt))}"

    @property
    def spoilt(self) -> list[str]:
        """The hosts whose files are not whole."""
        return list(dict.fromkeys(host for host, _ in self._bad))

    def attach(self, loop: Loop | None) -> None:
        """Write what comes in one round of the loop together."""
        self._loop = loop
        self._due = False
        if loop is None:
            self._flush()

    def started(self, host: str) -> None:
        """Make its files, in the place of those that are there."""
        if host in self._hosts:
            return
        self._hosts.add(host)
        for key in ((host, STDOUT), (host, STDERR)):
            name = file_name(*key)
            try:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._directory)
                self._use(key, os.open(name, _NEW, 0o666, dir_fd=self._directory))
            except OSError as error:
                self._spoil(key, error, 0)

    def line(self, host: str, stream: int, line: bytes, whole: bool = True) -> None:
        """Write it, with its end if it has one."""
        key = (host, stream)
        waiting = self._waiting.get(key)
        if waiting is None:
            self.started(host)
            waiting = self._waiting[key] = bytearray()
        waiting += line
        if whole:
            waiting += b"\n"
        if len(waiting) >= WAITING:
            self._write(key)
        elif self._loop is None:
            self._flush()
        elif not self._due:
            self._due = True
            self._loop.soon(self._flush)

    def ended(self, host: str, code: int | None) -> None:  # noqa: ARG002
        """Its files are complete."""
        self.started(host)
        for key in ((host, STDOUT), (host, STDERR)):
            self._write(key)
            if key in self._open:
                self._close(key)

    def finish(self, patience: float | None = None) -> list[str]:  # noqa: ARG002
        """All files are complete."""
        self._flush()
        for key in list(self._open):
            self._close(key)
        os.close(self._directory)
        return []

    # -- inside ------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._due = False
        for key in list(self._waiting):
            self._write(key)

    def _write(self, key: tuple[str, int]) -> None:
        """Write what waits for a file, all of it, unless it could not be written before."""
        data = memoryview(self._waiting.pop(key, b""))
        if key in self._bad:
            self._lost += len(data)
            return
        try:
            while data:
                data = data[os.write(self._file(key), data) :]
        except OSError as error:
            self._spoil(key, error, len(data))

    def _file(self, key: tuple[str, int]) -> int:
        """The file's descriptor, open; of those that are open, the one that was used first is closed for it."""
        fd = self._open.pop(key, None)
        self._use(key, os.open(file_name(*key), _AGAIN, dir_fd=self._directory) if fd is None else fd)
        return self._open[key]

    def _use(self, key: tuple[str, int], fd: int) -> None:
        if len(self._open) >= MOST_OPEN:
            self._close(next(iter(self._open)))
        self._open[key] = fd

    def _close(self, key: tuple[str, int]) -> None:
        """Close a file; some file systems say only now that there was no room."""
        try:
            os.close(self._open.pop(key))
        except OSError as error:
            self._spoil(key, error, 0)

    def _spoil(self, key: tuple[str, int], error: OSError, lost: int) -> None:
        self._why = self._why or error.strerror or str(error)
        self._lost += lost
        self._bad[key] = None
        if key in self._open:
            self._close(key)


def file_name(label: str, stream: int) -> bytes:
    """The name of a host's file. No other host's is the same, and none leads out of its directory.

    What no name can hold, such as ``/``, is written as ``%2F``, and a ``%`` that would read so as ``%25``.
    """
    name = encoded(_UNSAFE.sub(lambda found: f"%{ord(found.group()):02X}", label))
    if len(name) > LONGEST:
        name = name[: LONGEST - 17] + b"%" + sha256(name).hexdigest()[:16].encode()
    return name + ENDINGS[stream]


def _refused(path: str, why: str) -> OutputError:
    return OutputError(f"--output-dir {path}: {why}: give a directory that can be made, or written to")
