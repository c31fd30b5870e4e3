"""What a command works on: the library's options and the hosts; what it refuses is a line for the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpboot.cli import inputs
from mpboot.cli.codes import UsageError
from mpboot.head.options import Options
from mpboot.hosts.sources import HostList
from tests.cli.fakes import FakeSink


class TestOptions:
    def test_what_is_none_has_the_librarys_default(self) -> None:
        assert inputs.read_options(None, None, timeout=None, rsh=None) == Options()

    def test_what_is_given_is_taken(self) -> None:
        options = inputs.read_options(3, "tree", timeout=7.0, attach=True, command=["ls"])
        assert options == Options(children=3, topology="tree", timeout=7.0, attach=True, command=["ls"])

    def test_false_and_nothing_are_not_none(self) -> None:
        assert inputs.read_options(None, None, retries=0).retries == 0

    @pytest.mark.parametrize("topology", [None, "adaptive"])
    def test_auto_where_it_can_be_found_out(self, topology: str | None) -> None:
        assert inputs.read_options(0, topology).topology == "adaptive"

    @pytest.mark.parametrize("topology", ["tree", "ring", "linear", "flat"])
    def test_auto_where_it_can_not(self, topology: str) -> None:
        with pytest.raises(UsageError, match=f"^--children auto: the topology {topology} needs a number, such as 4$"):
            inputs.read_options(0, topology)

    def test_what_the_library_refuses_is_told_in_its_words(self) -> None:
        with pytest.raises(ValueError, match="rsh") as refusal:
            Options(rsh="'")
        with pytest.raises(UsageError) as told:
            inputs.read_options(None, None, rsh="'")
        assert str(told.value) == f"--{refusal.value}"


class TestHosts:
    def test_of_both_lists(self, tmp_path: Path) -> None:
        hostfile = tmp_path / "hosts"
        hostfile.write_text("a\nb\n")
        assert [host.name for host in inputs.read_hosts(str(hostfile), "c").hosts] == ["a", "b", "c"]

    def test_of_the_batch_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
        monkeypatch.setenv("SLURM_JOB_ID", "1")
        assert [host.name for host in inputs.read_hosts(None, None).hosts] == ["n1", "n2"]

    def test_what_is_wrong_with_them_is_a_line(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="No such file or directory: give a readable hostfile"):
            inputs.read_hosts(str(tmp_path / "none"), None)

    def test_what_is_doubtful_is_said(self) -> None:
        sink = FakeSink()
        inputs.warn(HostList((), ("one", "two"), "x"), sink)  # type: ignore[arg-type]
        assert sink.text == b"mpboot: warning: one\nmpboot: warning: two\n"
        assert sink.unflushed == 0

    def test_nothing_is_said_where_nothing_is_doubtful(self) -> None:
        sink = FakeSink()
        inputs.warn(HostList((), (), "x"), sink)  # type: ignore[arg-type]
        assert sink.text == b""


def test_a_directory_is_no_standard_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--stdin .*: Is a directory: give a file that can be read, or -$"):
        inputs.open_stdin(str(tmp_path))
