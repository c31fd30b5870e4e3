"""The types of the options' values: what is read, what is refused, in what words."""

from __future__ import annotations

import math
from typing import Any

import click
import pytest

from mpboot.cli import values
from mpboot.tree.policy import AUTO


def refused(kind: Any, text: str) -> str:
    """What a type says of a text that it does not take."""
    with pytest.raises(click.BadParameter) as error:
        kind.convert(text, None, None)
    return error.value.message


class TestSeconds:
    @pytest.mark.parametrize(("text", "seconds"), [("0.001", 0.001), ("30", 30.0), ("1e3", 1000.0), ("1000000", 1e6)])
    def test_are_read(self, text: str, seconds: float) -> None:
        for kind in (values.SECONDS, values.SECONDS_OR_ZERO):
            assert kind.convert(text, None, None) == seconds

    @pytest.mark.parametrize("text", ["", "soon", "-1", "1000000.5", "inf", "-inf", "nan", "1 s"])
    def test_are_refused(self, text: str) -> None:
        limits = {
            values.SECONDS: "more than 0 and at most 1000000",
            values.SECONDS_OR_ZERO: "0 or more and at most 1000000",
        }
        for kind, limit in limits.items():
            assert refused(kind, text) == f"must be a number of seconds, {limit}, not '{text}'"

    def test_zero(self) -> None:
        assert values.SECONDS_OR_ZERO.convert("0", None, None) == 0
        assert "more than 0" in refused(values.SECONDS, "0")

    def test_or_a_file(self) -> None:
        kind = values.SecondsOrFile()
        assert kind.convert("0.5", None, None) == 0.5
        assert kind.convert("3", None, None) == 3.0
        for name in ("report.json", "./0.5", "1.2.3"):
            assert kind.convert(name, None, None) == name
        assert "more than 0" in refused(kind, "0")


class TestCount:
    @pytest.mark.parametrize("text", ["1", "7", "20"])
    def test_is_read(self, text: str) -> None:
        assert values.count(1, 20).convert(text, None, None) == int(text)

    @pytest.mark.parametrize("text", ["0", "21", "-1", "1.5", "x", ""])
    def test_is_refused(self, text: str) -> None:
        assert refused(values.count(1, 20), text) == f"must be a number from 1 to 20, not '{text}'"

    def test_of_a_process(self) -> None:
        assert values.PID.convert("1", None, None) == 1
        assert refused(values.PID, "0") == "must be a number from 1 to 1073741824, not '0'"

    def test_of_children(self) -> None:
        assert values.CHILDREN.convert("auto", None, None) == AUTO
        assert values.CHILDREN.convert("4", None, None) == 4
        for text in ("0", "100001", "AUTO", "many"):
            assert refused(values.CHILDREN, text) == f"must be a number from 1 to 100000, not '{text}'"


class TestPercentage:
    @pytest.mark.parametrize(
        ("text", "part"), [("0%", 0.0), ("5%", 0.05), ("5", 0.05), ("12.5%", 0.125), ("100%", 1.0)]
    )
    def test_is_read(self, text: str, part: float) -> None:
        assert values.PERCENTAGE.convert(text, None, None) == part

    @pytest.mark.parametrize("text", ["", "%", "-1%", "101%", "nan", "nan%", "5%%", "few"])
    def test_is_refused(self, text: str) -> None:
        assert refused(values.PERCENTAGE, text) == f"must be a percentage such as 5%, not '{text}'"


class TestNames:
    def test_one_of_some(self) -> None:
        kind = values.choice(("tree", "ring", "trunk"))
        assert kind.convert("ring", None, None) == "ring"
        assert refused(kind, "star") == "must be one of tree, ring, trunk, not 'star'"

    def test_a_shell_is_offered_those_that_begin_so(self) -> None:
        command = click.Command("x")
        option = click.Option(["--x"], type=values.choice(("tree", "ring", "trunk")))
        with click.Context(command) as context:
            assert [item.value for item in option.shell_complete(context, "tr")] == ["tree", "trunk"]

    @pytest.mark.parametrize("name", ["joe", "j.doe", "a-b_c", "_x"])
    def test_of_a_user(self, name: str) -> None:
        assert values.USER.convert(name, None, None) == name

    @pytest.mark.parametrize("name", ["", "-oProxyCommand=x", "a b", "a;b", "a@b", "a\nb"])
    def test_that_no_user_has(self, name: str) -> None:
        assert refused(values.USER, name).startswith("must be a user's name: ")


class TestQuorum:
    @pytest.mark.parametrize(
        ("text", "total", "enough"),
        [
            ("1", 3, 1),
            ("3", 3, 3),
            ("100%", 7, 7),
            ("95%", 100, 95),
            ("95%", 10, 10),
            ("0.1%", 10, 1),
            ("0.0000001%", 3, 1),
            ("7%", 100, 7),
        ],
    )
    def test_counts(self, text: str, total: int, enough: int) -> None:
        assert values.enough_hosts(text, total) == enough

    def test_is_a_whole_number(self) -> None:
        assert isinstance(values.enough_hosts("2", 3), int)
        assert isinstance(values.enough_hosts("50%", 3), int)

    @pytest.mark.parametrize("text", ["0", "4", "-1", "1.5", "", "%", "0%", "100.5%", "-5%", "nan%", "most", "50%%"])
    def test_that_can_not_be(self, text: str) -> None:
        command = click.Command("x", params=[click.Option(["--quorum"])])
        with click.Context(command), pytest.raises(click.BadParameter) as error:
            values.enough_hosts(text, 3)
        assert error.value.param is command.params[0]
        wanted = "a number of hosts from 1 to 3, or a percentage above 0, such as 95%"
        assert error.value.message == f"must be {wanted}, not '{text}'"


def test_no_number_is_within_limits() -> None:
    alone: Any = click.FloatRange(0, 1)
    assert math.isnan(alone.convert("nan", None, None)), "click refuses it itself by now"
    assert "nan" in refused(values.Number(0, 1), "nan")
