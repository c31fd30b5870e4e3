"""Machines that are not as they should be: no process can be had, /proc is not there, somebody sits on a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile_boot import HOSTILE, boot, rsh
from tests.support.run_mpboot import Running

pytestmark = pytest.mark.timeout(60)

NOBODY = 61_234  # a user who has no other processes
FOR_EVER = ("sh", "-c", "echo $MPBOOT_HOST runs; sleep 300 & sleep 300; :")


def can(*words: str) -> bool:
    """Does this end well here?"""
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def python_for(user: int) -> str:
    """A Python that this user may execute, and how it is started as that user's; "" if there is none."""
    change = f"setpriv --reuid {user} --regid {user} --clear-groups"
    pythons = (sys.executable, "/usr/bin/python3")
    return next((f"{change} {python}" for python in pythons if can(*change.split(), python, "-IS", "-c", "")), "")


def endless(directory: Path, python: str, *hosts: str) -> Running:
    """A boot with a command that does not end by itself."""
    words = ("--hosts", ",".join(hosts), "--rsh", rsh(directory, python), "--timeout", "20", "-v")
    return Running(*words, "--", *FOR_EVER, cwd=directory, stderr=subprocess.STDOUT)


def read_until(run: Running, *texts: str) -> str:
    """Its output until each host has said one of these."""
    said = ""
    while not all(any(text.format(host) in said for text in texts) for host in hosts_of(run)):
        piece = os.read(run.stdout.fileno(), 1 << 16)
        assert piece, said
        said += piece.decode()
    return said


def hosts_of(run: Running) -> list[str]:
    arguments = run.process.args
    assert isinstance(arguments, list)
    return str(arguments[arguments.index("--hosts") + 1]).split(",")


def end(run: Running) -> None:
    """Interrupt it: nothing may be left."""
    run.process.send_signal(signal.SIGINT)
    assert run.stdout.read()
    assert run.end(10.0) == 130


@pytest.mark.skipif(not python_for(NOBODY), reason="no process can be made another user's here")
def test_a_user_who_may_have_no_more_processes(tmp_path: Path) -> None:
    """The agent is one; what is to end the command is the second; the command would be the third."""
    python = f'prlimit --nproc=2 {python_for(NOBODY)} "$@"'
    with endless(tmp_path, python, "full") as run:
        said = run.stdout.read().decode()
        assert run.end(10.0) == 126, said
    assert "full: mpboot: no room for a process on full: Resource temporarily unavailable" in said
    assert "full runs" not in said


@pytest.mark.skipif(not python_for(NOBODY), reason="no process can be made another user's here")
def test_a_user_who_may_have_one_process(tmp_path: Path) -> None:
    """The agent can't let go of its login: that is no fault of mpboot's to be reported."""
    python = f'prlimit --nproc=1 {python_for(NOBODY)} "$@"'
    words = ("--hosts", "full", "--rsh", rsh(tmp_path, python), "--timeout", "20", "--retries", "0")
    with Running(*words, cwd=tmp_path) as run:
        said = run.stderr.read().decode()
        assert run.end(10.0) == 1
    assert "full  no room for a process on full: mpboot: no room for a process: Resource temporarily" in said
    assert "    -> its limit of processes is reached: " in said
    assert "report it" not in said


@pytest.mark.long
@pytest.mark.parametrize("attach", [False, True])
def test_a_host_that_kills_what_a_login_leaves(tmp_path: Path, attach: bool) -> None:
    """As systemd does where it is told to (KillUserProcesses)."""
    login = tmp_path / "login"
    find = 'grep -qs "LOGIN_OF_A_TEST=$$" $one/environ && [ ${one#/proc/} != $$ ]'
    loop = f"for one in /proc/[0-9]*; do {find} && kill -9 ${{one#/proc/}} && left=1; done"
    login.write_text(
        f'#!/bin/sh\nshift\nLOGIN_OF_A_TEST=$$ /bin/sh -c "$*"\nleft=1\nwhile [ $left ]; do left=\n{loop}; done\n'
    )
    login.chmod(0o755)
    options = ("--attach",) if attach else ("--retries", "0")
    with Running(
        "--hosts", "a", "--rsh", str(login), *options, "--", "sh", "-c", f"sleep {2 if attach else 60}; echo done"
    ) as run:
        said = run.stderr.read().decode()
        output = run.stdout.read()
        code = run.end(10.0)
    assert (code, output) == ((0, b"a: done\n") if attach else (255, b""))
    assert ("--attach" in said) is not attach


def test_too_few_descriptors(tmp_path: Path) -> None:
    """Wherever they end: the command runs and is ended, or it does not run, or the host has failed."""
    python = f'prlimit --nofile=${{HOSTILE#files-}} {sys.executable} "$@"'
    with endless(tmp_path, python, *(f"files-{limit}" for limit in range(5, 20))) as run:
        said = read_until(run, "{0} runs\n", "{0}: mpboot: sh can't be run", "{0} failed:")
        end(run)
    assert "files-19 runs" in said
    assert "can't be run: Too many open files" in said


@pytest.mark.skipif(not can("unshare", "-rm", "mount", "-t", "tmpfs", "none", "/proc"), reason="/proc can't be hidden")
def test_without_proc(tmp_path: Path) -> None:
    python = f"""unshare -rm sh -c 'mount -t tmpfs none /proc && exec {sys.executable} "$@"' sh "$@" """
    with endless(tmp_path, python, "blind", "good") as run:
        read_until(run, "{0} runs\n")
        assert sum("sleep 300" in words for words in run.family().values()) >= 4
        end(run)


SQUATTERS = ("squat-silent", "squat-answers", "squat-echoes", "squat-closes")


@pytest.mark.skipif(not can("unshare", "-rn", "true"), reason="there are no namespaces for networks here")
def test_a_stranger_on_the_parent_s_port(tmp_path: Path) -> None:
    """There is rsh's stdio, and no budget is spent on who says nothing."""
    came = boot(tmp_path, [*SQUATTERS, "good"], "--timeout", "6", "--retries", "0", "--topology", "flat",
                good=[*SQUATTERS, "good"], python=f"unshare -rn {HOSTILE}")  # fmt: skip
    took = {name: host["up"] - host["launched"] for name, host in came.hosts.items()}
    for silent in ("squat-silent", "squat-echoes"):  # a greeting is shorter than an answer: more might come
        assert 2.0 < took.pop(silent) < 3.5  # a third of the time limit
    assert max(took.values()) < 1.5
