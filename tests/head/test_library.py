"""The library's face: whom mpboot.boot() boots and how, real boots by it, and the names that it has."""

from __future__ import annotations

import re
import signal
import threading
from typing import Any, cast

import pytest

import mpboot
from mpboot import Host, HostError
from mpboot.head import boot as module
from mpboot.head.observer import Observer
from mpboot.head.options import Options
from mpboot.head.report import BootReport
from mpboot.session import handle, library, registry


@pytest.fixture
def booted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What boot() makes a Boot of, which is not run: hosts, options, observer."""
    made: list[Any] = []

    class Kept:
        def __init__(self, *parts: Any) -> None:
            made.extend(parts)

        def run(self) -> BootReport:
            return BootReport("", 0, {})

    monkeypatch.setattr(module, "Boot", Kept)
    return made


class TestWhomItBoots:
    @pytest.mark.parametrize(
        ("hosts", "labels"),
        [
            ("a", ["a"]),
            ("a,b,node[1-3]", ["a", "b", "node1", "node2", "node3"]),
            (["a", "b,c", "node[1-2]"], ["a", "b", "c", "node1", "node2"]),
            (("a", "b", "a"), ["a", "b"]),
            ([Host("b"), Host("a", alias="x")], ["b", "x"]),
        ],
    )
    def test_hosts(self, booted: list[Any], hosts: Any, labels: list[str]) -> None:
        mpboot.boot(hosts)
        assert [host.label for host in booted[0]] == labels

    def test_any_iterable(self, booted: list[Any]) -> None:
        mpboot.boot(f"n{number}" for number in range(3))
        assert [host.name for host in booted[0]] == ["n0", "n1", "n2"]

    def test_names_have_users_and_ports(self, booted: list[Any]) -> None:
        mpboot.boot(["joe@c:2222"])
        assert booted[0] == (Host("c", user="joe", port=2222),)

    @pytest.mark.parametrize("hosts", ["", [], ()])
    def test_none_are_those_of_the_batch_system(self, booted: list[Any], hosts: Any) -> None:
        mpboot.boot(hosts, environ={"SLURM_JOB_NODELIST": "n[1-2]"})
        assert [host.name for host in booted[0]] == ["n1", "n2"]

    def test_the_environment_is_the_programs_own(self, booted: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_JOB_NODELIST", "n7")
        mpboot.boot([])
        assert [host.name for host in booted[0]] == ["n7"]

    @pytest.mark.parametrize("hosts", ["", [], "a;b", ["a", "-oProxyCommand=x"], ["a", ""][1:]])
    def test_what_names_no_hosts(self, booted: list[Any], hosts: Any) -> None:
        with pytest.raises(HostError):
            mpboot.boot(hosts, environ={})
        assert booted == []

    @pytest.mark.parametrize("hosts", [["a", Host("b")], [Host("a"), 3], [None]])
    def test_a_mixture(self, booted: list[Any], hosts: Any) -> None:
        with pytest.raises(ValueError, match="not a mixture"):
            mpboot.boot(hosts)
        assert booted == []

    def test_options_and_observer(self, booted: list[Any]) -> None:
        observer = Observer()
        mpboot.boot("a", observer=observer, children=3, timeout=5)
        assert booted[1:] == [Options(children=3, timeout=5), observer]
        del booted[:]
        mpboot.boot("a")
        assert booted[1] == Options()
        assert type(booted[2]) is Observer

    @pytest.mark.parametrize(("options", "error"), [({"timeout": 0}, ValueError), ({"childs": 3}, TypeError)])
    def test_options_that_make_no_sense(
        self, booted: list[Any], options: dict[str, Any], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            mpboot.boot("a", **options)
        assert booted == []


def test_for_real_from_another_thread() -> None:
    reports: list[BootReport] = []
    before = signal.getsignal(signal.SIGINT)

    def run() -> None:
        reports.append(mpboot.boot([Host("a"), Host("b")], rsh="local", command=["sh", "-c", "exit $MPBOOT_RANK"]))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [host.exit for host in reports[0].hosts.values()] == [0, 1]
    assert signal.getsignal(signal.SIGINT) == before


def test_for_real_hosts_that_fail() -> None:
    report = mpboot.boot("a,b", rsh="sh -c 'echo Permission denied >&2; exit 255'", retries=0)
    assert [host.cause for host in report.hosts.values()] == ["auth", "auth"]
    assert report.failed == 2


def test_for_real_its_deadline() -> None:
    report = mpboot.boot("a", rsh="sh -c 'sleep 60'", deadline=0.5)
    assert (report.ended_by, report.hosts["a"].cause) == ("deadline", "deadline")


# -- the library's face ----------------------------------------------------------------------------


def test_every_name_of_the_library_is_there() -> None:
    names = {"BootReport", "Host", "HostError", "Observer", "Options", "__version__", "boot", "attach", "session"}
    assert set(mpboot.__all__) == names | {"Result", "Session", "SessionError", "sessions"}
    assert callable(mpboot.session)
    assert mpboot.attach is library.attach
    assert mpboot.Session is handle.Session
    assert mpboot.SessionError is registry.SessionError
    assert mpboot.Options is Options
    assert mpboot.BootReport is BootReport
    assert mpboot.Observer is Observer
    assert mpboot.Host is Host
    assert issubclass(mpboot.HostError, ValueError)
    assert mpboot.boot is module.boot


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="module 'mpboot' has no attribute 'Boot'"):
        mpboot.Boot  # noqa: B018


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (mpboot.Host(""), "bad host name"), (mpboot.Host("a b\n"), "bad host name"),
        (mpboot.Host("-oProxyCommand=x"), "may not begin with '-'"), (mpboot.Host("n" * 254), "254 characters"),
        (mpboot.Host("fe80::0:1"), "write it as fe80::1"), (mpboot.Host("a", user="-x"), "bad user name"),
        (mpboot.Host("a", port=0), "bad port 0"), (mpboot.Host("a", port=65536), "bad port 65536"),
        (mpboot.Host("a", port=cast(int, "22")), "bad port"), (mpboot.Host(cast(str, 3)), "are texts"),
        (mpboot.Host("a", slots=0), "bad slots 0"), (mpboot.Host("a", max_slots=0), "bad max_slots 0"),
        (mpboot.Host("a", alias="x" * 401), "401 characters"),
    ],
)  # fmt: skip
def test_a_host_that_no_hostfile_could_name_is_refused_before_anything_is_launched(host: mpboot.Host, why: str) -> None:
    with pytest.raises(mpboot.HostError, match=re.escape(why)):
        mpboot.boot([host], rsh="/nonexistent")


def test_the_longest_label_boots() -> None:
    """Two hosts of one name, told apart by users."""
    name = "n" * 253
    report = mpboot.boot([f"{'u' * 64}@{name}", f"v@{name}"], rsh="local", timeout=20)
    assert report.up == 2


def test_the_names_are_offered() -> None:
    assert set(mpboot.__all__) <= set(dir(mpboot))
