"""A batch system's allocation, from the environment it sets."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    "LSF": ("LSB_DJOB_HOSTFILE", "b\na\na\n", slots(b=1, a=2)),
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
    "LSF, odd": ({"LSB_MCPU_HOSTS": "a 1 b"}, "LSB_MCPU_HOSTS: 'a 1 b' is not made of pairs"),
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
        ("PE_HOSTFILE", "a 2 q\nb\n", ":2: 'b' has no slot count"),
        ("PE_HOSTFILE", "a 0 q\n", ":1: bad slot count 0"),
    ],
)
def test_bad_files(tmp_path: Path, variable: str, text: str, gist: str) -> None:
    path = tmp_path / "nodes"
    path.write_text(text)
    with pytest.raises(HostError) as caught:
        from_allocation({variable: str(path)})
    assert f"{variable}={path}{gist}" in str(caught.value)
