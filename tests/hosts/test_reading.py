"""The text of a file: all of it or a line that says why not, and never more than a hostfile may hold."""

from __future__ import annotations

import io
import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from mpboot.hosts import reading
from mpboot.hosts.host import HostError
from mpboot.hosts.reading import TOO_LARGE, read_text
from mpboot.hosts.sources import read_hostfile
from mpboot.hosts.syntax import MAX_BYTES
from tests.support.host_texts import write

FILES = {
    "NUL": (b"a\n\x7fELF\0\0\n", r":2: binary data \(a NUL byte\)"),
    "Latin-1": (b"a\nb\xfccher\n", r":2: not UTF-8 text"),
    "UTF-16": ("a\n".encode("utf-16"), r": it is UTF-16, or binary: save it as UTF-8 text"),
    "too many bytes": (b"#" * (MAX_BYTES + 1), r": too large for a hostfile: 1000000 lines and 16 MiB"),
    "ten million lines": (b"a\n" * 10_000_000, r": too large for a hostfile"),
    "ten million empty lines": (b"\n" * 10_000_000, r": too large for a hostfile"),
}


@pytest.mark.parametrize(("data", "gist"), FILES.values(), ids=FILES.keys())
def test_bad_files_are_refused_at_once(tmp_path: Path, data: bytes, gist: str) -> None:
    path = write(tmp_path, data)
    start = time.process_time()
    with pytest.raises(HostError, match=re.escape(path) + gist):
        read_hostfile(path)
    assert time.process_time() - start < 1


def test_bad_paths(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    device = "is a device, a pipe or a socket: give a file, or - to read standard input"
    for path, gist in (
        (str(tmp_path / "none"), "none: No such file or directory: give a readable hostfile"),
        ("", "'': No such file or directory"),
        ("a\0b", r"a\x00b: no file can have this name"),
        (str(tmp_path / ("x" * 300)), "File name too long"),
        (str(tmp_path), f"{tmp_path}: is a directory: give a hostfile in it"),
        (str(fifo), device),
        ("/dev/zero", device),
        ("/dev/null", device),
        (str(tmp_path / "a\x1b[2Jb"), r"a\x1b[2Jb: No such file"),
    ):
        with pytest.raises(HostError) as caught:
            read_hostfile(path)
        assert gist in str(caught.value)
        assert str(caught.value).isprintable()


# -- what is read ----------------------------------------------------------------------------------


def test_text_comes_as_it_is(tmp_path: Path) -> None:
    text = "\ufeffa\r\n\u00fc \u20ac\n\x1b"
    assert read_text(write(tmp_path, text)) == text
    assert read_text(write(tmp_path, "")) == ""


def message(path: str) -> str:
    with pytest.raises(HostError) as caught:
        read_text(path)
    return str(caught.value)


def test_messages(tmp_path: Path) -> None:
    advice = "give a readable hostfile, or - for standard input"
    assert message(f"{tmp_path}/none") == f"{tmp_path}/none: No such file or directory: {advice}"
    assert message("") == f"'': No such file or directory: {advice}"
    assert message("a\0b") == "a\\x00b: no file can have this name: give a readable hostfile"
    assert message(str(tmp_path)) == f"{tmp_path}: is a directory: give a hostfile in it"
    device = "is a device, a pipe or a socket: give a file, or - to read standard input"
    assert message("/dev/null") == f"/dev/null: {device}"
    path = write(tmp_path, b"a\nb\n\nc\0d\n")
    assert message(path) == f"{path}:4: binary data (a NUL byte): give a text file with a host a line"
    path = write(tmp_path, b"\n\0")
    assert message(path) == f"{path}:2: binary data (a NUL byte): give a text file with a host a line"
    path = write(tmp_path, b"\nb\n\xfc\n")
    assert message(path) == f"{path}:3: not UTF-8 text: give a text file with a host a line"
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        path = write(tmp_path, mark + b"a\0")
        assert message(path) == f"{path}: it is UTF-16, or binary: save it as UTF-8 text"


def test_the_message_names_the_limits() -> None:
    assert TOO_LARGE == "too large for a hostfile: 1000000 lines and 16 MiB are the most"


def test_as_much_as_is_allowed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    monkeypatch.setattr(reading, "MAX_LINES", 3)
    assert read_text(write(tmp_path, "0123456789")) == "0123456789"
    path = write(tmp_path, "01234567890")
    assert message(path) == f"{path}: {TOO_LARGE}"
    assert read_text(write(tmp_path, "a\nb\nc\nd")) == "a\nb\nc\nd"
    path = write(tmp_path, "a\nb\nc\nd\n")
    assert message(path) == f"{path}: {TOO_LARGE}"


# -- standard input, and other streams -------------------------------------------------------------


def test_a_file_that_is_too_large_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    path = write(tmp_path, "01234567890")
    Path(path).chmod(0)
    monkeypatch.setattr(os, "open", None)
    assert message(path) == f"{path}: {TOO_LARGE}"


def test_of_a_stream_no_more_is_read_than_tells_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    read_end, write_end = os.pipe()
    os.write(write_end, b"0123456789abcdef")
    assert message(f"/dev/fd/{read_end}") == f"/dev/fd/{read_end}: {TOO_LARGE}"
    assert os.read(read_end, 99) == b"bcdef"
    os.write(write_end, b"0123456789")
    os.close(write_end)
    assert read_text(f"/proc/self/fd/{read_end}") == "0123456789"
    os.close(read_end)


def test_a_long_stream_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a pipe holds, and more than is asked for at once."""
    text = "".join(f"node{number}\n" for number in range(250_000))
    assert len(text) > 2 << 20
    read_end, write_end = os.pipe()

    def feed() -> None:
        with os.fdopen(write_end, "w") as pipe:
            pipe.write(text)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(read_end) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        assert read_text("-") == text
    feeder.join()


def test_a_descriptor_that_does_not_block_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    waited: list[tuple[object, ...]] = []

    def wait(*what: object) -> None:
        waited.append(what)
        if len(waited) == 1:
            os.write(write_end, b"a\n")
        else:
            os.close(write_end)

    monkeypatch.setattr("select.select", wait)
    with os.fdopen(read_end) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        assert read_text("-") == "a\n"
    assert waited == [([read_end], [], [])] * 2


def test_the_byte_too_many_may_come_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 2)
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.write(write_end, b"ab")
    monkeypatch.setattr("select.select", lambda *_: os.write(write_end, b"c"))
    with os.fdopen(read_end) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        assert message("-") == f"standard input: {TOO_LARGE}"
    os.close(write_end)


def test_standard_input_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert message("-") == "standard input: it is closed: give a hostfile, or feed it one"


def test_standard_input_without_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    stream = io.TextIOWrapper(io.BytesIO(b"0123456789"))
    monkeypatch.setattr(sys, "stdin", stream)
    assert read_text("-") == "0123456789"
    stream.buffer.seek(0)
    stream.buffer.write(b"0123456789abcdef")
    stream.buffer.seek(0)
    assert message("-") == f"standard input: {TOO_LARGE}"
    assert stream.buffer.read() == b"bcdef"
    stream.close()
    assert read_text("-") == ""


def test_descriptors_do_not_leak(tmp_path: Path) -> None:
    path = write(tmp_path, "a\n")
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        read_text(path)
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_comment_may_be_of_any_encoding(tmp_path: Path, end: bytes) -> None:
    path = write(tmp_path, end.join([b"# B\xfccher", b"a # M\xe4rz", b"b", b""]))
    assert [host.name for host in read_hostfile(path).hosts] == ["a", "b"]
    path = write(tmp_path, end.join([b"# B\xfccher", b"a", b"b\xfc # x", b""]))
    with pytest.raises(HostError, match=r":3: not UTF-8 text"):
        read_hostfile(path)
