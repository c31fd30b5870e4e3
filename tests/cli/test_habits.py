"""What people type out of habit: understood, or refused in a line that says what to type."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from mpboot.cli import foreign, habits
from mpboot.cli.codes import UsageError
from mpboot.cli.words import FLAGS, options_of
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
        ([""], "the command after -- is an empty word"),
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
    assert len(refused("a,/" * 9000)) < 400
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
            "bot: No such file or directory: did you mean mpboot boot? the commands are boot, exec, nodes, sessions, jobs, kill, grow, shrink, halt, push, pull, env, plan, inspect, explain",  # noqa: E501
        ),
        ("bot hosts", "did you mean mpboot boot?"),
        ("inspekt", "did you mean mpboot inspect?"),
        ("helpp", "did you mean mpboot --help?"),
        ("x/n[1-3]", "x/n[1-3]: No such file or directory: hosts are given as --hosts 'x/n[1-3]'"),
        ("joe@a", "hosts are given as --hosts joe@a"),
        ("hosts:", "mpboot: 'hosts:': No such file or directory: "),
        ("node1 node2", "node1: No such file or directory: give a readable hostfile, - for standard input, hosts as"),
        (
            "uptime",
            "(boot, exec, nodes, sessions, jobs, kill, grow, shrink, halt, push, pull, env, plan, inspect, explain); a command for the hosts goes behind --",  # noqa: E501
        ),
    ],
)
def test_a_hostfile_that_is_not_there(refused: Refused, typed: str, says: str) -> None:
    assert says in refused(*typed.split())


def test_hosts_in_one_word_with_newlines(refused: Refused) -> None:
    assert refused("a\nb") == (
        'mpboot: a\\nb: No such file or directory: hosts are given as --hosts "a b c", or one a line in a file'
    )


EVERY = {name: options_of(command.params) for name, command in COMMANDS.items()}


@pytest.mark.parametrize("name", foreign.BOOTS)
def test_each_foreign_option_says_what_to_type(refused: Refused, name: str) -> None:
    line = f"mpboot: no such option: {name}: {foreign.BOOTS[name]}; see mpboot --help"
    assert refused(name, "x", "--hosts", "a") == line
    assert refused("--hosts", "a", name, "--", "uptime") == line


@pytest.mark.parametrize("name", sorted(set(foreign.SESSIONS) - EVERY["exec"].keys()))
def test_each_foreign_option_of_exec_says_what_to_type(refused: Refused, name: str) -> None:
    line = f"mpboot: no such option: {name}: {foreign.SESSIONS[name]}; see mpboot exec --help"
    assert refused("exec", name, "x", "--", "uptime") == line


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_proposed_is_there(refused: Refused, command: str) -> None:
    for name in {*foreign.BOOTS, *foreign.SESSIONS} - EVERY[command].keys():
        line = foreign.refusal(command, name, EVERY).partition(": ")[2].partition("; see")[0]
        named = re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", line.partition(": ")[2].partition(" -- ")[0])
        if (
            "'ssh -" not in line
            and "nodeset" not in line
            and "sh -c" not in line
            and " has it" not in line
            and "pdsh" not in line
        ):
            assert [word for word in named if word not in {*EVERY[command], *FLAGS}] == []
    assert refused(command, "--sssh", "--", "ls").startswith("mpboot: no such option: --sssh")


@pytest.mark.parametrize("word", ["-Hroot", "--forks=3", "-vHx"])
def test_a_foreign_option_with_its_value_in_the_same_word(refused: Refused, word: str) -> None:
    name = "-H" if "H" in word else "--forks"
    assert foreign.BOOTS[name] in refused("hosts", word)


def test_no_foreign_option_is_one_of_ours_and_the_commands_are_all() -> None:
    assert not EVERY["boot"].keys() & foreign.BOOTS.keys()
    assert set(habits.COMMANDS) == set(COMMANDS) == set(GROUP.commands)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("exec --topology ring -- ls", "no such option: --topology: boot has it, exec has not; see mpboot exec --help"),
        ("nodes --detach", "no such option: --detach: exec has it, nodes has not; see mpboot nodes --help"),
        ("exec --gahter -- ls", "no such option: --gahter, did you mean --gather?; see mpboot exec --help"),
        ("hosts --time 3", "no such option: --time, did you mean --timeout?; see mpboot --help"),
        ("hosts -timeout 3", "no such option: -timeout: type --timeout; see mpboot --help"),
        ("exec node[1-3] -- ls", "'node[1-3]' is one word too many: hosts of a session are given as -w 'node[1-3]'"),
        ("exec ls -l", "'ls' is one word too many: a command for the hosts goes behind --: type mpboot exec -- ls -l"),
        ("exec -w a ls", "'ls' is one word too many: a command for the hosts goes behind --: type "
         "mpboot exec -w a -- ls"),
        ("env mpiexec a", "'mpiexec' is one word too many: a command goes behind --: type mpboot env -- mpiexec a"),
        ("grow -w x --timeout 3", "no such option: --timeout: the session's own is used: leave it out; see mpboot grow "
         "--help"),
        ("shrink node1", "'node1' is one word too many: hosts of a session are given as -w node1"),
        ("nodes a", "'a' is one word too many: a session is given as --name a"),
        ("nodes -- ls", "nodes runs no command: leave out -- and what follows"),
        ("noeds --long", "noeds: No such file or directory: did you mean mpboot nodes? the commands are "
         + ", ".join(habits.COMMANDS)),
        ("hosts -n 4 -- ls", "-n takes no number, it means no input: every host that is given is booted, once"),
        ("-w a -n --stdin hosts -- ls", "-n is for no input, and --stdin for one: give one of them"),
        ("hosts -f 3 --children 4", "--children and --fanout both say how wide: give one of them"),
        ("hosts -f hosts2", "--fanout must be a number from 1 to 100000, not 'hosts2'"),
        ("-w -", "--hosts -: hosts of standard input need no option: mpboot -"),
        ("- --stdin - -- cat", "- stands for the hosts and for --stdin, and can be read once: give a file for one of "
         "them"),
        ("-w a,-b", "--hosts: bad host name '-b': hosts are left out by --exclude b"),
        ("-w a,b -x a,b", "--exclude a,b: no host is left"),
        ("-w a -x b[3-1]", "--exclude: bad range '3-1' in 'b[3-1]': write [1-3,7] or [001-147]"),
    ],
)  # fmt: skip
def test_whole_lines(refused: Refused, typed: str, line: str) -> None:
    assert refused(*typed.split()) == f"mpboot: {line}"


@pytest.mark.parametrize(
    ("typed", "meant"), [("uname -a", "uname -a"), ("ls | wc", "sh -c 'ls | wc'"), ("it's", "'it'\"'\"'s'")]
)
def test_a_whole_command_line_in_one_word_without_dashes(refused: Refused, typed: str, meant: str) -> None:
    assert refused("exec", typed).endswith(f" goes behind --: type mpboot exec -- {meant}")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("hosts --json --quiet", "--json needs a value, and --quiet is an option: type --json=--quiet if it is meant, "
         "or --json ./--quiet for a file"),
        ("hosts --json --x", "--json needs a value, and --x is an option: type --json=--x if it is meant, "
         "or --json ./--x for a file"),
        ("hosts --json -v", "--json needs a value, and -v is an option: type --json=-v if it is meant, "
         "or --json ./-v for a file"),
        ("hosts --output-dir -b -- ls", "--output-dir needs a value, and -b is an option: type --output-dir=-b if it "
         "is meant, or --output-dir ./-b for a file"),
        ("hosts --timeout --quiet", "--timeout needs a value, and --quiet is an option: type --timeout=--quiet if it "
         "is meant"),
        ("-w --quiet", "-w needs a value, and --quiet is an option: type -w--quiet if it is meant"),
        ("nodes --json --long", "--json needs a value, and --long is an option: type --json=--long if it is meant, "
         "or --json ./--long for a file"),
        ("push --json --verify a b", "--json needs a value, and --verify is an option: type --json=--verify if it is "
         "meant, or --json ./--verify for a file"),
        ("hosts --json", "--json needs a value: --json FILE; see mpboot --help"),
        ("exec --json -- ls", "--json needs a value: --json FILE; see mpboot exec --help"),
    ],
)  # fmt: skip
def test_an_option_is_nobodys_value(refused: Refused, tmp_path: Path, typed: str, line: str) -> None:
    assert refused(*typed.split()) == f"mpboot: {line}"
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_no_option_of_any_command_takes_another_for_its_value(refused: Refused) -> None:
    for command, options in EVERY.items():
        for name in [name for name, param in options.items() if not param.is_flag]:
            if (command, name) != ("inspect", "--json"):
                assert f"{name} needs a value, and --zz is an option" in refused(command, name, "--zz")


def settled(command: str, *args: str, behind: list[str] | None = None) -> list[str]:
    room = {"boot": 1, "plan": 1, "grow": 1}.get(command)
    return habits.settle(command, args, EVERY, room, behind)


def test_what_is_right_is_not_refused() -> None:
    words = ["hosts", "--children", "3", "-v", "--hosts", "b", "--rsh=x"]
    assert settled("boot", *words, behind=["ls"]) == words
    with pytest.raises(UsageError, match="'x' is one word too many"):
        settled("boot", "hosts", "--attach", "x")


@pytest.mark.parametrize("command", habits.HOSTED)
@pytest.mark.parametrize("hosts", ["node[1-3]", "a,b", "@rack", "joe@a,b", "a:22,b", "node[1-3,7]x[1-2]"])
def test_hosts_as_a_word(command: str, hosts: str) -> None:
    assert settled(command, "--name", "x", hosts, "-x", "y") == ["--name", "x", f"--hosts={hosts}", "-x", "y"]


@pytest.mark.parametrize("hosts", ["node1", "./a,b", "a b", "joe@a", "ssh://a:22/", "x/a[1]"])
def test_no_hosts_but_a_file(hosts: str) -> None:
    assert settled("boot", hosts) == [hosts]


@pytest.mark.parametrize("hosts", ["node[1-3]", "a,b", "@rack"])
def test_a_file_of_that_name_comes_first(hosts: str, tmp_path: Path) -> None:
    (tmp_path / hosts).write_text("x\n")
    assert settled("boot", hosts) == [hosts]
    assert mpboot("--quiet", hosts, "--rsh", "local", "--", "echo", "y").stdout == "x: y\n"


def test_hosts_as_a_word_for_real() -> None:
    run = mpboot("node[1-3],b", "-x", "node2,b", "--rsh", "local", "--quiet", "--", "echo", "x")
    assert sorted(run.stdout.splitlines()) == ["node1: x", "node3: x"]


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (["--json"], ["--json=-"]),
        (["--json", "--all"], ["--json=-", "--all"]),
        (["--json", "12", "13"], ["--json=-", "12", "13"]),
        (["12", "--json"], ["12", "--json=-"]),
        (["--json", "file", "12"], ["--json", "file", "12"]),
        (["--json", "-"], ["--json", "-"]),
        (["--json=x"], ["--json=x"]),
    ],
)
def test_inspect_writes_json_to_standard_output_where_no_file_is_named(args: list[str], meant: list[str]) -> None:
    assert settled("inspect", *args) == meant


@pytest.mark.parametrize("words", [["-h"], ["boot", "-h"], ["hosts", "-vh"], ["help"], ["--help", "--nonsense"]])
def test_help_comes_first(words: list[str]) -> None:
    run = mpboot(*words)
    assert run.returncode == 0
    assert run.stdout.startswith("Usage: mpboot ")


@pytest.mark.parametrize("words", [["exec", "-h"], ["help", "exec"], ["exec", "-w", "a", "--help"]])
def test_help_of_a_command(words: list[str]) -> None:
    assert mpboot(*words).stdout.startswith("Usage: mpboot exec ")


@pytest.mark.parametrize("words", [["-V"], ["hosts", "-V"], ["exec", "--version"], ["--quiet", "-V"]])
def test_the_version_from_anywhere(words: list[str]) -> None:
    assert mpboot(*words).stdout.startswith("mpboot 0.")


def test_files_behind_dashes_are_files(refused: Refused) -> None:
    assert refused("push", "--", "-a", "-b") == "mpboot: push: -a: No such file or directory"


def test_letters_of_pdsh_and_clush_for_real(tmp_path: Path) -> None:
    run = mpboot(
        "-w", "a,b,c", "-x", "b", "-f", "2", "-l", "root", "-u", "9", "-t", "9", "-n", "-S", "-b", "--json", "j",
        "--rsh", "local", "--", "sh", "-c", "cat; exit 3", MPBOOT_STDIN="hosts", MPBOOT_CHILDREN="7",
    )  # fmt: skip
    assert run.returncode == 3
    told = json.loads((tmp_path / "j").read_text())
    assert (told["topology"], told["children"], list(told["hosts"])) == ("adaptive", 2, ["a", "c"])
    assert run.stdout == ""  # no input came


def test_who_is_left_out_and_was_not_there_is_said() -> None:
    run = mpboot("plan", "-w", "a,joe@b,ssh://c:22,ssh://c:23", "-x", "b,c,node[1-2]")
    assert run.stdout.splitlines()[-1].startswith("1 host, ")
    assert run.stderr == "mpboot: warning: --exclude: not among the hosts: node[1-2]\n"


@pytest.mark.parametrize("term", ["ssh://c:22", "c:22"])
def test_one_of_two_of_a_name_is_left_out(term: str) -> None:
    run = mpboot("plan", "-w", "a,ssh://c:22,ssh://c:23", "-x", term)
    assert [line[4:] for line in run.stdout.splitlines()[1:-1]] == ["a", "c:23"]


def test_each_name_that_others_have_is_for_a_command_and_is_none() -> None:
    assert set(habits.ELSEWHERE.values()) < set(habits.COMMANDS)
    assert not set(habits.ELSEWHERE) & set(habits.COMMANDS)


def test_hosts_by_w_more_than_once_for_real() -> None:
    run = mpboot("-w", "a", "-wb,c", "--hosts", "d", "--rsh", "local", "--quiet", "--", "echo", "x")
    assert sorted(run.stdout.split()) == sorted(["a:", "b:", "c:", "d:", *"xxxx"])


def test_a_file_named_as_pdsh_has_it(refused: Refused) -> None:
    line = "bad host name '^hosts': a file of hosts is given as HOSTFILE, without --hosts"
    assert refused("-w", "^hosts") == f"mpboot: --hosts: {line}"
    line = "bad host name '^old': the hosts of a file are given as --exclude \"$(cat old)\""
    assert refused("-w", "a", "-x", "^old") == f"mpboot: --exclude: {line}"


@pytest.mark.parametrize("words", [["\udcfc"], ["-w", "b\udcfc"], ["hosts", "\udcfc"], ["hosts", "--", "\udcfc x"]])
def test_bytes_that_are_no_text(refused: Refused, words: list[str]) -> None:
    assert "\\xfc" in refused(*words)


def test_the_job_of_oar_for_real(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("a\na\nb\n")
    run = mpboot("--rsh", "local", "--quiet", "--", "echo", "x", OAR_NODEFILE=os.fspath(tmp_path / "nodes"))
    assert sorted(run.stdout.splitlines()) == ["a: x", "b: x"]
