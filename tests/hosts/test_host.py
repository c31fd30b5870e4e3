"""A host: its label, what was given besides its name, and an error that is always one printable line."""

from __future__ import annotations

import dataclasses

import pytest

from mpboot.hosts.host import Host, HostError


def test_of_a_host_nothing_but_its_name_need_be_given() -> None:
    assert dataclasses.astuple(Host("a")) == ("a", None, None, None, None, None, True, None, None)
    assert Host("a") == Host("a") != Host("b")


def test_a_host_is_what_it_is() -> None:
    """…so it may be a key, and nobody changes another's."""
    assert {Host("a"): 1}[Host("a")] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        Host("a").name = "b"  # type: ignore[misc]


def test_the_label_is_the_alias_where_the_name_is_not_unique() -> None:
    assert Host("a", "joe", 22).label == "a"
    assert Host("a", "joe", 22, alias="joe@a:22").label == "joe@a:22"


@pytest.mark.parametrize(
    ("host", "given"),
    [
        (Host("a"), {}),
        (Host("a", alias="b"), {}),
        (Host("a", "joe", 22), {"user": "joe", "port": 22}),
        (Host("a", cpu=1, slots=2, max_slots=3), {"cpu": 1, "slots": 2, "max_slots": 3}),
        (Host("a", schedule=False), {"schedule": False}),
        (Host("a", python="~/py"), {"interpreter": "~/py"}),
    ],
)
def test_attributes_are_what_was_given_besides_the_name(host: Host, given: dict[str, object]) -> None:
    assert host.attributes() == given


def test_an_error_is_one_printable_line_and_a_value_error() -> None:
    error = HostError("hosts:1: bad\n\x1b[2J")
    assert str(error) == r"hosts:1: bad\n\x1b[2J"
    assert isinstance(error, ValueError)
