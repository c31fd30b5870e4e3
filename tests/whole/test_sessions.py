"""Sessions from their beginning to their end: kept, used, halted, and what happens where one part of them dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.session import connection
from mpboot.session.library import session
from mpboot.session.registry import SessionError
from tests.support.kept import Kept, attached, kept
from tests.support.run_mpboot import LOCAL
from tests.support.waiting import until


@pytest.fixture
def user() -> Iterator[Kept]:
    """Somebody with a session of four hosts."""
    with kept("h[1-4]") as made:
        yield made


@pytest.mark.long
def test_kept_used_and_halted() -> None:
    with kept() as user:
        begun = user.begin("h[1-4]")
        assert begun.stderr.splitlines()[-2].startswith("mpboot: 4 of 4 hosts up in ")
        assert begun.stderr.splitlines()[-1] == (
            "mpboot: session default is kept: mpboot exec -- COMMAND runs one, mpboot halt ends it"
        )
        done = user.exec("sh", "-c", "echo $MPBOOT_HOST $MPBOOT_RANK $MPBOOT_SIZE")
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(done.stdout.splitlines()) == [f"h{n}: h{n} {n - 1} 4" for n in range(1, 5)]
        assert user.mpboot("halt").returncode == 0
        user.gone()
        for command in ("exec -- true", "nodes", "jobs", "halt", "kill 2", "grow --hosts a", "shrink -w a"):
            done = user.mpboot(*command.split())
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == (
                "mpboot: no session default: mpboot HOSTFILE --keep begins one, mpboot sessions shows those there are\n"
            )


def test_a_session_without_hosts_says_what_to_do() -> None:
    with kept() as user:
        user.begin("h1")
        assert user.mpboot("shrink", "-w", "h1").returncode == 0
        done = user.exec("true")
        line = "mpboot: session default has no hosts: mpboot grow HOSTFILE boots some, mpboot halt ends it\n"
        nodes = user.mpboot("nodes")
        assert (nodes.returncode, nodes.stdout, nodes.stderr) == (0, "", line)
        assert (done.returncode, done.stderr) == (2, line)


def test_its_directory_is_for_nobody_else(user: Kept) -> None:
    directory = user.runtime / "mpboot"
    assert [oct(one.stat().st_mode & 0o777) for one in (directory, directory / "default")] == ["0o700"] * 2
    assert oct((directory / "default" / "control").stat().st_mode & 0o777) == "0o600"
    directory.chmod(0o755)
    done = user.exec("true")
    assert (done.returncode, done.stderr) == (
        2, f"mpboot: {directory} can be used by others: it is not used; take it away, or set XDG_RUNTIME_DIR\n",
    )  # fmt: skip
    directory.chmod(0o700)


@pytest.mark.long
def test_a_name_is_taken_once_and_several_live_side_by_side(user: Kept) -> None:
    again = user.mpboot("--hosts", "a", *LOCAL, "--keep")
    assert again.returncode == 2
    assert again.stderr.startswith("mpboot: there is a session default already: ")
    assert user.mpboot("--hosts", "a,b", *LOCAL, "--keep", "--name", "two").returncode == 0
    lines = user.mpboot("sessions").stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [["default", "4", "0", "0"], ["two", "2", "0", "0"]]
    assert user.mpboot("exec", "--name", "two", "--", "echo", "x").stdout.splitlines()[0][1:] == ": x"
    assert user.mpboot("halt", "--name", "two").returncode == 0
    assert [line.split()[0] for line in user.mpboot("sessions").stdout.splitlines()[1:]] == ["default"]


@pytest.mark.parametrize("name", ["a/b", "", "..", ".", "-x", "a b", "x" * 65])
def test_names_that_can_not_be(name: str) -> None:
    with kept() as user:
        done = user.mpboot("--hosts", "a", *LOCAL, "--keep", f"--name={name}")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.long
def test_hosts_that_did_not_come_up_are_told_as_in_a_boot(tmp_path: Path) -> None:
    with kept() as user:
        rsh = tmp_path / "rsh"
        rsh.write_text('#!/bin/sh\ncase $1 in bad*) exit 3;; esac; shift; SHELL= exec /bin/sh -c "$*"\n')
        rsh.chmod(0o755)
        begun = user.mpboot("--hosts", "good1,bad1,good2", "--rsh", str(rsh), "--keep", "--retries", "0")
        assert begun.returncode == 1
        assert "rsh-failed  " in begun.stderr
        nodes = user.nodes()
        assert [nodes[host]["state"] for host in ("good1", "bad1", "good2")] == ["up", "failed", "up"]
        assert nodes["bad1"]["cause"] == "rsh-failed"
        assert user.mpboot("nodes").returncode == 1
        done = user.exec("echo", "x")
        assert (done.returncode, sorted(done.stdout.splitlines())) == (255, ["good1: x", "good2: x"])
        assert "mpboot: exit 255 (rsh-failed): bad1" in done.stderr.splitlines()
        assert user.mpboot("halt").returncode == 0
        rsh.unlink()


@pytest.mark.long
@pytest.mark.parametrize("more", [(), ("--", "echo", "x"), ("--quiet",), ("--push", "/dev/null:/tmp/x")])
def test_where_no_host_comes_up_there_is_no_session(more: tuple[str, ...]) -> None:
    with kept() as user:
        begun = user.mpboot("--hosts", "h[1-2]", "--rsh", "false", "--retries", "0", "--keep", *more)
        assert (begun.returncode, begun.stdout) == (1, "")
        assert begun.stderr.splitlines()[-1] == "mpboot: no host is up: session default has ended"
        user.gone()
        assert user.mpboot("nodes").stderr.startswith("mpboot: no session default")


def test_the_library_says_why_no_host_came_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept() as user:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(user.runtime))
        with pytest.raises(SessionError, match=r"^session default has not begun: 0 of 1 host up") as told:
            session("h1", rsh="false", retries=0)
        assert told.value.report is not None
        assert told.value.report.hosts["h1"].cause == "rsh-failed"
        user.gone()


@pytest.mark.long
def test_who_is_tried_again_may_come_to_a_session_that_has_nobody(tmp_path: Path) -> None:
    with kept() as user:
        rsh = tmp_path / "rsh"
        rsh.write_text('#!/bin/sh\n[ -e $0.go ] || exit 3; shift; SHELL= exec /bin/sh -c "$*"\n')
        rsh.chmod(0o755)
        begun = user.mpboot("--hosts", "h1", "--rsh", str(rsh), "--retries", "0", "--keep", "--rejoin")
        assert begun.returncode == 1
        assert begun.stderr.splitlines()[-1].startswith("mpboot: session default is kept: ")
        (tmp_path / "rsh.go").touch()
        until(lambda: user.nodes()["h1"]["state"] == "up", 30.0)
        assert user.mpboot("halt").returncode == 0
        rsh.unlink()


@pytest.mark.long
def test_a_boot_that_is_interrupted_leaves_no_session(tmp_path: Path) -> None:
    with kept() as user:
        rsh = tmp_path / "rsh"
        rsh.write_text('#!/bin/sh\ncase $1 in slow) sleep 60;; esac; shift; SHELL= exec /bin/sh -c "$*"\n')
        rsh.chmod(0o755)
        begun = user.start("--hosts", "a,slow", "--rsh", str(rsh), "--keep")
        until(lambda: any("sleep 60" in one for one in user.family().values()))
        until(lambda: user.nodes()["a"]["state"] == "up")
        begun.send_signal(signal.SIGINT)
        _, errors = begun.communicate(timeout=15)
        assert begun.returncode == 130
        assert b"interrupted: 1 of 2 hosts up" in errors
        rsh.unlink()
        user.gone()


@pytest.mark.long
def test_the_time_of_the_boot_is_one_in_all_that_is_told(tmp_path: Path) -> None:
    """The daemon takes a while to start; this one takes very long, and that is not the boot's."""
    with kept() as user:
        late = tmp_path / "sitecustomize.py"
        late.write_text("import sys, time\nif 'mpboot session default' in sys.argv: time.sleep(2)\n")
        user.environment["PYTHONPATH"] = f"{tmp_path}:{user.environment.get('PYTHONPATH', '')}"
        rsh = tmp_path / "rsh"
        rsh.write_text('#!/bin/sh\nsleep 3; shift; SHELL= exec /bin/sh -c "$*"\n')
        rsh.chmod(0o755)
        begun = user.mpboot("--hosts", "a", "--rsh", str(rsh), "--keep")
        last, summary = (line for line in begun.stderr.splitlines() if "1 of 1 " in line)
        shown = float(last.split(", ")[-1].removesuffix(" s"))
        assert last.startswith("mpboot: 1 of 1 up, 0 launching, "), last
        assert shown == pytest.approx(float(summary.split(" in ")[1].split(" s ")[0]), abs=0.06)
        late.unlink()


@pytest.mark.long
def test_it_outlives_the_terminal_that_began_it() -> None:
    with kept() as user:
        leader = user.start("--hosts", "a", *LOCAL, "--keep", "--quiet", start_new_session=True)
        assert leader.wait(15) == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGHUP)
        assert user.exec("true").returncode == 0


@pytest.mark.long
def test_a_command_of_the_boot_runs_once() -> None:
    with kept() as user:
        begun = user.mpboot("--hosts", "h[1-3]", *LOCAL, "--keep", "--", "sh", "-c", "echo $MPBOOT_RANK; exit 3")
        assert begun.returncode == 3
        assert sorted(begun.stdout.splitlines()) == ["h1: 0", "h2: 1", "h3: 2"]
        grown = user.mpboot("grow", "--hosts", "x")
        assert (grown.returncode, grown.stdout) == (0, "")
        assert user.exec("true").returncode == 0


@pytest.mark.long
def test_one_that_nobody_uses_ends_by_itself() -> None:
    with kept() as user:
        user.begin("h[1-3]", "--idle-timeout", "1.5")
        until(lambda: "default" not in user.mpboot("sessions").stdout, 20.0)  # to look is no use
        user.begin("h[1-3]", "--idle-timeout", "1.5")
        assert user.exec("sleep", "2").returncode == 0
        until(lambda: not user.family(), 10)
        user.gone()


@pytest.mark.long
def test_one_whose_directory_was_taken_away_can_be_reached_again(user: Kept) -> None:
    """As at the end of a user's last login."""
    daemon = user.daemon
    shutil.rmtree(user.runtime / "mpboot")
    until((user.runtime / "mpboot" / "default" / "control").exists, 15)
    done = user.exec("true")
    assert (done.returncode, done.stderr) == (0, "")
    assert user.daemon == daemon


class TestDeaths:
    @pytest.mark.long
    def test_of_the_daemon(self, user: Kept) -> None:
        job = user.start("exec", "--", "sleep", "300")
        until(lambda: sum("sleep 300" in one for one in user.family().values()) >= 5)
        os.kill(user.daemon, signal.SIGKILL)
        _, errors = job.communicate(timeout=15)
        assert job.returncode == 255
        assert errors.splitlines()[0] == b"mpboot: the daemon of session default has ended"
        assert b"mpboot: exit 255 (lost): h[1-4]" in errors
        until(lambda: not user.family(), 10, lambda: f"left: {user.family()}")
        assert user.exec("true").returncode == 2
        user.begin("a")

    @pytest.mark.long
    def test_of_a_daemon_that_is_stopped(self, user: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
        pid = user.daemon
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr(connection, "ANSWER", 0.3)
        with attached(user) as session:
            with pytest.raises(SessionError) as caught:
                session.run(["true"])
            assert str(caught.value) == (
                f"session default does not answer: its daemon is stopped (kill -CONT {pid} lets it go on, "
                f"kill -KILL {pid} ends it)"
            )
            os.kill(pid, signal.SIGCONT)
            monkeypatch.setattr(connection, "ANSWER", 10)
            assert session.run(["true"]).exit_code == 0

    @pytest.mark.long
    def test_of_a_daemon_that_is_stopped_while_hosts_are_booted(
        self, user: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pid = user.daemon
        ask = connection.Connection.ask

        def stopping(one: connection.Connection, what: str, **values: object) -> None:
            os.kill(pid, signal.SIGSTOP)
            ask(one, what, **values)

        monkeypatch.setattr(connection, "LIFE", 0.3)
        with attached(user) as session:
            monkeypatch.setattr(connection.Connection, "ask", stopping)
            with pytest.raises(SessionError, match="does not answer: its daemon is stopped"):
                session.grow("new")
            os.kill(pid, signal.SIGCONT)
            monkeypatch.undo()
        until(lambda: user.nodes().get("new", {}).get("state") == "up")

    @pytest.mark.long
    def test_of_a_client(self, user: Kept) -> None:
        job = user.start("exec", "--", "sh", "-c", "trap '' TERM; sleep 301; sleep 301")
        until(lambda: sum("sleep 301" in one for one in user.family().values()) >= 9)
        other = user.start("exec", "--", "sh", "-c", "echo begun; sleep 2; echo ended")
        assert other.stdout is not None
        assert other.stdout.readline().endswith(b": begun\n")
        job.kill()
        job.communicate()
        until(lambda: not any("sleep 301" in one for one in user.family().values()), 5)
        assert other.communicate(timeout=15)[0].count(b": ended\n") == 4
        assert other.returncode == 0

    @pytest.mark.long
    def test_of_an_agent(self, user: Kept) -> None:
        agent = user.nodes()["h2"]["pid"]  # asked before: a loaded machine takes longer for that than the command
        job = user.start("exec", "--", "sh", "-c", "echo $MPBOOT_HOST; sleep 1.5; exit 3")
        assert job.stdout is not None
        for _ in range(4):
            job.stdout.readline()
        os.kill(agent, signal.SIGKILL)
        _, errors = job.communicate(timeout=15)
        assert job.returncode == 255
        assert errors.splitlines()[-2:] == [b"mpboot: exit 3: h[1,3-4]", b"mpboot: exit 255 (lost): h2"]
        done = user.mpboot("nodes")
        assert done.returncode == 1
        assert [line.split()[:2] for line in done.stdout.splitlines()] == [
            ["h1", "up"], ["h2", "lost"], ["h3", "up"], ["h4", "up"],
        ]  # fmt: skip
        assert user.mpboot("grow", "--hosts", "h2").returncode == 0
        assert user.exec("true").returncode == 0

    @pytest.mark.long
    def test_what_a_dead_one_has_left_is_cleared_away(self) -> None:
        with kept() as user:
            stale = user.runtime / "mpboot" / "default"
            stale.mkdir(parents=True)
            for directory in (stale.parent, stale):
                directory.chmod(0o700)
            (stale / "lock").touch()
            subprocess.run(
                ["python3", "-c", f"import socket; socket.socket(1).bind({str(stale / 'control')!r})"], check=True
            )
            assert user.mpboot("sessions").stdout == ""
            assert not stale.exists()
            user.begin("a")
            assert user.exec("true").returncode == 0


@pytest.mark.long
def test_a_root_that_dies_is_told_of() -> None:
    with kept("h[1-2]") as user:
        family = user.family()
        below = [pid for pid in family if psutil.Process(pid).ppid() == user.daemon]
        (root,) = [pid for pid in below if "rm -rf" not in family[pid]]
        os.kill(root, signal.SIGKILL)
        until(lambda: not user.family(), 10.0, lambda: str(user.family()))
        done = user.exec("true")
        assert done.returncode == 2
        words = user.runtime / "mpboot" / "default.crashed"
        assert done.stderr.startswith(f"mpboot: no session default: the last one crashed, {words} says why: ")
        assert words.read_text().startswith("mpboot's root process ended unexpectedly: ")
        user.begin("h1")
        assert not words.exists()
