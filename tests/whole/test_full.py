"""Output that can't be written: one line on standard error, and an exit code that says so; the boot itself goes on."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cluster import need
from tests.support.run_mpboot import LOCAL, MPBOOT, Running, environment

LOST = 74
FULL = Path("/dev/full")
SAID = "mpboot: standard output: No space left on device: "


def full(*arguments: str, both: bool = False) -> tuple[int, str]:
    """The exit code, and standard error, of a run whose standard output is a full disk; ``both`` are."""
    with FULL.open("wb") as disk:
        run = subprocess.run(
            [*MPBOOT, *arguments], stdin=subprocess.DEVNULL, stdout=disk, stderr=disk if both else subprocess.PIPE,
            env=environment(), timeout=30, check=False,
        )  # fmt: skip
    return run.returncode, (run.stderr or b"").decode()


@pytest.mark.parametrize("code", [0, 7])
def test_output_of_the_command(code: int) -> None:
    ended, said = full("--hosts", "a,b", *LOCAL, "--", "sh", "-c", f"echo hello; exit {code}")
    assert ended == LOST
    assert f"{SAID}18 bytes of output are lost\n" in said


@pytest.mark.parametrize("words", [("--json", "-"), ("--quiet", "--json", "-")])
def test_the_report_as_json(words: tuple[str, ...]) -> None:
    ended, said = full("--hosts", "a", *LOCAL, *words)
    assert ended == LOST
    assert SAID in said


def test_a_boot_that_has_nothing_to_write_there() -> None:
    assert full("--hosts", "a", *LOCAL, "--quiet", "--", "true") == (0, "")


@pytest.mark.parametrize("words", [("--hosts", "a", *LOCAL), ("plan", "--hosts", "a"), ("--help",)])
def test_where_nothing_can_be_said_either(words: tuple[str, ...]) -> None:
    assert full(*words, both=True) == (LOST, "")


@pytest.mark.parametrize(
    "words", [("explain",), ("plan", "--hosts", "a"), ("sessions", "--json", "-"), ("inspect", "--json")]
)
def test_what_was_lost_is_said_by_every_command(words: tuple[str, ...]) -> None:
    ended, said = full(*words)
    assert ended == LOST
    assert said.count(SAID) == 1


def test_only_the_report_is_lost() -> None:
    with FULL.open("wb") as disk:
        run = subprocess.run(
            [*MPBOOT, "--hosts", "a", *LOCAL, "--", "echo", "hello"], stdin=subprocess.DEVNULL, stderr=disk,
            stdout=subprocess.PIPE, env=environment(), timeout=30, check=False,
        )  # fmt: skip
    assert (run.returncode, run.stdout) == (LOST, b"a: hello\n")


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--hosts", "a"),
        ("plan", "--hosts", "a", "--json", "-"),
        ("plan", "--simulate", "--hosts-count", "3"),
        ("--help",),
        ("--version",),
    ],
)
def test_what_boots_nothing(words: tuple[str, ...]) -> None:
    ended, said = full(*words)
    assert ended == LOST
    assert said.startswith("mpboot: standard output: No space left on device: ")
    assert said.count("\n") == 1


@pytest.mark.long
def test_who_is_interrupted_is_told_so_in_the_first_place() -> None:
    with FULL.open("wb") as disk, Running("--hosts", "a", *LOCAL, "--", "yes", stdout=disk) as run:
        for line in run.stderr:
            if b"1 of 1 up" in line:
                break
        run.process.send_signal(signal.SIGINT)
        errors = run.stderr.read().decode()
        assert run.end() == 130
    assert SAID in errors


def test_a_disk_that_gets_full(tmp_path: Path) -> None:
    """What fits is there, the report too where it fits, and what is lost is counted."""
    need("namespaces")
    inside = (
        "mount -t tmpfs -o size=64k none {0} && cd {0} && {1} --hosts a --rsh local --json report.json"
        " -- seq 50000 >out; echo $?; wc -c <out; wc -c <report.json"
    ).format(tmp_path, " ".join(MPBOOT))
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True, timeout=30, check=False,
        env=environment(PYTHONPATH=str(Path(__file__).resolve().parents[2])),
    )  # fmt: skip
    code, size, _ = map(int, run.stdout.split())
    lost = int(run.stderr.partition(SAID)[2].split()[0])
    assert (code, size + lost) == (LOST, sum(len(f"a: {number}\n") for number in range(1, 50001)))
    assert 0 < size <= 65536
