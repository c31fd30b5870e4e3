"""Where sessions are: names, directories for nobody else, who lives, and what the dead have left."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from mpboot.session import registry
from mpboot.session.registry import Place, SessionError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a user with a runtime directory."""
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


def lives(place: Place) -> bool:
    return place.lives


@pytest.mark.parametrize("name", ["a", "default", "joe@head", "A-1_b.c+d", "x" * 64])
def test_names(name: str) -> None:
    assert registry.check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a b", "ä", "a\n", "x" * 65])
def test_names_that_can_not_be(name: str) -> None:
    with pytest.raises(SessionError, match="no session can be called"):
        registry.check_name(name)


def test_without_a_runtime_directory_it_is_in_tmp(tmp_path: Path) -> None:
    own = Path(f"/tmp/mpboot-{os.getuid()}")
    assert registry.base({}) == own
    assert registry.base({"XDG_RUNTIME_DIR": "relative"}) == own
    assert registry.base({"XDG_RUNTIME_DIR": str(tmp_path / "gone")}) == own
    assert registry.base({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "mpboot"


def test_a_name_is_one_daemon_s_for_as_long_as_that_lives(environ: dict[str, str]) -> None:
    place, other = Place("s", environ), Place("s", environ)
    assert not lives(place)
    lock = place.claim()
    assert lives(other)
    assert registry.names(environ) == ["s"]
    with pytest.raises(SessionError, match="there is a session s already: mpboot halt --name s ends it"):
        other.claim()
    os.close(lock)  # however it ends
    assert not lives(other)
    assert registry.names(environ) == []
    assert not place.directory.exists()


@pytest.mark.parametrize("how", [fcntl.LOCK_SH, fcntl.LOCK_EX], ids=["a look", "a dead one cleared away"])
def test_who_only_looks_takes_nobody_s_name(environ: dict[str, str], how: int, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("s", environ)
    os.close(place.claim())
    looks = os.open(place.directory / "lock", os.O_RDWR)
    fcntl.flock(looks, how)
    assert lives(place) is (how == fcntl.LOCK_EX)
    pauses: list[float] = []

    def later(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 3:
            os.close(looks)

    monkeypatch.setattr(registry, "sleep", later)
    lock = place.claim_soon()
    assert len(pauses) == 3
    assert place.holds(lock)
    monkeypatch.setattr(registry, "MOMENT", 0.0)
    with pytest.raises(SessionError, match="there is a session s already"):
        Place("s", environ).claim_soon()
    os.close(lock)


def test_who_claims_it_finds_nothing_of_the_dead(environ: dict[str, str]) -> None:
    place = Place("s", environ)
    os.close(place.claim())
    socket.socket(socket.AF_UNIX).bind(str(place.control))
    (place.directory / "sub").mkdir()
    place.crashed("why")
    lock = place.claim()
    assert [one.name for one in place.directory.iterdir()] == ["lock"]
    assert place.last_words.exists()  # until another session begins
    place.forget_last_words()
    assert not place.has_crashed
    place.clear()
    os.close(lock)
    assert not place.directory.parent.exists()


def test_directories_are_for_their_user_alone(environ: dict[str, str]) -> None:
    place = Place("s", environ)
    place.make()
    assert place.directory.stat().st_mode & 0o777 == place.directory.parent.stat().st_mode & 0o777 == 0o700
    for one in (place.directory, place.directory.parent):
        one.chmod(0o750)
        with pytest.raises(SessionError, match="can be used by others: it is not used"):
            place.check()
        with pytest.raises(SessionError, match="can be used by others"):
            place.claim()
        one.chmod(0o700)


@pytest.mark.skipif(os.getuid() != 0, reason="needs to make a directory another user's")
def test_another_user_s_is_not_used(environ: dict[str, str]) -> None:
    place = Place("s", environ)
    place.make()
    os.chown(place.directory, 65534, 65534)
    with pytest.raises(SessionError, match="is another user's: it is not used"):
        place.check()


def test_a_link_in_its_place_is_not_used(environ: dict[str, str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "mpboot").symlink_to(elsewhere)
    with pytest.raises(SessionError, match="it is not used"):
        Place("s", environ).make()


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    with pytest.raises(SessionError, match="too long for a socket: set XDG_RUNTIME_DIR"):
        Place("s", {"XDG_RUNTIME_DIR": str(deep)})


def test_a_directory_that_may_not_be_looked_into_is_said_in_a_line(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    place = Place("s", environ)  # as under su, which leaves another user's XDG_RUNTIME_DIR
    said = "Permission denied: set XDG_RUNTIME_DIR to a directory of your own"
    monkeypatch.setattr(Path, "is_dir", refused)
    with pytest.raises(SessionError, match=said):
        _ = place.there
    monkeypatch.setattr(registry, "base", lambda _: place.directory.parent)
    with pytest.raises(SessionError, match=said):
        registry.names(environ)


def test_one_directory_that_is_not_to_be_used_hides_no_other(environ: dict[str, str]) -> None:
    lock = Place("good", environ).claim()
    for name in ("ever", "worse"):
        Place(name, environ).make()
        Place(name, environ).directory.chmod(0o755)
    assert registry.names(environ) == ["ever", "good", "worse"]
    with pytest.raises(SessionError, match="/ever can be used by others: it is not used"):
        Place("ever", environ).check()
    os.close(lock)
    registry.base(environ).chmod(0o755)
    with pytest.raises(SessionError, match="/mpboot can be used by others: it is not used"):
        registry.names(environ)
