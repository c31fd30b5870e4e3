"""The real command from end to end: commands on hosts, interrupts, slow readers; nothing may be left."""

from __future__ import annotations

import array
import fcntl
import os
import signal
import sys
import termios
from pathlib import Path
from time import monotonic

import pytest

from tests.support.run_mpboot import LOCAL, LOGIN, Running, mpboot, script
from tests.support.waiting import until

PEAK = 60  # MB that no process of mpboot's may ever need in these tests


class TestOutput:
    def test_streams_apart_and_lines_whole(self) -> None:
        run = mpboot("--hosts", "h[1-4]", *LOCAL, "--", "sh", "-c", "echo out $MPBOOT_RANK; echo err $MPBOOT_HOST >&2")
        assert run.returncode == 0
        assert sorted(run.stdout.splitlines()) == [f"h{n}: out {n - 1}" for n in range(1, 5)]
        errors = [line for line in run.stderr.splitlines() if not line.startswith("mpboot: ")]
        assert sorted(errors) == [f"h{n}: err h{n}" for n in range(1, 5)]

    def test_variables(self) -> None:
        run = mpboot("--hosts", "a,b", *LOCAL, "--", "sh", "-c", "echo $MPBOOT_RANK of $MPBOOT_SIZE on $MPBOOT_HOST")
        assert sorted(run.stdout.splitlines()) == ["a: 0 of 2 on a", "b: 1 of 2 on b"]

    def test_last_line_without_an_end(self) -> None:
        assert mpboot("--hosts", "a", *LOCAL, "--", "printf", "one\\ntwo").stdout == "a: one\na: two\n"

    def test_bytes_pass_unharmed(self) -> None:
        with Running("--hosts", "a", *LOCAL, "--", "printf", "\\033[31m\\377\\000x\\r\\n") as run:
            assert run.stdout.read() == b"a: \x1b[31m\xff\x00x\r\n"
            assert run.end() == 0

    def test_exit_codes(self) -> None:
        run = mpboot("--hosts", "h[1-3]", *LOCAL, "--", "sh", "-c", "exit $((MPBOOT_RANK * 3))")
        assert run.returncode == 6
        assert run.stderr.splitlines()[-3:-1] == ["mpboot: exit 3: h2", "mpboot: exit 6: h3"]

    def test_no_such_command(self) -> None:
        assert mpboot("--hosts", "a", *LOCAL, "--", "/nonexistent").returncode == 127

    def test_reader_that_goes_away(self) -> None:
        with Running("--hosts", "h[1-3]", *LOCAL, "--", "yes") as run:
            assert run.stdout.readline().endswith(b": y\n")
            run.stdout.close()
            errors = run.stderr.read()
            assert run.end() == 141
        assert errors.endswith(b"mpboot: ended: nobody reads its output any more\n")
        assert b"Traceback" not in errors

    def test_slow_reader_gets_every_line_of_every_host_whole(self) -> None:
        command = ("seq", "100000", "130000")
        with Running("--hosts", "h[1-6]", *LOCAL, "--topology", "ring", "--quiet", "--", *command) as run:
            until_stuck(run, run.stdout.fileno(), "seq", 6)
            lines = run.stdout.read().splitlines()
            assert run.end() == 0
        for host in range(1, 7):
            mine = [line for line in lines if line.startswith(b"h%d: " % host)]
            assert mine == [b"h%d: %d" % (host, number) for number in range(100000, 130001)]

    def test_end_comes_though_something_holds_the_pipes(self) -> None:
        with Running("--hosts", "a", *LOCAL, "--", "sh", "-c", "sleep 987 & echo started") as run:
            assert run.stdout.read() == b"a: started\n"
            assert b"mpboot: a: sleep, left by the command, holds its output" in run.stderr.read()
            assert run.end() == 0


class TestMemory:
    def test_one_line_of_fifty_megabytes(self) -> None:
        code = "import sys\nfor _ in range(50): sys.stdout.write('x' * (1 << 20))\nprint('y', flush=True)\ninput()"
        with Running("--hosts", "a", *LOCAL, "--", sys.executable, "-c", code + " or open('/dev/null')") as run:
            count = 0
            while True:
                data = os.read(run.stdout.fileno(), 1 << 16)
                count += data.count(b"x")
                if b"y" in data or not data:
                    break
            peaks = run.peaks()
            assert count == 50 << 20
            assert all(peak < PEAK for peak in peaks.values()), peaks
            run.process.send_signal(signal.SIGINT)
            run.end()

    def test_reader_that_stops_then_ctrl_c(self) -> None:
        with Running("--hosts", "h[1-4]", *LOCAL, "--topology", "ring", "--", "yes") as run:
            until_stuck(run, run.stdout.fileno(), "yes", 4)
            peaks = run.peaks()
            assert len(peaks) >= 10
            assert all(peak < PEAK for peak in peaks.values()), peaks
            run.process.send_signal(signal.SIGINT)
            assert run.end() == 130

    @pytest.mark.long
    def test_errors_of_commands_to_a_reader_that_stops(self) -> None:
        with Running("--hosts", "a", *LOCAL, "--", "sh", "-c", "yes >&2") as run:
            until_stuck(run, run.stderr.fileno(), "yes", 1)
            run.process.send_signal(signal.SIGINT)
            assert run.end() == 130


def waiting(fd: int) -> int:
    """Bytes in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def until_stuck(run: Running, fd: int, command: str, count: int) -> None:
    """Wait until so many processes of the command run, and what they write no longer moves."""
    until(lambda: sum(line.split()[:1] == [command] for line in run.family().values()) == count)
    seen = [-1]

    def rests() -> bool:
        seen.append(waiting(fd))
        return seen[-1] > 1 << 14 and len(set(seen[-30:])) == 1

    until(rests)


class TestInterrupts:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_clean_stop(self, number: int) -> None:
        with Running("--hosts", "h[1-3]", *LOCAL, "--", "sh", "-c", "echo up; sleep 100") as run:
            for _ in range(3):
                assert run.stdout.readline().endswith(b": up\n")
            begun = monotonic()
            run.process.send_signal(number)
            errors = run.stderr.read().decode()
            assert run.end() == 128 + number
            assert monotonic() - begun < 3
        assert "mpboot: interrupted: 3 of 3 hosts up" in errors

    def test_while_hosts_are_being_launched(self, tmp_path: Path) -> None:
        rsh = script(tmp_path / "rsh", f"case $host in h2) echo hanging >&2; exec sleep 99;; esac; {LOGIN}")
        with Running("--hosts", "h[1-3]", "--rsh", rsh, "--json", str(tmp_path / "out"), "--", "echo", "up") as run:
            for _ in range(2):
                assert run.stdout.readline().endswith(b": up\n")
            run.process.send_signal(signal.SIGINT)
            errors = run.stderr.read().decode()
            assert run.end() == 130
        assert "interrupted        h2  " in errors
        assert '"cause": "interrupted"' in (tmp_path / "out").read_text()

    def test_daemon_that_a_command_left(self) -> None:
        leave = "setsid sh -c 'trap : TERM INT; sleep 98; sleep 99' </dev/null >/dev/null 2>&1 & echo up; sleep 100"
        with Running("--hosts", "a", *LOCAL, "--", "sh", "-c", leave) as run:
            assert run.stdout.readline() == b"a: up\n"
            until(lambda: any("sleep 98" in line for line in run.family().values()))
            run.process.send_signal(signal.SIGINT)
            assert run.end(5) == 130

    @pytest.mark.alone
    def test_twice_is_at_once(self) -> None:
        stubborn = "trap : INT TERM; echo up; while :; do sleep 1; done"
        with Running("--hosts", "a,b", *LOCAL, "--", "sh", "-c", stubborn) as run:
            for _ in range(2):
                assert run.stdout.readline().endswith(b": up\n")
            run.process.send_signal(signal.SIGINT)
            while b"ending" not in run.stderr.readline():
                continue
            begun = monotonic()
            run.process.send_signal(signal.SIGINT)
            assert run.process.wait(1) == 130
            assert monotonic() - begun < 1
            assert run.end() == 130

    def test_before_anything_began(self) -> None:
        read, write = os.pipe()
        with Running("-", *LOCAL, stdin=read) as run:
            os.close(read)
            os.write(write, b"h1\n")
            until(lambda: waiting(write) == 0)
            run.process.send_signal(signal.SIGINT)
            os.close(write)
            assert run.end() == 130
            assert run.process.returncode == 130

    def test_deadline(self, tmp_path: Path) -> None:
        rsh = script(tmp_path / "rsh", f"[ $host = h2 ] && exec sleep 99; {LOGIN}")
        run = mpboot("--hosts", "h1,h2", "--rsh", rsh, "--deadline", "2")
        assert run.returncode == 1
        assert "deadline           h2  " in run.stderr
        assert "mpboot: deadline reached: 1 of 2 hosts up" in run.stderr

    def test_deadline_is_the_boots_not_the_commands(self) -> None:
        run = mpboot("--hosts", "a", *LOCAL, "--deadline", "2", "--", "sh", "-c", "sleep 2.3; echo done")
        assert (run.returncode, run.stdout) == (0, "a: done\n")


class TestReport:
    @pytest.fixture
    def rsh(self, tmp_path: Path) -> str:
        return script(
            tmp_path / "rsh",
            "case $host in\n"
            'bad*) echo "ssh: connect to host $host port 22: Connection refused" >&2; exit 255;;\n'
            "evil) printf '\\033]0;owned\\007\\n' >&2; exit 9;;\n"
            "noisy) echo Welcome; echo stty: not a tty >&2;;\n"
            f"esac; {LOGIN}",
        )

    def test_folded_by_cause(self, rsh: str) -> None:
        run = mpboot("--hosts", "bad[1-9],evil,noisy,good", "--rsh", rsh, "--retries", "0")
        assert run.returncode == 1
        lines = run.stderr.splitlines()
        assert any(line.startswith("refused            bad[1-9]  e.g. ssh: connect to host bad") for line in lines)
        assert any(line.startswith("rsh-failed         evil") for line in lines)
        assert "mpboot: 2 of 12 hosts up in" in lines[-1]
        assert all(line.isprintable() for line in lines)

    def test_quorum(self, rsh: str) -> None:
        arguments = ("--hosts", "bad1,a,b", "--rsh", rsh, "--retries", "0")
        assert mpboot(*arguments, "--quorum", "60%").returncode == 0
        assert mpboot(*arguments, "--quorum", "3").returncode == 1
        assert mpboot(*arguments, "--quorum", "2", "--", "sh", "-c", "exit 7").returncode == 7

    def test_quiet_tells_only_what_failed(self, rsh: str) -> None:
        run = mpboot("--hosts", "bad1,a", "--rsh", rsh, "--retries", "0", "--quiet", "--", "echo", "x")
        assert run.stdout == "a: x\n"
        assert [line.split()[0] for line in run.stderr.splitlines()] == ["refused", "->", "->"]

    def test_verbose_logs_the_launches(self, rsh: str) -> None:
        run = mpboot("--hosts", "noisy", "--rsh", rsh, "-v")
        assert run.returncode == 0
        for state in ("started", "agent", "up"):
            assert state in run.stderr

    def test_missing_rsh(self) -> None:
        run = mpboot("--hosts", "a,b", "--rsh", "/nonexistent/rsh", "--retries", "0")
        assert run.returncode == 1
        assert "rsh-missing        a,b  /nonexistent/rsh" in run.stderr
