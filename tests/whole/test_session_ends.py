"""Who leaves a job or a boot that he began: what he is told, and what others see of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.support.kept import Kept, kept
from tests.support.run_mpboot import LOCAL
from tests.support.waiting import until


@pytest.fixture
def user() -> Iterator[Kept]:
    """Somebody without a session."""
    with kept() as made:
        yield made


def test_a_second_ctrl_c_loses_no_host(user: Kept) -> None:
    user.begin("h[1-2]")
    client = user.start("exec", "--", "sh", "-c", "trap '' INT; echo up; while :; do sleep 0.1; done")
    assert client.stdout is not None
    for _ in range(2):
        assert client.stdout.readline().endswith(b": up\n")
    client.send_signal(signal.SIGINT)
    assert client.stderr is not None
    client.stderr.readline()  # who is outstanding: it has heeded the first
    client.send_signal(signal.SIGINT)
    _, errors = client.communicate(timeout=10)
    assert client.returncode == 130
    assert b"mpboot: exit unknown (interrupted): h[1-2]\n" in errors
    assert b"lost" not in errors
    jobs = json.loads(user.mpboot("jobs", "--json", "-").stdout)["jobs"]
    assert [job["detached"] for job in jobs] == [False] * len(jobs)  # it is being ended


def test_a_client_that_is_killed_while_the_daemon_starts_is_no_crash(user: Kept) -> None:
    for tenths in range(1, 7):
        client = user.start("--hosts", "b[1-2]", *LOCAL, "--keep", "--name", f"k{tenths}")
        begun = monotonic()
        until(lambda begun=begun, tenths=tenths: monotonic() - begun > tenths * 0.06)  # type: ignore[misc]
        client.kill()
        client.communicate(timeout=10)
    assert not list(user.runtime.glob("**/*.crashed"))
    for tenths in range(1, 7):
        user.mpboot("halt", "--name", f"k{tenths}")
    assert not list(user.runtime.glob("**/*.crashed"))


def test_what_env_starts_ignores_no_more_signals_than_its_shell(user: Kept) -> None:
    user.begin("h1")
    done = user.mpboot("env", "--", "bash", "-c", "yes | head -1; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("y\n141\n", "")
