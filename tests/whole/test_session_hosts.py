"""The hosts of a session: those that are lost, that come, that go, and that are tried again."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpboot.session.registry import SessionError
from tests.support.kept import Kept, attached, kept
from tests.support.run_mpboot import script
from tests.support.waiting import until

TREE = ("--topology", "tree", "--children", "2")


@pytest.fixture
def user() -> Iterator[Kept]:
    """Somebody with a session of nine hosts in a tree."""
    with kept("h[1-9]", *TREE) as made:
        yield made


@pytest.mark.long
def test_an_inner_agent_that_dies_under_a_job(user: Kept) -> None:
    inner = user.inner()
    job = user.start("exec", "--", "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.5; done; exit 3")
    assert job.stdout is not None
    first = [job.stdout.readline() for _ in range(9)]
    os.kill(user.nodes()[inner]["pid"], signal.SIGKILL)
    out, errors = job.communicate(timeout=20)
    assert job.returncode == 255
    others = [f"h{n}" for n in range(1, 10) if f"h{n}" != inner]
    said = b"".join(first) + out
    for host in others:
        assert [line.split()[1] for line in said.splitlines() if line.startswith(host.encode() + b":")] == [
            b"1", b"2", b"3", b"4", b"5",
        ]  # fmt: skip
    assert f"mpboot: exit 255 (lost): {inner}\n".encode() in errors
    nodes = user.nodes()
    assert {host for host, node in nodes.items() if node["state"] == "up"} == set(others)
    assert nodes[inner]["state"] == "lost"
    done = user.exec("echo", "x", options=("-x", inner))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 8)


@pytest.mark.long
def test_input_that_is_lost_with_an_inner_agent_is_never_taken_for_all(user: Kept) -> None:
    inner = user.inner()
    read, write = os.pipe()
    job = user.start("exec", "--stdin", "-", "--", "sh", "-c", "read line; echo $line; cat | wc -c", stdin=read)
    os.close(read)
    assert job.stdout is not None
    os.write(write, b"12345\n" * 100)
    for _ in range(9):
        job.stdout.readline()
    os.kill(user.nodes()[inner]["pid"], signal.SIGKILL)
    until(lambda: all(node["parent"] != inner for host, node in user.nodes().items() if host != inner))
    os.write(write, b"6")
    os.close(write)
    out, errors = job.communicate(timeout=20)
    assert job.returncode == 255
    assert b"its standard input was cut" in errors
    assert {line.split()[1] for line in out.splitlines()} == {b"595"}


@pytest.mark.long
def test_those_that_go_hand_their_children_on(user: Kept) -> None:
    inner = user.inner()
    other = user.start("exec", "-x", inner, "--", "sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.25; done")
    assert other.stdout is not None
    first = [other.stdout.readline() for _ in range(8)]
    pid = user.nodes()[inner]["pid"]
    assert user.mpboot("shrink", "-w", inner).returncode == 0
    assert pid not in user.family()
    out, _ = other.communicate(timeout=20)
    assert other.returncode == 0
    assert len(first) + len(out.splitlines()) == 48
    nodes = user.nodes()
    assert inner not in nodes
    assert all(node["state"] == "up" for node in nodes.values())
    assert len(nodes) == 8
    assert user.exec("true").returncode == 0
    done = user.exec("true", options=("-w", inner))
    said = f"mpboot: not in session default: {inner}: mpboot nodes shows its hosts\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert user.mpboot("grow", "--hosts", inner).returncode == 0
    assert len(user.nodes()) == 9


@pytest.mark.long
@pytest.mark.parametrize("parent_first", [True, False])
def test_a_parent_and_who_is_below_it_go_together(user: Kept, parent_first: bool) -> None:
    nodes = user.nodes()
    inner = user.inner()
    below = next(host for host, node in nodes.items() if node["parent"] == inner)
    pair = [inner, below] if parent_first else [below, inner]
    done = user.mpboot("shrink", "-w", ",".join(pair))
    assert (done.returncode, done.stderr) == (0, "")
    assert not {nodes[host]["pid"] for host in pair} & user.family().keys()
    assert {host: node["state"] for host, node in user.nodes().items()} == dict.fromkeys(nodes.keys() - set(pair), "up")


def test_who_does_not_hear_that_it_is_to_leave_is_told_again(user: Kept) -> None:
    """The order is on its way through an agent that dies before it has read it."""
    nodes = user.nodes()
    inner = user.inner()
    below = next(host for host, node in nodes.items() if node["parent"] == inner)
    os.kill(nodes[inner]["pid"], signal.SIGSTOP)
    leaves = user.start("shrink", "-w", below)
    until(lambda: below not in user.nodes())
    os.kill(nodes[inner]["pid"], signal.SIGKILL)
    _, errors = leaves.communicate(timeout=20)
    assert (leaves.returncode, errors) == (0, b"")
    assert nodes[below]["pid"] not in user.family()


@pytest.mark.long
def test_those_that_come_join_by_the_same_launches(tmp_path: Path) -> None:
    good = tmp_path / "good"
    rsh = script(tmp_path / "rsh", f'case $host in late*) test -e {good} || exit 3;; esac\nSHELL= exec /bin/sh -c "$*"')
    with kept() as user:
        begun = user.mpboot("--hosts", "a,late1", "--rsh", rsh, "--keep", "--retries", "0")
        assert begun.returncode == 1
        grown = user.mpboot("grow", "--hosts", "b,late[1-2],c")
        assert grown.returncode == 1
        assert grown.stderr.splitlines()[-1] == "mpboot: 2 of 4 hosts up; not up: late[1-2]"
        assert "rsh-failed" in grown.stderr
        good.touch()
        grown = user.mpboot("grow", "--hosts", "late[1-2]")
        assert (grown.returncode, grown.stderr) == (0, "mpboot: 2 of 2 hosts up\n")
        assert list(user.nodes()) == ["a", "late1", "b", "late2", "c"]
        assert len(user.exec("echo", "x").stdout.splitlines()) == 5
        again = user.mpboot("grow", "--hosts", "a,d")  # the same hostfile, with one more
        assert (again.returncode, again.stderr) == (0, "mpboot: 2 of 2 hosts up\n")
        again = user.mpboot("grow", "--hosts", "a,d")
        assert (again.returncode, again.stderr) == (0, "mpboot: 2 of 2 hosts up\n")


@pytest.mark.long
def test_a_host_that_dies_while_nothing_runs_is_noticed(user: Kept) -> None:
    inner = user.inner()
    os.kill(user.nodes()[inner]["pid"], signal.SIGKILL)
    until(lambda: user.nodes()[inner]["state"] == "lost")
    node = user.nodes()[inner]
    assert (node["cause"], node["detail"]) == ("lost", "the agent was up, then gone: the connection was closed")
    until(lambda: sum(one["state"] == "up" for one in user.nodes().values()) == 8)


@pytest.mark.long
def test_files_of_a_host_on_which_nothing_was_started_stay_as_they_are(user: Kept, tmp_path: Path) -> None:
    os.kill(user.nodes()["h9"]["pid"], signal.SIGKILL)
    until(lambda: user.nodes()["h9"]["state"] == "lost")
    (tmp_path / "h9.out").write_text("of before\n")
    done = user.exec("echo", "now", options=("-w", "h[1,9]", "--output-dir", str(tmp_path)))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (255, "mpboot: exit 255 (lost): h9")
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {
        "h1.out": "now\n", "h1.err": "", "h9.out": "of before\n"
    }  # fmt: skip


@pytest.mark.long
def test_a_barrier_that_a_host_is_missing_at(user: Kept) -> None:
    os.kill(user.nodes()["h9"]["pid"], signal.SIGKILL)
    until(lambda: user.nodes()["h9"]["state"] == "lost")
    done = user.exec("echo", "x", options=("--barrier",))
    assert (done.returncode, done.stdout, done.stderr) == (
        255, "", "mpboot: not up: h9; with --barrier nothing is run\n",
    )  # fmt: skip
    done = user.exec("echo", "x", options=("--barrier", "-x", "h9"))
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 8)


@pytest.mark.long
def test_with_rejoin_they_are_tried_again(tmp_path: Path) -> None:
    good = tmp_path / "good"
    rsh = script(tmp_path / "rsh", f'case $host in late*) test -e {good} || exit 3;; esac\nSHELL= exec /bin/sh -c "$*"')
    with kept() as user:
        user.mpboot("--hosts", "a,b,late", "--rsh", rsh, "--keep", "--retries", "0", "--rejoin")
        os.kill(user.nodes()["b"]["pid"], signal.SIGKILL)
        good.touch()
        until(lambda: all(node["state"] == "up" for node in user.nodes().values()), 20)
        assert len(user.exec("echo", "x").stdout.splitlines()) == 3


@pytest.mark.long
def test_the_library_sees_the_same(user: Kept) -> None:
    with attached(user) as session:
        assert session.nodes() == user.nodes()
        assert list(session.grow(["x1", "x2"])) == ["x1", "x2"]
        assert session.shrink("x1,h9") == ["x1", "h9"]
        assert list(session.nodes()) == [*(f"h{n}" for n in range(1, 9)), "x2"]


@pytest.mark.long
def test_hosts_that_can_not_be_are_refused_and_harm_nobody(user: Kept) -> None:
    with attached(user) as session:
        for wrong in ({"user": 5}, {"python": True}, {"schedule": "no"}, {"alias": "\ud800"}):
            with pytest.raises(SessionError, match=f"bad (host|alias) .*{next(iter(wrong))}|bad alias"):
                session._ask("grow", hosts=[{"name": "late", **wrong}])
        assert list(session.grow("late")) == ["late"]
        assert session.about()["up"] == 10


@pytest.mark.long
@pytest.mark.parametrize("command", ["exec -w h[3-1] -- true", "exec -x h[3-1] -- true", "shrink -w h[3-1]"])
def test_a_set_that_can_not_be_is_said_in_a_line(user: Kept, command: str) -> None:
    done = user.mpboot(*command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mpboot: bad range '3-1' in 'h[3-1]': write [1-3,7] or [001-147]\n"


@pytest.mark.long
def test_nodes_with_a_closed_output(user: Kept) -> None:
    done = user.start("nodes", preexec_fn=lambda: os.close(1))
    assert done.communicate(timeout=30)[1].startswith(b"mpboot: standard output: Bad file descriptor: ")
    assert done.returncode == 74


@pytest.mark.long
def test_a_program_with_many_open_files_uses_a_session(user: Kept) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("the limit of open files is lower than the test needs")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with attached(user) as session:
            assert session.run(["true"]).exit_code == 0
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
@pytest.mark.parametrize("gone", ["h[9-12]", "h9"])
def test_who_was_below_another_keeps_nobody_from_a_new_parent(gone: str) -> None:
    """Hosts leave and come back elsewhere; the node that had them first knows nothing of that."""
    with kept("h[1-12]", "--children", "3") as user:
        for _ in range(2):
            assert user.mpboot("shrink", "-w", gone).returncode == 0
            assert user.mpboot("grow", "--hosts", gone).returncode == 0
        assert user.exec("true").returncode == 0
        assert user.mpboot("shrink", "-w", "h[1-3]").returncode == 0
        wanted = {f"h{number}" for number in range(4, 13)}
        until(lambda: {one.get("parent") for one in user.nodes().values()}.isdisjoint({"h1", "h2", "h3"}))
        done = user.exec("echo", "x")
        assert sorted(done.stdout.splitlines()) == sorted(f"{host}: x" for host in wanted), done.stderr
        assert {host for host, one in user.nodes().items() if one["state"] == "up"} >= wanted
