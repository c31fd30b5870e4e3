"""Whatever hosts there are come back from the text that names them, and whatever the text, an answer comes."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.hosts.host import Host
from mpboot.hosts.sources import HostList, parse_hosts, parse_hosts_option
from tests.support.host_texts import outcome

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
COUNTS = st.none() | st.integers(1, 1000)
HOSTS = st.builds(
    Host,
    name=NAMES | st.ip_addresses(v=6).map(str),
    user=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True),
    port=st.none() | st.integers(1, 65535),
    cpu=COUNTS,
    slots=COUNTS,
    schedule=st.booleans(),
)


def render(host: Host, as_url: bool, gap: str) -> str:
    """One line of a hostfile for the host, in one of the ways in which it may be written."""
    words = []
    if as_url:
        name = f"[{host.name}]" if ":" in host.name else host.name
        user, port = f"{host.user}@" if host.user else "", f":{host.port}" if host.port else ""
        words.append(f"ssh://{user}{name}{port}")
    else:
        words.append(host.name)
        words += [f"{key}={getattr(host, key)}" for key in ("user", "port") if getattr(host, key)]
    words += [f"{key}={getattr(host, key)}" for key in ("cpu", "slots") if getattr(host, key)]
    return gap.join(words if host.schedule else [*words, "schedule=no"])


@pytest.mark.long
@given(
    hosts=st.lists(HOSTS, min_size=1, unique_by=lambda host: host.name),
    as_url=st.booleans(),
    gap=st.sampled_from([" ", "\t", "  \t "]),
    end=st.sampled_from(["\n", "\r\n", " \n", " # why\n", "\n\n"]),
)
def test_rendered_hosts_come_back(hosts: list[Host], as_url: bool, gap: str, end: str) -> None:
    text = "".join(render(host, as_url, gap) + end for host in hosts)
    assert parse_hosts(text, "hosts") == HostList(tuple(hosts), (), "hosts")


@given(hosts=st.lists(HOSTS, min_size=1), again=st.integers(1, 3))
def test_labels_are_unique_and_nothing_is_lost(hosts: list[Host], again: int) -> None:
    text = "".join(render(host, True, " ") + "\n" for host in hosts * again)
    found = parse_hosts(text, "hosts").hosts
    assert len({host.label for host in found}) == len(found)
    assert [(h.name, h.user, h.port) for h in found] == list(dict.fromkeys((h.name, h.user, h.port) for h in hosts))


@given(st.text() | st.text("an[]@:,-%#=1 \n\x1b"))
def test_any_text_gives_hosts_or_one_printable_line(text: str) -> None:
    for parse in (partial(parse_hosts, text, "hosts"), partial(parse_hosts_option, text)):
        found = outcome(parse)
        if isinstance(found, HostList):
            assert all(re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9._:%-]*", host.name) for host in found.hosts)
            assert all(warning.isprintable() for warning in found.warnings)
        else:
            assert found.isprintable()
