"""psutil on its way: packed where it is, taken only where it fits, kept where nobody else can change it."""

from __future__ import annotations

import hashlib
import marshal
import os
import platform as pythons_own
import shutil
import stat
import sys
import zlib
from pathlib import Path

import psutil
import pytest

from mpboot.node import parcel

REAL = str(Path(psutil.__file__).parent.parent)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where psutil is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mpboot" / "psutil"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A directory with a package that is small, but else as psutil is."""
    base = tmp_path / "site" / "psutil"
    (base / "tests").mkdir(parents=True)
    (base / "__init__.py").write_text("version = 1\n")
    (base / "_common.py").write_text("")
    (base / "_psutil_linux.abi3.so").write_bytes(b"\x7fELF")
    (base / "README").write_text("not needed")
    (base / "tests" / "test_all.py").write_text("not needed either")
    (base / "a_directory.py").mkdir()
    return tmp_path / "site"


def packed(directory: Path | str) -> bytes:
    made = parcel.pack(str(directory))
    assert made is not None
    return made


def kept(directory: str | None) -> Path:
    assert directory is not None
    return Path(directory)


# -- packing ---------------------------------------------------------------------------------------


def test_what_is_packed(small: Path) -> None:
    wanted, files = marshal.loads(zlib.decompress(packed(small)))
    assert dict(files) == {
        "__init__.py": b"version = 1\n", "_common.py": b"", "_psutil_linux.abi3.so": b"\x7fELF"
    }  # fmt: skip
    assert [name for name, _ in files] == sorted(dict(files))
    assert wanted == parcel.platform("_psutil_linux.abi3.so")
    assert zlib.decompress(packed(small)) == marshal.dumps((wanted, files), 2)  # as every Python 3 reads it


def test_what_is_none(tmp_path: Path, small: Path) -> None:
    assert parcel.pack(str(tmp_path / "nothing")) is None
    (small / "psutil" / "_psutil_linux.abi3.so").unlink()
    assert parcel.pack(str(small)) is None  # without its compiled part it is of no use


def test_how_large_it_may_be(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parcel.LIMIT == 1 << 22
    size = sum(
        path.stat().st_size for path in (small / "psutil").iterdir() if path.suffix in (".py", ".so") and path.is_file()
    )
    monkeypatch.setattr(parcel, "LIMIT", size)
    packed(small)
    monkeypatch.setattr(parcel, "LIMIT", size - 1)
    assert parcel.pack(str(small)) is None


def test_what_must_be_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    stable = [sys.platform, os.uname().machine, pythons_own.libc_ver()[0] or "other", "any"]
    assert parcel.platform() == stable
    assert parcel.platform("_psutil_linux.abi3.so") == stable
    assert parcel.platform("_psutil_linux.cpython-311.so") == [*stable[:3], sys.implementation.cache_tag]
    monkeypatch.delattr(os, "confstr")
    assert parcel.platform()[2] == "other"


@pytest.mark.parametrize("says", [None, ValueError, OSError])
def test_a_c_library_without_a_name(says: type[Exception] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(name: str) -> None:
        assert name == "CS_GNU_LIBC_VERSION"
        if says is not None:
            raise says

    monkeypatch.setattr(os, "confstr", asked)
    assert parcel.platform()[2] == "other"


def test_it_is_taken_where_it_fits(small: Path) -> None:
    def fits(wanted: list[str]) -> bool:
        return parcel.fits(zlib.compress(marshal.dumps((wanted, ()), 2)))

    here = parcel.platform()
    assert parcel.fits(packed(small))
    assert fits(here)
    assert fits(parcel.platform("cpython"))
    assert not fits([*here[:3], "cpython-27"])
    for at in range(3):
        assert not fits([*here[:at], "another", *here[at + 1 :]])


def test_the_digest_is_of_all_that_is_in_it(small: Path) -> None:
    first = packed(small)
    assert len(parcel.digest(first)) == 64
    assert parcel.digest(first) == parcel.digest(packed(small))
    assert parcel.digest(zlib.compress(zlib.decompress(first), 1)) == parcel.digest(first)
    wanted, files = marshal.loads(zlib.decompress(first))
    found = {parcel.digest(first)}
    for other in (
        (["linux2", *wanted[1:]], files),
        (wanted, files[1:]),
        (wanted, ((files[0][0], files[0][1] + b"#"), *files[1:])),
        (wanted, (("_init__.py", files[0][1]), *files[1:])),
        (wanted, ((files[0][0], files[0][1][:-1]), (files[1][0], b"\n"), *files[2:])),
    ):
        found.add(parcel.digest(zlib.compress(marshal.dumps(other, 2))))
    assert len(found) == 6


def test_the_digest_is_the_same_everywhere() -> None:
    known = zlib.compress(marshal.dumps((["linux", "x"], (("a.py", b"1"), ("b.so", b"22"))), 2))
    content = b"\0".join([b"linux x1 a.py", b"12 b.so", b"22"])
    assert parcel.digest(known) == hashlib.blake2s(content).hexdigest()


# -- keeping ---------------------------------------------------------------------------------------


def test_what_is_kept_can_be_loaded_and_found_again(cache: Path) -> None:
    whole = packed(REAL)
    base = kept(parcel.keep(whole))
    assert base == cache / parcel.digest(whole)
    assert (base / "psutil" / "__init__.py").read_bytes() == Path(psutil.__file__).read_bytes()
    assert parcel.cached() == [parcel.digest(whole)]
    assert parcel.kept(parcel.digest(whole)) == str(base)
    assert packed(base) == whole


def test_nobody_else_may_look_into_it(cache: Path, small: Path) -> None:
    base = kept(parcel.keep(packed(small)))
    for directory in (base, base / "psutil", cache):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_is_kept_already_is_left_alone(small: Path, cache: Path) -> None:
    base = kept(parcel.keep(packed(small)))
    before = (base / "psutil").stat().st_ino
    assert parcel.keep(packed(small)) == str(base)
    assert (base / "psutil").stat().st_ino == before
    assert [path.name for path in cache.iterdir()] == [base.name]


def change(base: Path) -> None:
    (base / "psutil" / "__init__.py").write_text("version = 2\n")


def add(base: Path) -> None:
    (base / "psutil" / "os.py").write_text("import this\n")


def remove(base: Path) -> None:
    (base / "psutil" / "_common.py").unlink()


def open_up(base: Path) -> None:
    base.chmod(0o750)


def open_up_inside(base: Path) -> None:
    (base / "psutil").chmod(0o701)


def link(base: Path) -> None:
    (base / "psutil").rename(base / "elsewhere")
    (base / "psutil").symlink_to(base / "elsewhere")


def bytecode(base: Path) -> None:
    """Python would take it for that of __init__.py, if it has the right time in it."""
    (base / "psutil" / "__pycache__").mkdir()
    (base / "psutil" / "__pycache__" / f"__init__.{sys.implementation.cache_tag}.pyc").write_bytes(b"")


def link_a_file(base: Path) -> None:
    """It has the right bytes, today."""
    (base.parent.parent / "elsewhere").write_bytes((base / "psutil" / "__init__.py").read_bytes())
    (base / "psutil" / "__init__.py").unlink()
    (base / "psutil" / "__init__.py").symlink_to(base.parent.parent / "elsewhere")


def add_beside(base: Path) -> None:
    (base / "os.py").write_text("import this\n")


TAMPERED = [change, add, remove, open_up, open_up_inside, link, bytecode, link_a_file, add_beside]


@pytest.mark.parametrize("tamper", TAMPERED)
def test_what_was_tampered_with_is_replaced(tamper: object, small: Path, cache: Path) -> None:
    whole = packed(small)
    base = kept(parcel.keep(whole))
    assert callable(tamper)
    tamper(base)
    assert parcel.keep(whole) == str(base)
    assert packed(base) == whole
    assert stat.S_IMODE((base / "psutil").lstat().st_mode) == stat.S_IMODE(base.lstat().st_mode) == 0o700
    assert [path.name for path in cache.iterdir()] == [base.name]


@pytest.mark.parametrize("tamper", [change, add, remove])
@pytest.mark.usefixtures("cache")
def test_what_is_named_by_its_digest_must_have_that_digest(tamper: object, small: Path) -> None:
    name = parcel.digest(packed(small))
    assert parcel.kept(name) is None
    base = kept(parcel.keep(packed(small)))
    assert callable(tamper)
    tamper(base)
    assert parcel.kept(name) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("inside", [".", "psutil", "psutil/__init__.py"])
def test_what_belongs_to_somebody_else_is_replaced(small: Path, cache: Path, inside: str) -> None:
    base = kept(parcel.keep(packed(small)))
    os.chown(base / inside, 12345, 12345)
    assert parcel.keep(packed(small)) == str(base)
    assert {path.stat().st_uid for path in [*base.rglob("*"), base, cache]} == {0}


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777], ids=oct)
def test_whatever_the_umask(small: Path, cache: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        base = kept(parcel.keep(packed(small)))
    finally:
        os.umask(before)
    for path in (cache.parent, cache, base, base / "psutil"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (base / "psutil").iterdir())
    assert packed(base) == packed(small)


@pytest.mark.parametrize("which", ["mpboot", "mpboot/psutil"])
def test_a_cache_that_is_a_link_is_not_used(small: Path, cache: Path, tmp_path: Path, which: str) -> None:
    parcel.keep(packed(small))
    (cache.parent.parent / which).rename(tmp_path / "elsewhere")
    (cache.parent.parent / which).symlink_to(tmp_path / "elsewhere")
    assert parcel.keep(packed(small)) is None


@pytest.mark.parametrize("which", ["mpboot", "mpboot/psutil"])
def test_a_cache_that_others_can_write_to_is_not_used(small: Path, cache: Path, which: str) -> None:
    parcel.keep(packed(small))
    (cache.parent.parent / which).chmod(0o777)
    assert parcel.keep(packed(small)) is None


@pytest.mark.usefixtures("cache")
def test_what_another_user_could_have_made_is_not_used(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed(small)
    parcel.keep(whole)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert parcel.keep(whole) is None


def test_where_nothing_can_be_kept(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    assert parcel.keep(packed(small)) is None
    assert parcel.cached() == []


def test_a_name_that_leads_elsewhere_does_not(cache: Path, tmp_path: Path) -> None:
    files = (("../../../escaped.py", b"1"), ("x.so", b"2"))
    with pytest.raises(ValueError, match="no file"):
        parcel.keep(zlib.compress(marshal.dumps((parcel.platform(), files), 2)))
    assert [path for path in tmp_path.rglob("escaped.py") if cache not in path.parents] == []


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, small: Path, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parcel.cached() == []
    base = kept(parcel.keep(packed(small)))
    assert base.parent == tmp_path / ".cache" / "mpboot" / "psutil"
    assert parcel.cached() == [base.name]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
@pytest.mark.parametrize("which", ["cache", "."])
def test_nothing_is_kept_where_others_can_write(
    small: Path, tmp_path: Path, cache: Path, mode: int, which: str
) -> None:
    """They could put a cache of theirs in its place once it has been looked at; not where the sticky bit is set."""
    base = kept(parcel.keep(packed(small)))
    place = tmp_path / which
    place.chmod(mode)
    name, is_sticky = base.name, bool(mode & stat.S_ISVTX)
    assert parcel.others_write() == ("" if is_sticky else str(place))
    assert parcel.cached() == ([name] if is_sticky else [])
    assert parcel.kept(name) == parcel.keep(packed(small)) == (str(base) if is_sticky else None)
    shutil.rmtree(cache)
    assert parcel.keep(packed(small)) == (str(base) if is_sticky else None)
    assert cache.exists() == is_sticky, "nothing is written there"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.usefixtures("cache")
def test_nothing_is_kept_where_somebody_else_is_at_home(small: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    os.chown(tmp_path / "cache", 12345, 12345)
    assert parcel.keep(packed(small)) is None
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_a_home_for_caches_may_be_a_link(small: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir(0o700)
    (tmp_path / "cache").symlink_to(tmp_path / "scratch")
    kept(parcel.keep(packed(small)))
    (tmp_path / "scratch").chmod(0o777)
    assert parcel.keep(packed(small)) is None
