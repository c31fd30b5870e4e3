"""OpenSSH's own client over a session of agents on this machine: streams, codes, terminals, signals, deaths."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.rider import BATCH, Rider, rides
from tests.support.waiting import until


@pytest.fixture(scope="module")
def shared() -> Iterator[Rider]:
    """Four hosts that nothing is done to."""
    with rides("h[1-4]") as user:
        yield user


@pytest.fixture
def user() -> Iterator[Rider]:
    """Nine hosts in a tree."""
    with rides("h[1-9]", "--topology", "tree", "--children", "2") as made:
        yield made


def test_streams_and_code(shared: Rider) -> None:
    done = shared.ssh("h1", "cat; echo err >&2; exit 3", input=b"\0in\xff")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"\0in\xff", b"err\n")


def test_it_runs_as_a_login_does(shared: Rider) -> None:
    """By the user's shell, at home, with his variables; without a command, a login shell that reads its input."""
    done = shared.ssh("h2", "echo $0; pwd; env | grep -c -e ^SSH_TTY= -e ^TERM=; tty")
    home = os.path.expanduser("~")  # noqa: PTH111 - what the shell has
    assert done.stdout.decode().splitlines()[1:] == [home, "0", "not a tty"]
    done = shared.ssh("h2", "-T", input=b"echo $0; exit 4\n")
    assert done.returncode == 4
    assert done.stdout.splitlines()[-1].startswith(b"-")


def test_one_variable_is_added_by_which_its_processes_are_found(shared: Rider) -> None:
    done = shared.ssh("h1", "env")
    names = [
        name for line in done.stdout.decode().splitlines() if (name := line.partition("=")[0]).startswith("MPBOOT_")
    ]
    assert names == ["MPBOOT_TOKEN"]
    page = Path(__file__).resolve().parents[2] / "docs" / "ssh.md"
    assert "`MPBOOT_TOKEN`" in page.read_text()


def test_variables_that_the_hosts_sshd_would_take(shared: Rider) -> None:
    """LANG and LC_*, as nearly every sshd; no others."""
    words = ("-o", "SetEnv=LC_ODD=here OTHER=not")
    done = subprocess.run(
        [shared.bin / "ssh", *words, "h1", "echo ${LC_ODD-unset} ${OTHER-unset}"], env=shared.environment,
        capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout in (b"here unset\n", b"unset unset\n")  # the second where this machine's sshd takes none
    config = Path("/etc/ssh/sshd_config")
    if config.exists() and "AcceptEnv LANG LC_*" in config.read_text():
        assert done.stdout == b"here unset\n"


def test_check_names_the_daemon(shared: Rider) -> None:
    done = shared.ssh("-O", "check", "h1")
    assert f"pid={shared.daemon}".encode() in done.stderr


def test_who_dies_by_a_signal_has_no_code(shared: Rider) -> None:
    assert shared.ssh("h1", "kill -9 $$").returncode == 255


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_bytes_both_ways(shared: Rider, size: int) -> None:
    data = os.urandom(size)
    done = shared.ssh("h3", "cat", input=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")


def test_much_output_that_nobody_reads_ends_the_command(shared: Rider) -> None:
    with shared.begin_ssh("h1", "yes") as ssh:
        assert ssh.stdout is not None
        assert ssh.stdout.readline() == b"y\n"
        ssh.stdout.close()
        assert ssh.wait(20) in (141, 255)
    until(lambda: not shared.runs("yes"))


def test_a_full_disk_is_told(shared: Rider) -> None:
    with Path("/dev/full").open("wb") as full:
        done = shared.ssh("h1", "echo lost", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 255
    assert done.stderr == b"mpboot: h1: its output could not be written: No space left on device\n"


def test_one_socket_for_input_and_output(shared: Rider) -> None:
    """As scp, sftp and pdsh have it: the end of the output is said by the socket."""
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs, shared.begin_ssh("h1", "cat", stdin=theirs, stdout=theirs) as ssh:
        ours.sendall(b"some")
        ours.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: ours.recv(100), b"")) == b"some"
        assert ssh.wait(20) == 0


def test_the_users_streams_stay_as_they_were(shared: Rider) -> None:
    read, write = os.pipe()
    with shared.begin_ssh("h1", "cat", stdin=read, stdout=write) as ssh:
        until(lambda: shared.ssh("h1", "true").returncode == 0)
        assert os.get_blocking(read)
        assert os.get_blocking(write)
        ssh.kill()
    os.close(read)
    os.close(write)


def test_forwarding_is_refused_and_ssh_goes_the_normal_way(shared: Rider) -> None:
    """Which here leads nowhere: h1 is no name that resolves."""
    for option, why in (("-A", b"ssh -a rides"), ("-X", b"ssh -x rides"), ("-L7:a:7", b"forwards no ports")):
        environment = {**shared.environment, "DISPLAY": ":7", "SSH_AUTH_SOCK": str(shared.runtime / "none")}
        done = subprocess.run(
            [shared.bin / "ssh", *BATCH, option, "h1", "echo rides"], env=environment, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=30, check=False,
        )  # fmt: skip
        if done.stdout != b"rides\n":  # without an agent or a display, ssh asks for no forwarding
            assert done.returncode == 255
            assert why in done.stderr


def test_a_connection_from_a_host(shared: Rider) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with shared.begin_ssh("-W", f"127.0.0.1:{port}", "h4") as ssh:
            assert ssh.stdin is not None
            assert ssh.stdout is not None
            there, _ = server.accept()
            with there:
                ssh.stdin.write(b"to there")
                ssh.stdin.flush()
                assert there.recv(100) == b"to there"
                there.sendall(b"and back")
            ssh.stdin.close()
            assert ssh.stdout.read() == b"and back"
    done = shared.ssh("-W", f"127.0.0.1:{port}", "h4")
    assert done.returncode == 255
    assert f"127.0.0.1 port {port}: Connection refused".encode() in done.stderr


# -- terminals -------------------------------------------------------------------------------------


def resize(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def read_until(fd: int, mark: bytes) -> bytes:
    """What comes up to the mark; pytest-timeout is behind it."""
    got = b""
    while mark not in got:
        got += os.read(fd, 4096)
    return got


def test_a_terminal_of_the_users_size_and_keys(shared: Rider) -> None:
    master, slave = pty.openpty()
    resize(slave, 33, 101)
    modes = termios.tcgetattr(slave)
    modes[6][termios.VERASE] = b"\x08"
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    first = "stty size; stty -a | grep -o 'erase = [^;]*' | head -1; echo $TERM"
    script = f"{first}; trap 'stty size; echo now' WINCH; echo ready; read x; while :; do sleep 0.1; done"
    environment = {**shared.environment, "TERM": "vt100"}
    words = ["setsid", "--ctty", "--wait", str(shared.bin / "ssh"), "-t", "h1", script]
    with subprocess.Popen(words, env=environment, stdin=slave, stdout=slave, stderr=slave) as ssh:
        said = read_until(master, b"ready\r\n")
        assert b"33 101\r\nerase = ^H\r\nvt100\r\nready\r\n" in said
        resize(master, 44, 55)
        os.write(master, b"\n")
        assert b"44 55\r\nnow" in read_until(master, b"now")
        os.write(master, b"\x03")  # Ctrl-C goes to the far side
        assert ssh.wait(20) == 255
    os.close(slave)
    os.close(master)


def test_a_terminal_that_hangs_up_ends_what_ran_there(shared: Rider) -> None:
    with shared.begin_ssh("-tt", "h2", "echo $$; exec sleep 987") as ssh:
        assert ssh.stdout is not None
        pid = int(ssh.stdout.readline())
        ssh.kill()
    until(lambda: pid not in shared.family())


# -- ends in the middle ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_a_client_ran_ends_with_it(shared: Rider, number: signal.Signals) -> None:
    with shared.begin_ssh("h1", "trap '' HUP; echo $$; sleep 986 & wait") as ssh:
        assert ssh.stdout is not None
        pid = int(ssh.stdout.readline())
        until(lambda: shared.runs("sleep 986"))
        ssh.send_signal(number)
        ssh.wait(10)
    until(lambda: pid not in shared.family() and not shared.runs("sleep 986"), 10)


def test_what_holds_the_output_is_waited_for(shared: Rider) -> None:
    """As sshd does, however silent it is; it ends with an ssh that is killed, and so does the job."""
    done = shared.ssh("h1", "{ sleep 1.7; echo late; } & echo first; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"first\nlate\n", b"")
    with shared.begin_ssh("h1", "setsid sleep 983 & echo first") as ssh:
        assert ssh.stdout is not None
        assert ssh.stdout.readline() == b"first\n"
        until(lambda: shared.runs("sleep 983"))
        ssh.kill()
    until(lambda: not shared.runs("sleep 983") and "sleep 983" not in shared.mpboot("jobs").stdout, 10)


def test_jobs_and_kill_know_it(shared: Rider) -> None:
    with shared.begin_ssh("h2", "exec sleep 985") as ssh:
        until(lambda: "ssh h2 'exec sleep 985'" in shared.mpboot("jobs").stdout)
        (number,) = [line.split()[0] for line in shared.mpboot("jobs").stdout.splitlines() if "sleep 985" in line]
        assert shared.mpboot("kill", number).returncode == 0
        assert ssh.wait(10) == 255


def test_inspect_knows_it(shared: Rider) -> None:
    with shared.begin_ssh("h2", "echo on; exec sleep 984") as ssh:
        assert ssh.stdout is not None
        ssh.stdout.readline()
        done = shared.mpboot("inspect", "--interval", "0.1", str(ssh.pid), "--json")
        (client,) = json.loads(done.stdout)["clients"]
        assert (done.returncode, client["verdict"], client["host"]) == (0, "rides", "h2")
        assert client["waits_for"] == "the command, over session default"
        ssh.kill()


def test_the_host_is_lost(user: Rider) -> None:
    inner = user.inner()
    with user.begin_ssh(inner, "echo on; sleep 100") as ssh:
        assert ssh.stdout is not None
        assert ssh.stderr is not None
        assert ssh.stdout.readline() == b"on\n"
        os.kill(user.nodes()[inner]["pid"], signal.SIGKILL)
        assert ssh.wait(20) == 255
        assert ssh.stderr.read().startswith(f"mpboot: {inner}: lost: ".encode())
    others = {f"h{n}" for n in range(1, 10)} - {inner}
    assert user.sockets() == others
    assert all(user.ssh(host, "true").returncode == 0 for host in sorted(others))


@pytest.mark.long
@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_an_agent_dies_that_passed_input_on(user: Rider, trap: str) -> None:
    """A command never takes a part for all, and ssh says why it has ended."""
    inner = user.inner()
    below = next(host for host, one in user.nodes().items() if one.get("parent") == inner)
    with user.begin_ssh(below, f"{trap}echo on; cat; echo all") as ssh:
        assert ssh.stdin is not None
        assert ssh.stdout is not None
        assert ssh.stderr is not None
        assert ssh.stdout.readline() == b"on\n"
        ssh.stdin.write(b"a part\n")
        ssh.stdin.flush()
        os.kill(user.nodes()[inner]["pid"], signal.SIGKILL)
        assert ssh.wait(20) == 255
        expected = f"mpboot: {below}: its standard input was cut: an agent that passed it on has died\n"
        assert ssh.stderr.read().decode() == expected


@pytest.mark.long
def test_hosts_that_come_and_go(user: Rider) -> None:
    assert user.mpboot("shrink", "-w", "h5").returncode == 0
    assert "h5" not in user.sockets()
    assert user.mpboot("grow", "--hosts", "h5,new1").returncode == 0
    user.mpboot("env")
    assert user.sockets() == {*(f"h{n}" for n in range(1, 10)), "new1"}
    assert user.ssh("new1", "echo $((6*7))").stdout == b"42\n"


@pytest.mark.long
@pytest.mark.parametrize("what", ["mpboot", "mpboot/default/ssh.*"])
def test_the_directory_is_taken_away(what: str) -> None:
    """As the end of a login does, or who tidies up: the sockets come again, and who rides goes on."""
    with rides("h1") as user, user.begin_ssh("h1", "echo on; cat; exit 4") as ssh:
        assert ssh.stdout is not None
        assert ssh.stdout.readline() == b"on\n"
        (taken,) = user.runtime.glob(what)
        shutil.rmtree(taken)
        until(lambda: user.place.is_dir() and user.sockets(), 30.0)
        assert ssh.communicate(b"all", timeout=20) == (b"all", b"")
        assert ssh.returncode == 4
        assert user.mpboot("env", "--", "ssh", "h1", "echo again").stdout == "again\n"


def test_programs_that_can_not_be_put_there_are_a_line() -> None:
    with rides("h1") as user:
        shutil.rmtree(user.bin)
        (user.place.resolve() / "bin").write_text("")
        done = user.mpboot("env")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"mpboot: {user.bin}: File exists: ssh's programs can't be put there\n"


def test_the_daemon_dies_and_ssh_goes_the_normal_way() -> None:
    with rides("h[1-2]") as user:
        script = (user.bin / "ssh").read_text()
        with user.begin_ssh("h1", "echo on; sleep 100") as ssh:
            assert ssh.stdout is not None
            ssh.stdout.readline()
            os.kill(user.daemon, signal.SIGKILL)
            assert ssh.wait(20) == 255
        until(lambda: not user.place.exists())
        copy = user.runtime / "ssh"
        copy.write_text(script)
        copy.chmod(0o700)
        done = subprocess.run([copy, *BATCH, "h1", "true"], capture_output=True, timeout=30, check=False)
        assert done.returncode == 255
        assert done.stderr.startswith(b"ssh: Could not resolve hostname h1")  # and no word of the session
        copy.unlink()


def test_many_at_once_and_many_in_a_row(shared: Rider) -> None:
    begun = [shared.begin_ssh(f"h{1 + n % 4}", f"cat; echo {n}") for n in range(60)]
    for n, ssh in enumerate(begun):
        out, _ = ssh.communicate(b"x", timeout=60)
        assert (ssh.returncode, out) == (0, b"x%d\n" % n)
    before = shared.descriptors
    for _ in range(20):
        assert shared.ssh("h1", "true").returncode == 0
    assert len(shared.descriptors) <= len(before)
