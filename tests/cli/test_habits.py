"""What people type out of habit: understood, or refused in a line that says what to type."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpboot.cli import habits
from mpboot.cli.codes import UsageError
from tests.cli.commands import COMMANDS, GROUP
from tests.cli.conftest import Refused
from tests.support.run_mpboot import mpboot


@pytest.fixture(autouse=True)
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with one hostfile."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text("a\n")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["uptime; date"], "'uptime; date' is one word, and no shell reads it: type -- sh -c 'uptime; date'"),
        (["a|b"], "'a|b' is one word, and no shell reads it: type -- sh -c 'a|b'"),
        (["echo $HOME"], "'echo $HOME' is one word, and no shell reads it: type -- sh -c 'echo $HOME'"),
        (["~/x"], "'~/x' is one word, and no shell reads it: type -- sh -c '~/x'"),
        (["ls -l /"], "'ls -l /' is one word, and no shell splits it: type -- ls -l /"),
        (["echo 'a b'"], "'echo 'a b'' is one word, and no shell splits it: type -- echo 'a b'"),
        (["A=1", "env"], "'A=1' is no program: type -- env A=1 env"),
        ([""], "no command after --"),
        ([], "no command after --"),
    ],
)
def test_a_command_that_only_a_shell_could_read(refused: Refused, command: list[str], line: str) -> None:
    assert refused("hosts", "--", *command) == f"mpboot: {line}"


@pytest.mark.parametrize("command", [["uptime"], ["sh", "-c", "a; b"], ["./a", "b c", "$d"], ["it's"], ["/x/a=b"]])
def test_commands_as_they_should_be(command: list[str]) -> None:
    habits.check_command(command)


def test_a_long_line_is_cut(refused: Refused) -> None:
    assert len(refused("hosts", "--", "a;" * 9000)) < 400
    assert len(refused("a," * 9000)) < 400
    assert len(refused("hosts", "b" * 9000)) < 400


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("hosts uptime", "'uptime' is one word too many: a command for the hosts goes behind --: type "
         "mpboot hosts -- uptime"),
        ("hosts ls -l /", "'ls' is one word too many: a command for the hosts goes behind --: type "
         "mpboot hosts -- ls -l /"),
        ("boot --children 3 hosts --quiet -v ls -x", "'ls' is one word too many: a command for the hosts goes "
         "behind --: type mpboot --children 3 hosts --quiet -v -- ls -x"),
        ("-w n[1-3] ls -l", "'ls' is one word too many: a command for the hosts goes behind --: type "
         "mpboot -w 'n[1-3]' -- ls -l"),
        ("-wa ls", "'ls' is one word too many: a command for the hosts goes behind --: type mpboot -wa -- ls"),
        ("--hosts=a hosts ls", "'ls' is one word too many: a command for the hosts goes behind --: type "
         "mpboot --hosts=a hosts -- ls"),
        ("- ls", "'ls' is one word too many: a command for the hosts goes behind --: type mpboot - -- ls"),
        ("a b -- ls", "'b' is one word too many: give one hostfile, or all hosts together as --hosts a,b"),
    ],
)  # fmt: skip
def test_a_forgotten_pair_of_dashes(refused: Refused, typed: str, line: str) -> None:
    assert refused(*typed.split()) == f"mpboot: {line}"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            "bot",
            "bot: No such file or directory: did you mean mpboot boot? the commands are boot, exec, nodes, sessions, jobs, kill, grow, shrink, halt, push, pull, env, plan, inspect",  # noqa: E501
        ),
        ("bot hosts", "did you mean mpboot boot?"),
        ("inspekt", "did you mean mpboot inspect?"),
        ("help", "did you mean mpboot --help?"),
        ("n[1-3]", "n[1-3]: No such file or directory: hosts are given as --hosts 'n[1-3]'"),
        ("a,b", "hosts are given as --hosts a,b"),
        ("node1 node2", "node1: No such file or directory: give a readable hostfile, - for standard input, hosts as"),
        (
            "uptime",
            "(boot, exec, nodes, sessions, jobs, kill, grow, shrink, halt, push, pull, env, plan, inspect); a command for the hosts goes behind --",  # noqa: E501
        ),
    ],
)
def test_a_hostfile_that_is_not_there(refused: Refused, typed: str, says: str) -> None:
    assert says in refused(*typed.split())


def test_hosts_in_one_word_with_newlines(refused: Refused) -> None:
    assert refused("a\nb") == (
        'mpboot: a\\nb: No such file or directory: hosts are given as --hosts "a b c", or one a line in a file'
    )


@pytest.mark.parametrize("name", habits.HABITS)
def test_each_foreign_option_says_what_to_type(refused: Refused, name: str) -> None:
    line = f"mpboot: no such option: {name}: {habits.HABITS[name]}; see mpboot --help"
    assert refused(name, "x", "--hosts", "a") == line
    assert refused("--hosts", "a", name, "--", "uptime") == line


@pytest.mark.parametrize("word", ["-f32", "-lroot", "--fanout=3"])
def test_a_foreign_option_with_its_value_in_the_same_word(refused: Refused, word: str) -> None:
    name = word[:2] if word[1] != "-" else "--fanout"
    assert habits.HABITS[name] in refused("hosts", word)


def test_no_foreign_option_is_one_of_ours_and_the_commands_are_all() -> None:
    ours = {name for command in COMMANDS.values() for param in command.params for name in param.opts}
    assert not {name for param in COMMANDS["boot"].params for name in param.opts} & habits.HABITS.keys()
    assert {"--hosts", "-w"} <= ours
    assert set(habits.COMMANDS) == set(COMMANDS) == set(GROUP.commands)


def test_what_is_right_is_not_refused() -> None:
    params = COMMANDS["boot"].params
    habits.check_arguments(["hosts", "--children", "3", "-v", "--hosts", "b", "--rsh=x"], params, True)
    habits.check_arguments(["--nonsense"], params, False)  # typer says what is like it
    with pytest.raises(UsageError, match="'x' is one word too many"):
        habits.check_arguments(["hosts", "--attach", "x"], params, False)


def test_hosts_by_w_more_than_once_for_real() -> None:
    run = mpboot("-w", "a", "-wb,c", "--hosts", "d", "--rsh", "local", "--quiet", "--", "echo", "x")
    assert sorted(run.stdout.split()) == sorted(["a:", "b:", "c:", "d:", *"xxxx"])


def test_a_file_named_as_pdsh_has_it(refused: Refused) -> None:
    line = "bad host name '^hosts': a file of hosts is given as HOSTFILE, without --hosts"
    assert refused("-w", "^hosts") == f"mpboot: --hosts: {line}"


@pytest.mark.parametrize("words", [["\udcfc"], ["-w", "b\udcfc"], ["hosts", "\udcfc"], ["hosts", "--", "\udcfc x"]])
def test_bytes_that_are_no_text(refused: Refused, words: list[str]) -> None:
    assert "\\udcfc" in refused(*words)


def test_the_job_of_oar_for_real(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("a\na\nb\n")
    run = mpboot("--rsh", "local", "--quiet", "--", "echo", "x", OAR_NODEFILE=os.fspath(tmp_path / "nodes"))
    assert sorted(run.stdout.splitlines()) == ["a: x", "b: x"]
