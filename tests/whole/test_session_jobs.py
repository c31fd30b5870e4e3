"""Jobs in a session: on sets of hosts, many at once, fed, signalled, limited; and what their output may cost others."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import monotonic

import psutil
import pytest

from tests.support.kept import Kept, attached, kept
from tests.support.waiting import until


@pytest.fixture(scope="module")
def user() -> Iterator[Kept]:
    """Somebody with a session of nine hosts in a tree of three levels."""
    with kept("h[1-9]", "--topology", "tree", "--children", "2") as made:
        yield made


def holds_at_most(process: psutil.Process, most: int) -> bool:
    return process.num_fds() <= most


def lines(text: str) -> list[str]:
    return sorted(text.splitlines())


class TestSets:
    @pytest.mark.parametrize(
        ("options", "hosts"),
        [
            (("-w", "h[2-3],h7"), ["h2", "h3", "h7"]),
            (("-w", "h1", "-w", "h2"), ["h1", "h2"]),
            (("-x", "h[1-7]"), ["h8", "h9"]),
            (("-w", "h[1-4]", "-x", "h[2-3],h9"), ["h1", "h4"]),
        ],
    )
    def test_to_take_and_to_leave_out(self, user: Kept, options: tuple[str, ...], hosts: list[str]) -> None:
        done = user.exec("echo", "x", options=options)
        assert (done.returncode, lines(done.stdout)) == (0, [f"{host}: x" for host in hosts])

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("-w", "h1,zz,h99"), "not in session default: h99,zz: mpboot nodes shows its hosts"),
            (("-x", "zz"), "not in session default: zz: mpboot nodes shows its hosts"),
            (("-w", "h1", "-x", "h1"), "the set of hosts is empty: -x leaves nobody"),
            (("-w", ""), "-w: the set of hosts is empty: give names, as -w 'node[1-3]', or leave it out"),
        ],
    )
    def test_that_can_not_be(self, user: Kept, options: tuple[str, ...], said: str) -> None:
        done = user.exec("true", options=options)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"mpboot: {said}\n")


class TestEnds:
    def test_the_largest_code_and_a_line_a_code(self, user: Kept) -> None:
        done = user.exec("sh", "-c", "exit $((MPBOOT_RANK % 3 * 5))")
        assert done.returncode == 10
        assert done.stderr.splitlines() == ["mpboot: exit 5: h[2,5,8]", "mpboot: exit 10: h[3,6,9]"]

    def test_by_a_signal(self, user: Kept) -> None:
        assert user.exec("sh", "-c", "kill -9 $$", options=("-w", "h4")).returncode == 137

    def test_no_such_program_or_directory(self, user: Kept) -> None:
        done = user.exec("/no/such", options=("-w", "h4"))
        assert (done.returncode, done.stderr.splitlines()[0]) == (127, "h4: mpboot: /no/such: not found")
        done = user.exec("true", options=("-w", "h4", "--chdir", "/no/such"))
        assert done.returncode == 126
        assert "no way into /no/such: No such file or directory" in done.stderr

    def test_json(self, user: Kept, tmp_path: Path) -> None:
        file = tmp_path / "report"
        user.exec("sh", "-c", "exit 3", options=("-w", "h[1-2]", "--json", str(file)))
        told = json.loads(file.read_text())
        assert (told["command"], told["session"]) == (["sh", "-c", "exit 3"], "default")
        assert type(told["job"]) is int
        assert 0 < told["seconds"] < 30
        assert list(told["hosts"]) == ["h1", "h2"]
        for end in told["hosts"].values():
            assert (end.keys(), end["exit"]) == ({"exit", "seconds"}, 3)

    @pytest.mark.long
    def test_a_limit(self, user: Kept) -> None:
        done = user.exec("sleep", "300", options=("--command-timeout", "0.3", "-w", "h[1-2]"))
        assert done.returncode == 124
        assert done.stderr == "mpboot: exit 124: h[1-2]\n"
        begun = monotonic()
        assert (
            user.exec("sh", "-c", "trap '' TERM; sleep 300 & wait", options=("--command-timeout", "0.3")).returncode
            == 124
        )
        assert monotonic() - begun < 10
        until(lambda: not any("sleep 300" in one for one in user.family().values()), 5)

    @pytest.mark.long
    def test_who_heeds_no_signal_was_ended_by_mpboot_all_the_same(self, user: Kept) -> None:
        job = user.start("exec", "-w", "h[1-2]", "--", "sh", "-c", "trap '' INT; sleep 303 & wait")
        until(lambda: sum(one == "sleep 303 " for one in user.family().values()) == 2)
        job.send_signal(signal.SIGINT)
        _, errors = job.communicate(timeout=15)
        assert (job.returncode, b"exit 137 (ended by mpboot's SIGKILL): h[1-2]" in errors) == (130, True), errors

    @pytest.mark.long
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
    def test_a_signal_reaches_every_process_of_that_job_and_no_other(
        self, user: Kept, number: signal.Signals, code: int
    ) -> None:
        other = user.start("exec", "-w", "h[1-3]", "--", "sh", "-c", "sleep 2.25; echo ended")
        job = user.start("exec", "--", "sh", "-c", "sleep 302 & sleep 302 & wait")
        until(lambda: sum(one == "sleep 302 " for one in user.family().values()) == 18)
        until(lambda: any(one == "sleep 2.25 " for one in user.family().values()))
        job.send_signal(number)
        _, errors = job.communicate(timeout=15)
        assert job.returncode == code
        assert f"mpboot: exit {code} (ended by mpboot's {number.name}): h[1-9]".encode() in errors
        if number == signal.SIGINT:
            assert b"mpboot: the command has ended on 0 of 9, and runs on 9 hosts: h[1-9]\n" in errors
        until(lambda: not any("sleep 302" in one for one in user.family().values()), 5)
        assert lines(other.communicate(timeout=15)[0].decode()) == [f"h{n}: ended" for n in (1, 2, 3)]
        assert other.returncode == 0

    @pytest.mark.parametrize("daemon", ["lives", "is stopped"])
    def test_a_command_that_says_nothing_for_long(self, user: Kept, daemon: str) -> None:
        """The daemon is asked whether it lives, the first time as well; who does not answer is not waited for."""
        code = "import mpboot.cli.follow as f, mpboot.cli.main as m; f.LIFE, f.BEAT = 0.5, 0.1; m.main()"
        words = [sys.executable, "-c", code, "exec", "--", "sleep", "2.5"]
        job = subprocess.Popen(words, env=user.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if daemon == "lives":
            assert job.communicate(timeout=30) == (b"", b"")
            assert job.returncode == 0
            return
        until(lambda: sum(one == "sleep 2.5 " for one in user.family().values()) == 9)
        stopped = user.daemon
        os.kill(stopped, signal.SIGSTOP)
        _, errors = job.communicate(timeout=30)
        os.kill(stopped, signal.SIGCONT)
        assert job.returncode == 255
        assert b"mpboot: session default does not answer: its daemon is stopped" in errors

    def test_who_is_outstanding(self, user: Kept) -> None:
        job = user.start("exec", "--", "sh", "-c", "test $MPBOOT_RANK -lt 7 || exec sleep 303; echo $MPBOOT_HOST")
        assert job.stdout is not None
        assert job.stderr is not None
        for _ in range(7):
            job.stdout.readline()
        until(lambda: sum(one == "sleep 303 " for one in user.family().values()) == 2)
        job.send_signal(signal.SIGUSR1)
        assert job.stderr.readline() == b"mpboot: the command has ended on 7 of 9, and runs on 2 hosts: h[8-9]\n"
        job.terminate()
        job.communicate(timeout=15)

    def test_what_is_left_in_the_background_holds_nobody_up(self, user: Kept) -> None:
        begun = monotonic()
        done = user.exec("sh", "-c", "setsid sleep 4.5 & echo x", options=("-w", "h2"))
        assert (done.returncode, done.stdout) == (0, "h2: x\n")
        assert done.stderr == "mpboot: h2: sleep, left by the command, holds its output: not read any further\n"
        assert monotonic() - begun < 4


class TestDetached:
    @pytest.mark.long
    def test_it_runs_on_is_shown_and_can_be_killed(self, user: Kept) -> None:
        number = user.exec("sleep", "304", options=("--detach",)).stdout.strip()
        until(lambda: sum(one == "sleep 304 " for one in user.family().values()) == 9)
        rows = [line.split() for line in user.mpboot("jobs").stdout.splitlines()]
        assert rows[0] == ["job", "hosts", "left", "age", "command"]
        assert rows[1][:3] == [number, "9", "9"]
        assert rows[1][5:] == ["sleep", "304", "(detached)"]
        assert user.mpboot("kill", number).returncode == 0
        until(lambda: user.mpboot("jobs").stdout == "")
        done = user.mpboot("kill", number)
        assert (done.returncode, done.stderr) == (
            2, f"mpboot: no job {number} runs in session default: mpboot jobs shows those that do\n",
        )  # fmt: skip

    @pytest.mark.long
    def test_a_signal_of_its_own(self, user: Kept, tmp_path: Path) -> None:
        told = tmp_path / "told"
        number = user.exec(
            "sh", "-c", f"trap 'echo usr1 >{told}' USR1; while :; do sleep 0.05; done", options=("--detach", "-w", "h5")
        ).stdout.strip()
        until(lambda: any("trap" in one and "mpboot" not in one for one in user.family().values()))
        until(lambda: user.mpboot("kill", number, "--signal", "USR1").returncode == 0 and told.exists())
        assert user.mpboot("jobs").stdout.splitlines()[1].split()[0] == number
        assert user.mpboot("kill", number, "--signal", "KILL").returncode == 0
        until(lambda: user.mpboot("jobs").stdout == "")


class TestInput:
    def test_the_same_for_all_to_the_byte(self, user: Kept, tmp_path: Path) -> None:
        data = os.urandom(1 << 20) * 5
        file = tmp_path / "data"
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        done = user.exec("sha256sum", options=("--stdin", str(file)))
        assert lines(done.stdout) == [f"h{n}: {digest}  -" for n in range(1, 10)]
        done = user.exec("sha256sum", options=("--stdin", "-"), stdin=data)
        assert lines(done.stdout) == [f"h{n}: {digest}  -" for n in range(1, 10)]

    def test_none(self, user: Kept) -> None:
        assert lines(user.exec("sh", "-c", "readlink /proc/self/fd/0", stdin=b"x").stdout) == [
            f"h{n}: /dev/null" for n in range(1, 10)
        ]
        assert user.exec("wc", "-c", options=("--stdin", os.devnull, "-w", "h1")).stdout == "h1: 0\n"
        done = user.exec("true", options=("--stdin", "/no/such"))
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)

    def test_who_does_not_read_it_holds_nobody_up_for_ever(self, user: Kept) -> None:
        data = bytes(3 << 20)
        done = user.exec(
            "sh", "-c", "test $MPBOOT_RANK = 3 || exec wc -c; exit 4", options=("--stdin", "-"), stdin=data
        )
        assert done.returncode == 4
        assert lines(done.stdout) == [f"h{n}: {len(data)}" for n in (1, 2, 3, 5, 6, 7, 8, 9)]


class TestOutput:
    def test_many_at_once_are_never_mixed(self, user: Kept) -> None:
        def job(number: int) -> None:
            done = session.run(["sh", "-c", f"seq {number}000000 {number}002000; exit {number}"])
            assert set(done.exit_codes.values()) == {number}
            expected = b"".join(b"%d\n" % n for n in range(number * 1000000, number * 1000000 + 2001))
            assert set(done.stdout.values()) == {expected}
            assert len(done.stdout) == 9

        with attached(user) as session, ThreadPoolExecutor(12) as threads:
            list(threads.map(job, range(1, 13)))

    def test_gathered_and_written(self, user: Kept, tmp_path: Path) -> None:
        done = user.exec("sh", "-c", "echo $((MPBOOT_RANK / 5))", options=("-b",))
        assert done.stdout == f"{'-' * 15}\nh[1-5] (5)\n{'-' * 15}\n0\n{'-' * 15}\nh[6-9] (4)\n{'-' * 15}\n1\n"
        done = user.exec("printf", "a\\0b", options=("--output-dir", str(tmp_path / "out"), "-w", "h[1-2]"))
        assert (done.returncode, done.stdout) == (0, "")
        assert (tmp_path / "out" / "h1.out").read_bytes() == b"a\0b"
        assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["h1.err", "h1.out", "h2.err", "h2.out"]

    def test_a_reader_that_stops_holds_up_no_other_job(self, user: Kept) -> None:
        slow = user.start("exec", "--", "yes")
        assert slow.stdout is not None
        slow.stdout.readline()
        slow.send_signal(signal.SIGSTOP)
        for _ in range(3):
            done = user.exec("echo", "x")
            assert (done.returncode, len(done.stdout.splitlines())) == (0, 9)
        daemon = psutil.Process(user.daemon)
        assert daemon.memory_info().rss < 80 << 20
        slow.kill()
        slow.communicate()

    def test_a_reader_that_goes_away(self, user: Kept) -> None:
        job = user.start("exec", "--", "yes")
        assert job.stdout is not None
        job.stdout.readline()
        job.stdout.close()
        assert job.wait(15) == 141

    @pytest.mark.long
    def test_a_flood_from_one_delays_no_other(self, user: Kept) -> None:
        ticks = "for i in 0 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.1; done"
        command = f"test $MPBOOT_RANK = 0 && exec head -c 200000000 /dev/zero; {ticks}"
        came: dict[str, list[float]] = {}
        flood = 0
        with attached(user) as session:
            for host, _, line in session.stream(["sh", "-c", command]):
                if host == "h1":
                    flood += len(line)
                else:
                    came.setdefault(host, []).append(monotonic())
        assert flood == 200_000_000
        assert len(came) == 8
        for times in came.values():
            assert len(times) == 10
            assert max(later - earlier for earlier, later in zip(times, times[1:])) < 1.1
        assert all(psutil.Process(pid).memory_info().rss < 80 << 20 for pid in user.family())


def test_a_word_that_has_no_bytes_is_refused_and_leaves_no_job(user: Kept) -> None:
    with attached(user) as session:
        with pytest.raises(ValueError, match="half of a character"):
            session.run(["echo", "half\ud800"])
        assert session.jobs() == []


@pytest.mark.long
def test_two_hundred_in_a_row_leave_nothing(user: Kept) -> None:
    with attached(user) as session:
        pids = [user.daemon, *(one["pid"] for one in session.nodes().values())]
        for _ in range(20):
            session.run(["true"])
        before = {pid: (psutil.Process(pid).num_fds(), psutil.Process(pid).memory_info().rss) for pid in pids}
        for _ in range(200):
            assert session.run(["true"]).exit_code == 0
        for pid in pids:
            process = psutil.Process(pid)
            until(partial(holds_at_most, process, before[pid][0]))
            assert process.memory_info().rss - before[pid][1] < 300 << 10


def test_input_that_can_not_be_read_to_its_end_is_not_taken_for_all(user: Kept) -> None:
    master, slave = os.openpty()
    script = "read x; echo $x; cat; echo all"
    job = user.start("exec", "-w", "h1", "--stdin", "-", "--", "sh", "-c", script, stdin=master)
    assert job.stdout is not None
    assert job.stderr is not None
    os.write(slave, b"first\n")
    assert job.stdout.readline() == b"h1: first\r\n"
    os.close(slave)
    assert job.wait(20) == 143
    assert job.stdout.read() == b""
    assert b"Input/output error: what was read is not all, so the commands are ended" in job.stderr.read()
    os.close(master)
