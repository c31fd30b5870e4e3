"""One launch by an rsh that is a small shell script: what the host says, the limits, the verdict."""

from __future__ import annotations

import errno
import gc
import marshal
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mpboot.net.wire import piece
from mpboot.net.work import Cancel, Ended
from mpboot.workers import launch as module
from mpboot.workers.commandline import BOOTSTRAP, SEPARATE
from mpboot.workers.launch import KEEP, NoRoom
from mpboot.workers.pipes import Writer, pack
from mpboot.workers.rsh import Interrupts
from tests.workers.carried import Carry
from tests.workers.given import KEY, LONG, MARK, descriptors, gone

READ = "read size; head -c $((0x${size#*#}))"  # in an rsh: the payload


# -- what the host says ----------------------------------------------------------------------------


def test_an_agent_that_connects_is_the_end_of_a_launch(carry: Carry) -> None:
    begin = time.monotonic()
    carried = carry(f'{MARK}; for word in shell agent tcp; do echo "$m $word"; done; echo later; echo noise >&2')
    assert carried.end == ("", "")
    assert carried.verdict.detail == ""
    assert carried.verdict.stderr == "noise\n"
    assert carried.states == ["started", "shell", "agent", "tcp"]
    times = [when for _, when in carried.verdict.states]
    assert times == sorted(times)
    assert begin <= times[0] <= times[-1] <= time.monotonic()


def test_the_parent_is_told_of_rsh_and_what_it_is_fed(carry: Carry, tmp_path: Path) -> None:
    carried = carry(f"{MARK}; wc -c > {tmp_path}/fed & read x; echo $$ > {tmp_path}/pid; echo $m tcp", kit=("x" * 500,))
    (started,) = carried.started
    assert started.launch == 3
    assert started.worker_pid == os.getpid()
    assert started.rsh_pid == int((tmp_path / "pid").read_text())
    assert started.fed > 500


def test_the_payload_is_what_rsh_is_fed(carry: Carry, tmp_path: Path) -> None:
    carry(f"{MARK}; {READ} > {tmp_path}/payload; echo $m tcp", kit=("kit",), agents=(7,))
    kit, agents, own = marshal.loads((tmp_path / "payload").read_bytes())
    assert (kit, agents, own[:3]) == ("kit", (7,), (3, 7, "label"))
    assert own[3].startswith("MPBOOT-")


def test_the_host_is_called_by_its_name(carry: Carry) -> None:
    assert carry('echo "$1" >&2; exit 1').verdict.stderr == "name\n"


def test_each_launch_has_a_marker_of_its_own(carry: Carry) -> None:
    said = {carry(f"{MARK}; echo $m >&2; exit 1").verdict.stderr for _ in range(3)}
    assert len(said) == 3
    assert all(len(marker) == len("MPBOOT-") + 16 + 1 for marker in said)


@pytest.mark.parametrize("words", ["shell; exec", "agents", "", "tcpx"])
def test_an_echoed_command_line_is_no_word_of_the_hosts(carry: Carry, words: str) -> None:
    assert carry(f"{MARK}; echo '$ echo '$m '{words}'; exit 1").states == ["started"]


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ("exit 1", ("rsh-failed", "connect")),
        (f"{MARK}; echo $m shell; exit 1", ("rsh-failed", "shell")),
        (f"{MARK}; echo $m shell; echo $m agent; exit 1", ("agent-crash", "agent")),
        (f"{MARK}; echo $m agent; echo $m blocked no route; exit 1", ("callback-blocked", "callback")),
        ("echo 'Permission denied (publickey)' >&2; exit 255", ("auth", "handshake")),
        ("echo 'python3: not found' >&2; exit 127", ("no-python", "shell")),
        ("kill -9 $$", ("rsh-failed", "connect")),
    ],
)
def test_the_cause_is_named(carry: Carry, lines: str, end: tuple[str, str]) -> None:
    assert carry(lines).end == end


def test_what_is_said_without_the_marker_is_evidence(carry: Carry) -> None:
    assert carry("echo the motd; exit 4").verdict.detail.endswith("ended with code 4: the motd")
    assert carry(f"{MARK}; echo $m agent; echo $m blocked no route to h; exit 1").verdict.detail == "no route to h"


def test_what_was_written_is_kept_of_both(carry: Carry) -> None:
    lines = "echo closed; yes banner | head -c 9000 >&2; exit 1"
    kept = carry(lines).verdict.stderr
    assert kept.startswith("closed\n")
    assert kept.endswith("banner\nbanner\nbanne")
    assert len(kept) == KEEP
    kept = carry("yes closed | head -c 7000; yes banner | head -c 7000 >&2; exit 1").verdict.stderr
    assert KEEP - 9 < len(kept) <= KEEP
    assert KEEP // 2 - 9 < kept.index("banner\nb") < KEEP // 2 + 9


def test_a_rsh_that_is_not_there(carry: Carry) -> None:
    carried = carry("", rsh="/nonexistent/rsh {host}")
    assert carried.end == ("rsh-missing", "connect")
    assert carried.verdict.detail == "/nonexistent/rsh: No such file or directory"
    assert carried.started == []
    assert carried.states == []
    assert carry("", rsh="true a\0b").end == ("rsh-missing", "connect")


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_a_limit_of_the_machine_is_no_verdict(carry: Carry, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_spawnp", refuse)
    with pytest.raises(NoRoom) as limit:
        carry("exit 0")
    assert limit.value.errno == number
    assert str(limit.value) == os.strerror(number)


def test_the_bootstrap_runs_what_it_is_fed(carry: Carry) -> None:
    """…with a real python3 behind it."""
    code = f"{MARK}; exec {sys.executable} -S -E -c '{BOOTSTRAP}' \"$m eaten\""
    assert carry(code, kit=("raise SystemExit(9)",)).verdict.detail.endswith("ended with code 9, and no agent began")


# -- limits ----------------------------------------------------------------------------------------


def test_the_times_are_those_that_the_documents_tell() -> None:
    assert vars(module)["BACKUP"] == 1.0


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give launches little time."""
    monkeypatch.setattr(module, "BACKUP", 0.1)
    monkeypatch.setattr(module, "LINGER", 0.1)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ("exec sleep 60", ("connect-timeout", "connect")),
        ("head -c 1; exec sleep 60", ("shell-hang", "shell")),
        (f"{MARK}; echo $m shell; exec sleep 60", ("shell-hang", "shell")),
        (f"{MARK}; echo $m agent; exec sleep 60", ("callback-blocked", "callback")),
    ],
)
def test_a_launch_has_its_timeout(carry: Carry, lines: str, end: tuple[str, str]) -> None:
    begin = time.monotonic()
    carried = carry(lines, timeout=0.3)
    assert carried.end == end
    assert 0.4 <= time.monotonic() - begin < LONG
    assert gone(carried.started[0].rsh_pid)


@pytest.mark.usefixtures("hasty")
def test_rsh_may_linger_a_little_behind_its_agent(carry: Carry) -> None:
    begin = time.monotonic()
    carried = carry(f"{MARK}; echo $m tcp; exec sleep 60", timeout=0.0)
    assert carried.end == ("", "")
    assert 0.1 <= time.monotonic() - begin < LONG
    assert gone(carried.started[0].rsh_pid)


@pytest.mark.usefixtures("hasty")
def test_an_attached_rsh_lives_as_long_as_its_agent(carry: Carry) -> None:
    carried = carry(f"{MARK}; echo $m tcp; sleep 0.4; echo end >&2", timeout=0.1, attach=True)
    assert (carried.end, carried.verdict.stderr) == (("", ""), "end\n")


def test_a_cancelled_launch_ends_its_rsh(carry: Carry, interrupts: tuple[Interrupts, Writer]) -> None:
    carried = carry("exec sleep 60", said=lambda _: interrupts[1].put(Cancel().plain()))
    assert carried.end == ("interrupted", "")
    assert carried.verdict.detail == "cancelled"
    assert gone(carried.started[0].rsh_pid)


def test_what_rsh_leaves_behind_ends_with_a_launch_that_failed(carry: Carry, tmp_path: Path) -> None:
    assert carry(f"sleep 60 & echo $! > {tmp_path}/pid; exit 3").end == ("rsh-failed", "connect")
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_rsh_leaves_behind_stays_with_an_agent_that_connected(carry: Carry, tmp_path: Path) -> None:
    carry(f"{MARK}; sleep 60 & echo $! > {tmp_path}/pid; echo $m tcp")
    psutil.Process(int((tmp_path / "pid").read_text())).kill()  # it is there


def test_no_descriptor_is_left(carry: Carry) -> None:
    carry("exit 1")
    gc.collect()
    before = descriptors()
    carry("exit 1")
    carry("", rsh="/nonexistent/rsh {host}")
    carry("echo /bin/sh", probe=SEPARATE)
    gc.collect()
    assert descriptors() == before


def test_a_verdict_goes_through_a_pipe_at_once(carry: Carry) -> None:
    states = f"{MARK}; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo $m shell; done"
    carried = carry(f"{states}; yes häst | tr -d '\\n' | head -c 9000 >&2; echo; yes häst | head -c 9000; exit 1")
    assert len(carried.states) == 12
    assert carried.verdict.stderr.endswith("hästhä") or carried.verdict.stderr.endswith("häst")
    assert KEEP - 4 < len(carried.verdict.stderr.encode()) <= KEEP
    assert KEEP - 4 < len(carried.verdict.detail.encode()) <= KEEP
    assert len(pack(Ended((1 << 31) - 1, carried.verdict).plain())) <= select.PIPE_BUF


# -- the shell is asked for first ------------------------------------------------------------------


@pytest.mark.parametrize(("shell", "profile"), [("/bin/dash", True), ("/usr/bin/fish", False)])
def test_the_login_shell_decides_what_is_read(carry: Carry, tmp_path: Path, shell: str, profile: bool) -> None:
    carried = carry(
        f'echo "$2" >> {tmp_path}/asked\n'
        f"case $2 in 'echo $SHELL') echo the motd; echo {shell};; *) {MARK}; echo $m tcp;; esac",
        probe=SEPARATE,
    )
    assert carried.end == ("", "")
    assert carried.states == ["started", "started", "tcp"]
    assert [started.fed > 0 for started in carried.started] == [False, True]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == "echo $SHELL"
    assert (".profile" in asked[1]) is profile


@pytest.mark.parametrize("lines", ["echo /bin/sh; exit 255", "exit 0", "echo bash"])
def test_a_shell_that_is_not_told_ends_the_launch(carry: Carry, lines: str) -> None:
    carried = carry(lines, probe=SEPARATE)
    assert carried.end == ("rsh-failed", "connect")
    assert len(carried.started) == 1


# -- through rsh's own stdio -----------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(LONG)
        yield made


@pytest.mark.usefixtures("hasty")
def test_an_agent_without_a_way_back_is_relayed(carry: Carry, listener: socket.socket, tmp_path: Path) -> None:
    answers: list[bytes] = []

    def answer() -> None:
        with listener.accept()[0] as parent:
            parent.settimeout(LONG)
            while not answers or not answers[-1].endswith(b"up 2\n"):
                answers.append((answers[-1] if answers else b"") + parent.recv(100))
                if answers[-1].endswith(b"up 1\n"):
                    parent.sendall(b"down\n")

    for name in ("1", "2"):
        (tmp_path / name).write_bytes(piece(KEY, f"up {name}\n".encode()))
    parent = threading.Thread(target=answer)
    parent.start()
    lines = f'{MARK}; {READ} > /dev/null; echo "$m stdio h: no route"; cat {tmp_path}/1; read x'
    lines += f'; sleep 0.3; [ "$x" = down ] && echo noise && cat {tmp_path}/2; read end'
    carried = carry(lines, port=listener.getsockname()[1], timeout=0.1)
    parent.join(LONG)
    assert answers[-1] == b"up 1\nup 2\n"
    assert carried.end == ("lost", "callback")  # its parent ended the relay, which asks for no cause if it had been up
    assert "does something else there print much" in carried.verdict.detail
    assert carried.states == ["started", "stdio"]


@pytest.mark.parametrize("says", ["", "; echo noise"])
def test_an_agent_that_says_nothing_through_rsh_did_not_come_back(
    carry: Carry, listener: socket.socket, says: str
) -> None:
    """Its parent has sent the relay away, as anybody who is silent."""

    def send_away() -> None:
        listener.accept()[0].close()

    parent = threading.Thread(target=send_away)
    parent.start()
    carried = carry(f"{MARK}; echo $m stdio{says}; exec sleep 60", port=listener.getsockname()[1])
    parent.join(LONG)
    assert carried.end == ("callback-blocked", "callback")
    assert carried.verdict.detail.startswith("the agent was to speak through rsh's stdin and stdout, then nothing came")


def test_a_relay_without_a_parent_is_the_workers_failure(carry: Carry, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    carried = carry(f"{MARK}; echo $m stdio; exec sleep 60", port=port)
    assert carried.end == ("rsh-failed", "connect")
    assert carried.verdict.detail.startswith("its worker failed: ")
    assert gone(carried.started[0].rsh_pid)
