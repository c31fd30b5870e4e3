"""The values of the options: what is read, what is refused, in what words."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from mpboot.cli import values
from mpboot.tree.policy import AUTO


def refused(read: Any, text: str) -> str:
    """What is said of a text that is not taken."""
    with pytest.raises(typer.BadParameter) as error:
        read(text)
    return error.value.message


class TestPlaces:
    def test_are_taken_as_they_are(self) -> None:
        assert values.place("directory")(" a\n") == " a\n"

    def test_an_unset_variable_is_none(self) -> None:
        assert refused(values.place("directory"), "") == "must be the name of a directory, not ''"

    @pytest.mark.parametrize("text", ["1_0", "٣", " 3"])
    def test_nor_are_these_numbers(self, text: str) -> None:
        assert refused(values.count(0, 20), text) == f"must be a number from 0 to 20, not '{text}'"


class TestSeconds:
    @pytest.mark.parametrize(("text", "seconds"), [("0.001", 0.001), ("30", 30.0), ("1e3", 1000.0), ("1000000", 1e6)])
    def test_are_read(self, text: str, seconds: float) -> None:
        for read in (values.seconds, values.seconds_or_zero):
            assert read(text) == seconds

    @pytest.mark.parametrize("text", ["", "soon", "-1", "1000000.5", "inf", "-inf", "nan", "1 s", "1_0", "٣", " 3"])
    def test_are_refused(self, text: str) -> None:
        limits = {
            values.seconds: "more than 0 and at most 1000000",
            values.seconds_or_zero: "0 or more and at most 1000000",
        }
        for read, limit in limits.items():
            assert refused(read, text) == f"must be a number of seconds, {limit}, not '{text}'"

    def test_zero(self) -> None:
        assert values.seconds_or_zero("0") == 0
        assert "more than 0" in refused(values.seconds, "0")

    def test_or_a_file(self) -> None:
        read = values.seconds_or_file
        assert read("0.5") == 0.5
        assert read("3") == 3.0
        for name in ("report.json", "./0.5", "1.2.3"):
            assert read(name) == name
        assert "more than 0" in refused(read, "0")


class TestCount:
    @pytest.mark.parametrize("text", ["1", "7", "20"])
    def test_is_read(self, text: str) -> None:
        assert values.count(1, 20)(text) == int(text)

    @pytest.mark.parametrize("text", ["0", "21", "-1", "1.5", "x", ""])
    def test_is_refused(self, text: str) -> None:
        assert refused(values.count(1, 20), text) == f"must be a number from 1 to 20, not '{text}'"

    def test_of_a_process(self) -> None:
        assert values.pid("1") == 1
        assert refused(values.pid, "0") == "must be a number from 1 to 1073741824, not '0'"

    def test_of_children(self) -> None:
        assert values.children("auto") == AUTO
        assert values.children("4") == 4
        for text in ("0", "100001", "AUTO", "many"):
            assert refused(values.children, text) == f"must be a number from 1 to 100000, not '{text}'"


class TestPercentage:
    @pytest.mark.parametrize(
        ("text", "part"), [("0%", 0.0), ("5%", 0.05), ("5", 0.05), ("12.5%", 0.125), ("100%", 1.0)]
    )
    def test_is_read(self, text: str, part: float) -> None:
        assert values.percentage(text) == part

    @pytest.mark.parametrize("text", ["", "%", "-1%", "101%", "nan", "nan%", "5%%", "few"])
    def test_is_refused(self, text: str) -> None:
        assert refused(values.percentage, text) == f"must be a percentage such as 5%, not '{text}'"


class TestNames:
    def test_one_of_some(self) -> None:
        read = values.choice(("tree", "ring", "trunk"))
        assert read("ring") == "ring"
        for text in ("star", "RING", "rin", ""):
            assert refused(read, text) == f"must be one of tree, ring, trunk, not '{text}'"

    @pytest.mark.parametrize("name", ["joe", "j.doe", "a-b_c", "_x"])
    def test_of_a_user(self, name: str) -> None:
        assert values.user(name) == name

    @pytest.mark.parametrize("name", ["", "-oProxyCommand=x", "a b", "a;b", "a@b", "a\nb"])
    def test_that_no_user_has(self, name: str) -> None:
        assert refused(values.user, name).startswith("must be a user's name: ")


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

    @pytest.mark.parametrize(
        "text",
        ["0", "4", "-1", "1.5", "", "%", "0%", "100.5%", "-5%", "nan%", "most", "50%%", "0_1", "\u0663", "9" * 5000],
    )
    def test_that_can_not_be(self, text: str) -> None:
        wanted = "a number of hosts from 1 to 3, or a percentage above 0, such as 95%"
        assert refused(lambda quorum: values.enough_hosts(quorum, 3), text) == f"must be {wanted}, not '{text}'"


@pytest.mark.parametrize("text", ["0_1", "\u0663", "-1", "", "9" * 19])
def test_what_is_no_number_of_a_job(text: str) -> None:
    assert refused(values.job, text) == f"must be the number of a job, as mpboot jobs shows it, not '{text}'"
