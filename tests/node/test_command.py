"""The user's command, a real one: its output, its exit code, and the end of all that came of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from mpboot.net.jobs import FIRST
from mpboot.net.outlet import HEAD, STDERR, STDOUT, WINDOW, pack_out
from mpboot.node import command as module
from mpboot.node.command import CHUNK, DRAIN
from mpboot.node.guard import KILL_AFTER
from mpboot.node.program import NOT_FOUND, NOT_RUN
from mpboot.workers.family import Census
from tests.node.commanding import JOB, Host, has_ended
from tests.node.played import Rounds, await_end, open_files

SLEEPS = "exec sleep 300"


@pytest.fixture
def host(loop: Rounds) -> Iterator[Host]:
    made = Host(loop)
    yield made
    made.close()


def test_the_numbers() -> None:
    assert (CHUNK, DRAIN, KILL_AFTER, NOT_FOUND, NOT_RUN) == (8192, 1.0, 1.5, 127, 126)


# -- what it says, and how it ends -----------------------------------------------------------------


def test_output_and_exit_code(host: Host) -> None:
    host.run("echo out; echo err >&2; exit 3")
    host.until_it_ended()
    assert host.codes == [3]
    assert sorted(host.sent) == [(7, JOB, STDOUT, b"out\n"), (7, JOB, STDERR, b"err\n")]
    host.loop.once()
    assert host.codes == [3]


def test_who_dies_of_a_signal(host: Host) -> None:
    host.run("kill -9 $$")
    host.until_it_ended()
    assert host.codes == [137]


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("no/such/file", 127, b"mpboot: no/such/file: not found\n"),
        ("/etc/passwd", 126, b"mpboot: /etc/passwd can't be run"),
    ],
)
def test_what_can_not_be_run(host: Host, name: str, code: int, told: bytes) -> None:
    host.run(name, "an argument")
    host.until_it_ended()
    assert host.codes == [code]
    assert host.text(STDERR).startswith(told)


def test_what_is_left_of_one_that_has_ended_is_ended_with_it(host: Host) -> None:
    command = host.run("sleep 300 >/dev/null 2>&1 & echo $!")
    host.until_it_ended()
    left = int(host.text())
    ran = command.running
    command.kill()
    await_end(left)
    assert (ran, command.running, host.codes) == (True, False, [0])


def test_one_that_is_told_to_end_before_it_has_begun(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """…is ended by the signal, though its agent catches that."""
    monkeypatch.setattr(module, "KILL_AFTER", 1000.0)
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        command = host.begin(SLEEPS)
        command.stop(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    host.until_it_ended()
    assert (host.codes, command.signal) == ([143], signal.SIGTERM)


def test_what_it_finds(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "mine")
    monkeypatch.setenv("CHANGED", "before")
    command = host.run(
        "echo $OURS $CHANGED $MPBOOT_TOKEN; readlink /proc/$$/fd/0; ls /proc/$$/fd;"
        "read -r pid _ _ _ _ session _ </proc/$$/stat; echo $pid $session; grep SigIgn /proc/$$/status",
        CHANGED="after",
    )
    host.until_it_ended()
    words, stdin, *files, session, ignored = host.text().decode().splitlines()
    ours, changed, token = words.split()
    assert (ours, changed, len(token)) == ("mine", "after", 16)
    assert (stdin, files) == ("/dev/null", ["0", "1", "2"])
    assert session == f"{command.pid} {command.pid}"
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and its children do unless they are told
        assert not int(ignored.split()[1], 16) >> (number - 1) & 1


def test_it_ignores_what_its_agent_was_started_to_ignore(host: Host) -> None:
    host.run("grep SigIgn /proc/$$/status", ignored=[signal.SIGHUP])
    host.until_it_ended()
    assert int(host.text().split()[1], 16) & 0x7FFFFFFF == 1 << (signal.SIGHUP - 1)


def test_each_has_a_word_of_its_own(host: Host) -> None:
    for _ in range(2):
        host.run("echo $MPBOOT_TOKEN")
        host.until_it_ended()
        host.codes.clear()
    one, other = host.text().split()
    assert one != other


# -- no faster than it is read ---------------------------------------------------------------------


def test_no_more_is_read_than_there_is_credit_for(host: Host) -> None:
    host.run(f"head -c {4 * WINDOW} /dev/zero; echo; echo end")
    host.loop.until(lambda: not host.outlet.room)
    host.loop.once()
    assert sum(HEAD + len(text) for _, _, _, text in host.sent) <= WINDOW + HEAD
    assert all(len(text) <= CHUNK for *_, text in host.sent)
    granted = 0
    while not host.codes:
        sent = sum(HEAD + len(text) for _, _, _, text in host.sent)
        if sent > granted:
            host.outlet.grant(sent - granted)
            granted = sent
        host.loop.until(lambda: host.codes or sum(HEAD + len(text) for _, _, _, text in host.sent) > granted)  # noqa: B023
    assert host.text() == bytes(4 * WINDOW) + b"\nend\n"


def test_a_slow_reader_loses_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """…though the command has long ended, and what it wrote is waited for only so long."""
    monkeypatch.setattr(module, "DRAIN", 0.01)
    host.run(f"head -c {2 * WINDOW} /dev/zero; exit 5")
    waited: list[bool] = []
    host.loop.until(lambda: not host.outlet.room)
    if host.command is not None:
        has_ended(host.command)
    host.loop.later(0.1, lambda: waited.append(True))
    host.loop.until(lambda: waited)
    assert host.codes == []
    while not host.codes:
        host.outlet.grant(WINDOW)
        host.loop.once()
    assert (host.codes, host.text()) == ([5], bytes(2 * WINDOW))


def test_who_has_ended_and_left_somebody_with_its_output(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN", 0.05)
    command = host.run("sleep 300 & echo started; exit 6")
    host.until_it_ended()
    assert (host.codes, host.text()) == ([6], b"started\n")
    assert command.running
    assert host.notes == [("output", "sleep, left by the command, holds its output: not read any further")]


def test_who_closes_its_output_may_go_on(host: Host) -> None:
    before = open_files()
    command = host.run("exec >&- 2>&-; exec sleep 300")
    own = 2 + bool(host.vfork and host.vfork._rest)  # the guard's, and by which it is seen what is mounted
    host.loop.until(lambda: len(open_files() - before) == own)
    assert host.codes == []
    os.kill(command.pid, signal.SIGUSR1)
    host.until_it_ended()
    assert host.codes == [128 + signal.SIGUSR1]


def test_its_end_is_told_when_its_last_words_are(host: Host) -> None:
    command = host.begin("echo last words; exit 5")
    told = command.told
    host.until_it_ended()
    assert (told, command.told, command.running) == (False, True, False)
    assert (host.codes, host.text(), command.signal) == ([5], b"last words\n", 0)


def test_who_reads_again_at_the_last_moment_gets_all_that_is_left(host: Host) -> None:
    command = host.run(f"head -c {WINDOW + 5 * CHUNK} /dev/zero")
    host.loop.until(lambda: not host.outlet.room)
    has_ended(command)
    command.child_changed()
    host.outlet.grant(2 * WINDOW)
    command._look_who_holds()
    assert (host.codes, len(host.text())) == ([0], WINDOW + 5 * CHUNK)


def test_whoever_gives_up_tells_what_is_known(host: Host) -> None:
    command = host.run("exit 5")
    host.outlet.put(pack_out(7, JOB, STDOUT, bytes(WINDOW)))
    has_ended(command)
    command.give_up()
    assert (host.codes, command.signal) == ([5], 0)
    command.give_up()
    assert host.codes == [5]


# -- its end ---------------------------------------------------------------------------------------


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Census]:
    """Those that there were at all processes."""
    made: list[Census] = []
    look = Census.__init__

    def counted(census: Census) -> None:
        made.append(census)
        look(census)

    monkeypatch.setattr(Census, "__init__", counted)
    return made


def leaves_nothing(host: Host) -> None:
    command = host.run("exit 0")
    host.until_it_ended()
    command.stop(0)
    assert not command.running
    command.give_up()
    assert (host.codes.pop(), host.notes) == (0, [])


def test_one_that_leaves_nothing_costs_one_look_at_all_processes(host: Host, looks: list[Census]) -> None:
    leaves_nothing(host)
    assert len(looks) == 1


def test_a_boots_own_costs_none(host: Host, looks: list[Census]) -> None:
    """All hosts' end at once, and ask. Where much else begins on the machine, one may need a look now and then."""
    host.job = FIRST
    for _ in range(50):
        leaves_nothing(host)
        if not looks:
            return
        looks.clear()
    raise AssertionError("there was one each time")


def test_it_is_told_to_end_once(host: Host) -> None:
    command = host.run("trap 'echo asked; exit 8' USR1; echo ready; while :; do sleep 0.01; done")
    host.until_it_says(b"ready")
    assert command.running
    command.stop(signal.SIGUSR1)
    command.stop(signal.SIGKILL)
    host.until_it_ended()
    assert (host.codes, command.signal) == ([8], signal.SIGUSR1)
    assert host.text() == b"ready\nasked\n"


def test_who_does_not_heed_it_is_killed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KILL_AFTER", 0.1)
    command = host.run("trap '' TERM; echo ready; while :; do sleep 0.01; done")
    host.until_it_says(b"ready")
    command.stop(signal.SIGTERM)
    host.until_it_ended()
    assert (host.codes, command.signal) == ([137], signal.SIGKILL)


def test_who_is_stopped_hears_it_too(host: Host) -> None:
    command = host.run("kill -STOP $$")
    host.loop.look_until(lambda: psutil.Process(command.pid).status() == psutil.STATUS_STOPPED)
    command.stop(signal.SIGTERM)
    host.until_it_ended()
    assert host.codes == [143]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_is_found_and_ended(host: Host, number: int) -> None:
    command = host.run("setsid sh -c 'echo $$; exec >&- 2>&-; exec sleep 300' & exit 0")
    host.until_it_ended()
    daemon = int(host.text())
    assert os.getsid(daemon) == daemon
    assert command.running
    if number == signal.SIGKILL:
        command.kill()
    else:
        command.stop(number)
    await_end(daemon)
    assert not command.running


def test_a_killed_command_leaves_nothing(host: Host) -> None:
    before, files = set(psutil.Process().children()), open_files()
    command = host.run(SLEEPS)
    command.kill()
    host.until_it_ended()
    assert not command.running
    host.end_all()
    assert set(psutil.Process().children()) == before
    assert open_files() == files


def test_who_is_killed_twice_is_still_known_by_its_end(host: Host) -> None:
    """It is not reaped before its code is known."""
    command = host.run(SLEEPS)
    command.kill()
    has_ended(command)
    command.kill()
    host.until_it_ended()
    assert host.codes == [128 + signal.SIGKILL]


def test_the_descriptors_are_closed_with_it(host: Host) -> None:
    files = open_files()
    host.run("true")
    host.until_it_ended()
    left = open_files() - files
    left = {one for one in left if not one.endswith("mountinfo")}
    assert len(left) == 2  # what the guard is told, and by which it sees that this process lives
