"""Whoever comes to a socket where ssh rides: clients that go at any moment, nonsense, and other users."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rider import ANSWERS, Rider, mutated, rides, talk, visit
from tests.support.waiting import until


@pytest.fixture(scope="module")
def user() -> Iterator[Rider]:
    """Two hosts, and an ssh on the second that goes on through it all."""
    with rides("h[1-2]") as made, made.begin_ssh("h2", "cat") as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"here\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"here\n"
        yield made
        other.stdin.write(b"still here")
        other.stdin.close()
        assert other.stdout.read() == b"still here"
        assert other.wait(10) == 0


def socket_of(user: Rider, host: str) -> Path:
    (found,) = user.place.glob(f"*@{host}:*")
    return found


def settled(user: Rider, descriptors: list[str]) -> None:
    """Nothing is left of the visits: no job, no process, no descriptor."""
    until(lambda: len(user.mpboot("jobs").stdout.splitlines()) == 2, 10.0, lambda: user.mpboot("jobs").stdout)
    until(lambda: len(user.descriptors) <= len(descriptors), 10.0, lambda: f"{user.descriptors}, before {descriptors}")
    until(lambda: not [one for one in user.family().values() if "sleep 983" in one], 10.0)
    assert user.ssh("h1", "echo $((6*7))").stdout == b"42\n"


def test_a_client_that_goes_at_any_moment(user: Rider) -> None:
    before = user.descriptors
    said = talk("exec sleep 983")
    for end in range(0, len(said) + 1, 3):
        visit(socket_of(user, "h1"), said[:end], fds=0)
    for missing in range(4):
        visit(socket_of(user, "h1"), said[: len(said) - missing], fds=3 - missing)
    settled(user, before)


def test_clients_that_go_while_output_is_on_its_way(user: Rider) -> None:
    before = user.descriptors
    for _ in range(30):
        visit(socket_of(user, "h1"), talk("exec yes"), least=ANSWERS)
    settled(user, before)


@pytest.mark.parametrize("seed", range(4))
def test_nonsense(user: Rider, seed: int) -> None:
    before, rng = user.descriptors, random.Random(seed)
    memory = resident(user)
    for _ in range(int(os.environ.get("MPBOOT_VISITS", "150"))):
        visit(socket_of(user, "h1"), mutated(rng, talk("exec true")), fds=rng.randrange(5))
    settled(user, before)
    assert resident(user) - memory < 2_000_000


def resident(user: Rider) -> int:
    """Bytes of memory that the daemon has."""
    return int(Path(f"/proc/{user.daemon}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("term", "size"), [("x" * 300, 0), ("xterm", 10)])
def test_what_no_host_would_take_costs_no_host(user: Rider, term: str, size: int) -> None:
    """ssh is told so, and logs in the normal way, which nobody can here."""
    words = ["-tt", "h1", "true", *["x" * 120_000] * size]
    command = [str(user.bin / "ssh"), "-o", "BatchMode=yes", *words]
    done = subprocess.run(
        command, env={**user.environment, "TERM": term}, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert b"is too long" in done.stderr
    assert user.nodes()["h1"]["state"] == "up"
    assert user.ssh("h1", "echo $((6*7))").stdout == b"42\n"


def as_nobody(path: Path) -> bytes:
    """What another user hears at a socket, or why he does not get there."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresuid(65534, 65534, 65534)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                os.write(write, b"heard: " + sock.recv(99))
        except OSError as error:
            os.write(write, str(error.strerror).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        os.waitpid(pid, 0)
        return said.read()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_is_refused(user: Rider) -> None:
    path = socket_of(user, "h1")
    assert as_nobody(path) == b"Permission denied"
    ways = (user.runtime, user.runtime / "mpboot", user.runtime / "mpboot" / "default", user.place.resolve())
    for one in ways:
        one.chmod(0o755)
    path.chmod(0o666)
    try:
        assert as_nobody(path) == b"heard: "  # turned away, without a word
    finally:
        for one in ways:
            one.chmod(0o700)
    assert visit(path, b"").startswith(b"\0\0\0\x08")
