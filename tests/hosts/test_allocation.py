"""A batch system's allocation, from the environment it sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpboot.hosts import allocation
from mpboot.hosts.allocation import find_allocation
from mpboot.hosts.host import Host, HostError
from mpboot.hosts.sources import from_allocation


def slots(**counts: int) -> list[Host]:
    return [Host(name, slots=count) for name, count in counts.items()]


VARIABLES = {
    "Slurm": ({"SLURM_JOB_NODELIST": "n[001-002],login"}, [Host("n001"), Host("n002"), Host("login")]),
    "Slurm, old": ({"SLURM_NODELIST": "n1"}, [Host("n1")]),
    "Slurm with tasks": (
        {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_TASKS_PER_NODE": "4(x2),3"},
        slots(n1=4, n2=4, n3=3),
    ),
    "Slurm with tasks and cpus": (
        {"SLURM_JOB_NODELIST": "a,b", "SLURM_TASKS_PER_NODE": "1(x2)", "SLURM_JOB_CPUS_PER_NODE": "8,4"},
        [Host("a", slots=1, cpu=8), Host("b", slots=1, cpu=4)],
    ),
    "LSF pairs": ({"LSB_MCPU_HOSTS": "b 5 a 4 "}, slots(b=5, a=4)),
    "LSF names": ({"LSB_HOSTS": "b a b"}, slots(b=2, a=1)),
    "LSF pairs before names": ({"LSB_HOSTS": "x", "LSB_MCPU_HOSTS": "a 2"}, slots(a=2)),
    "empty is not set": ({"SLURM_JOB_NODELIST": "", "PBS_NODEFILE": "", "LSB_HOSTS": "a"}, slots(a=1)),
    "LSF's file before its pairs": ({"LSB_DJOB_HOSTFILE": "", "LSB_MCPU_HOSTS": "a 1", "LSB_HOSTS": "b"}, slots(a=1)),
    "LSF before SGE": ({"LSB_HOSTS": "a", "PE_HOSTFILE": "/no/such"}, slots(a=1)),
    "Slurm, new before old": ({"SLURM_NODELIST": "old", "SLURM_JOB_NODELIST": "new"}, [Host("new")]),
    "Slurm before LSF": ({"SLURM_JOB_NODELIST": "s", "LSB_HOSTS": "a"}, [Host("s")]),
}


@pytest.mark.parametrize(("environ", "expected"), VARIABLES.values(), ids=VARIABLES.keys())
def test_variables(environ: dict[str, str], expected: list[Host]) -> None:
    found = from_allocation(environ)
    assert found is not None
    assert list(found.hosts) == expected
    assert found.warnings == ()
    assert found.source in environ


FILES = {
    "PBS": ("PBS_NODEFILE", "n1\nn1\nn2\nn1\n", slots(n1=3, n2=1)),
    "PBS with comments": ("PBS_NODEFILE", "# n0\nn1 # n2\n\n#\nn1\n", slots(n1=2)),
    "LSF": ("LSB_DJOB_HOSTFILE", "b\na\na\n", slots(b=1, a=2)),
    "OAR": ("OAR_NODEFILE", "n1\nn1\nn2\n", slots(n1=2, n2=1)),
    "OAR, other names": ("OAR_FILE_NODES", "n1\nn1\n", slots(n1=2)),
    "Cobalt": ("COBALT_NODEFILE", "nid00001\nnid00002\n", slots(nid00001=1, nid00002=1)),
    "SGE, two words": ("PE_HOSTFILE", "n1 3\n", slots(n1=3)),
    "SGE": ("PE_HOSTFILE", "n1 4 all.q@n1 UNDEFINED\nn2 2 all.q@n2 <NULL>\nn1 1 b.q@n1 x\n", slots(n1=5, n2=2)),
}


@pytest.mark.parametrize(("variable", "text", "expected"), FILES.values(), ids=FILES.keys())
def test_files(tmp_path: Path, variable: str, text: str, expected: list[Host]) -> None:
    path = tmp_path / "nodes"
    path.write_text(text)
    found = from_allocation({variable: str(path)})
    assert found is not None
    assert list(found.hosts) == expected
    assert (found.warnings, found.source) == ((), f"{variable}={path}")


def test_outside_of_a_job() -> None:
    assert from_allocation({"HOME": "/home/joe"}) is None
    assert find_allocation({}, str) is None


def read(path: str) -> str:
    return f"host-of{path.replace('/', '-')} 2\n"


@pytest.mark.parametrize("variable", ["PBS_NODEFILE", "LSB_DJOB_HOSTFILE", "PE_HOSTFILE"])
def test_files_go_through_the_reader_and_the_source_is_printable(variable: str) -> None:
    found = find_allocation({variable: "/a\x1b"}, lambda path: read(path.rstrip("\x1b")))
    assert found is not None
    entries, source = found
    assert [(host.name, host.slots) for host in entries.hosts] == [("host-of-a", 1 + (variable == "PE_HOSTFILE"))]
    assert (source, entries.warnings) == (f"{variable}=/a\\x1b", [])


def test_which_variable_comes_first() -> None:
    """Each is asked before those that follow it."""
    order = [
        "PBS_NODEFILE", "LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS", "LSB_HOSTS", "PE_HOSTFILE",
        "OAR_NODEFILE", "OAR_FILE_NODES", "OAR_NODE_FILE", "COBALT_NODEFILE",
    ]  # fmt: skip
    environ = {"SLURM_JOB_NODELIST": "s", "SLURM_NODELIST": "s", **dict.fromkeys(order, "f 2")}
    environ["LSB_HOSTS"] = "f"
    asked = []
    while found := find_allocation(environ, lambda _: "a 2\n"):
        asked.append(found[1].partition("=")[0])
        del environ[asked[-1]]
    assert asked == ["SLURM_JOB_NODELIST", "SLURM_NODELIST", *order]


def test_slot_counts_as_large_as_may_be() -> None:
    found = find_allocation({"LSB_MCPU_HOSTS": "a 1000000 b 1 a 1"}, str)
    assert found is not None
    assert found[0].hosts == slots(a=1_000_001, b=1)
    with pytest.raises(HostError, match=r"^LSB_MCPU_HOSTS: bad slot count 1000001: give a whole number "):
        find_allocation({"LSB_MCPU_HOSTS": "a 1000001"}, str)


def test_as_many_hosts_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation, "MAX_HOSTS", 3)
    found = find_allocation({"SLURM_JOB_NODELIST": "a,n[1-2]", "SLURM_TASKS_PER_NODE": "2,1(x2)"}, str)
    assert found is not None
    assert (found[0].hosts, found[0].warnings) == (slots(a=2, n1=1, n2=1), [])
    with pytest.raises(HostError, match=r"^SLURM_JOB_NODELIST: more than 3 hosts, which is the most$"):
        find_allocation({"SLURM_JOB_NODELIST": "a,n[1-3]"}, str)
    for counts in ("1(x3),1", "1,1(x3)", "1(x4)"):
        found = find_allocation({"SLURM_JOB_NODELIST": "a,n[1-2]", "SLURM_TASKS_PER_NODE": counts}, str)
        assert found is not None
        assert len(found[0].warnings) == 1


@pytest.mark.parametrize("counts", ["4", "4(x3)", "rubbish", "4(x999999999)", "0(x2)", "4(x9999999)"])
def test_counts_that_do_not_fit_are_ignored_with_a_warning(counts: str) -> None:
    found = from_allocation({"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_TASKS_PER_NODE": counts})
    assert found is not None
    assert list(found.hosts) == [Host("n1"), Host("n2")]
    misfit = "does not fit the 2 hosts of SLURM_JOB_NODELIST and is ignored"
    assert found.warnings == (f"SLURM_TASKS_PER_NODE='{counts}' {misfit}",)


BAD = {
    "Slurm, an option": ({"SLURM_JOB_NODELIST": "n1,-oX=1"}, "SLURM_JOB_NODELIST: bad host name '-oX=1'"),
    "Slurm, a huge range": ({"SLURM_JOB_NODELIST": "n[1-99999999]"}, "stands for 99999999 hosts or more"),
    "Slurm, nothing": ({"SLURM_JOB_NODELIST": ","}, "SLURM_JOB_NODELIST: no hosts in it"),
    "Slurm, rubbish": ({"SLURM_JOB_NODELIST": "(null)"}, "SLURM_JOB_NODELIST: bad host name '(null)'"),
    "LSF, odd": (
        {"LSB_MCPU_HOSTS": "a 1 b"},
        "LSB_MCPU_HOSTS: 'a 1 b' is not made of pairs: write «host slots host slots»",
    ),
    "LSF, no number": ({"LSB_MCPU_HOSTS": "a x"}, "LSB_MCPU_HOSTS: bad slot count 'x'"),
    "LSF, an escape": ({"LSB_HOSTS": "a \x1b[2J"}, r"LSB_HOSTS: bad host name '\x1b[2J'"),
    "PBS, no file": (
        {"PBS_NODEFILE": "/no/such"},
        "PBS_NODEFILE: /no/such: No such file or directory: give a readable hostfile, or - for standard input; "
        "outside of a job, unset PBS_NODEFILE or give a hostfile",
    ),
    "PBS, standard input": ({"PBS_NODEFILE": "-"}, "PBS_NODEFILE: ./-: No such file"),
    "LSF, a directory": ({"LSB_DJOB_HOSTFILE": "/"}, "LSB_DJOB_HOSTFILE: /: is a directory"),
}


@pytest.mark.parametrize(("environ", "gist"), BAD.values(), ids=BAD.keys())
def test_bad_variables(environ: dict[str, str], gist: str) -> None:
    with pytest.raises(HostError) as caught:
        from_allocation(environ)
    assert gist in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("variable", "text", "gist"),
    [
        ("PBS_NODEFILE", "a\n-oX\n", ":2: bad host name '-oX'"),
        ("PBS_NODEFILE", "\n", ": no hosts in it"),
        ("PE_HOSTFILE", "a 2 q\nb\n", ":2: 'b' has no slot count: write «host slots queue»"),
        ("PE_HOSTFILE", "a 0 q\n", ":1: bad slot count 0"),
    ],
)
def test_bad_files(tmp_path: Path, variable: str, text: str, gist: str) -> None:
    path = tmp_path / "nodes"
    path.write_text(text)
    with pytest.raises(HostError) as caught:
        from_allocation({variable: str(path)})
    assert f"{variable}={path}{gist}" in str(caught.value)
