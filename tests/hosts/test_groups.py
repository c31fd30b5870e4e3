"""Groups of hosts: the site's and the user's own count; the examples that ClusterShell comes with are nobody's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpboot.hosts import groups
from mpboot.hosts.host import HostError
from mpboot.hosts.syntax import expand

EXAMPLES = "adm: example0\nall: example[4-6]\n"
CONFIG = """[Main]
default: local
[local]
map: sed -n 's/^$GROUP:\\(.*\\)/\\1/p' $CFGDIR/local.cfg
all: sed -n 's/^all:\\(.*\\)/\\1/p' $CFGDIR/local.cfg
list: sed -n 's/^\\([^:]*\\):.*/\\1/p' $CFGDIR/local.cfg
"""
Make = Callable[[Path, str], None]


def make(directory: Path, text: str) -> None:
    """A configuration of ClusterShell's with these groups."""
    directory.mkdir(parents=True)
    (directory / "groups.conf").write_text(CONFIG)
    (directory / "local.cfg").write_text(text)


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A virtual environment with ClusterShell's examples, of a user who has told it nothing, at a site of no groups."""
    paths = "ClusterShell.Defaults.config_paths"
    names = [tmp_path / "site", Path(sys.prefix) / "etc" / "clustershell", tmp_path / "user"]
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    names[1] = tmp_path / "venv" / "etc" / "clustershell"
    monkeypatch.setattr(paths, lambda file: [str(one / file) for one in names])
    make(names[1], EXAMPLES)
    groups.resolver.cache_clear()
    yield
    groups.resolver.cache_clear()


@pytest.mark.parametrize("whose", ["site", "user"])
def test_own_groups_count_where_there_are_any(tmp_path: Path, whose: str) -> None:
    make(tmp_path / whose, "gpu: node[1-2]\nall: node[1-9]\n")
    assert expand("@gpu") == ["node1", "node2"]
    assert len(expand("@*")) == 9
    assert groups.names() == ["all", "gpu"]


def test_the_users_count_more_than_the_sites(tmp_path: Path) -> None:
    make(tmp_path / "site", "gpu: node[1-2]\n")
    make(tmp_path / "user", "gpu: mine\n")
    assert expand("@gpu") == ["mine"]


@pytest.mark.parametrize("group", ["@adm", "@all", "@*"])
def test_examples_are_nobodys_hosts(group: str) -> None:
    with pytest.raises(
        HostError, match="is a group of the examples that ClusterShell comes with: your own are read wh"
    ):
        expand(group)
    assert groups.names() == []


def test_hosts_that_are_called_so_can_be_named(tmp_path: Path) -> None:
    assert expand("example[4-5]") == ["example4", "example5"]
    make(tmp_path / "user", "mixed: example[4-5],node1\nadm: node1\n")
    assert sorted(expand("@mixed")) == ["example4", "example5", "node1"]
    assert groups.names() == ["adm", "mixed"]
