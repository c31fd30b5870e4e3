"""Which way the output goes, by the options; and several ways at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpboot.cli.gathered import Gathered
from mpboot.cli.output import Lines, Output
from mpboot.cli.output_dir import OutputDir
from mpboot.cli.outputs import Several, choose
from tests.cli.fakes import FakeSink


class Way(Output):
    """Keeps what it is told."""

    def __init__(self, holds: bool = False, lost: str = "") -> None:
        super().__init__()
        self.told: list[tuple[Any, ...]] = []
        self.holds, self.lost = holds, lost

    @property
    def full(self) -> bool:
        return self.holds

    @property
    def complaint(self) -> str:
        return self.lost

    @property
    def spoilt(self) -> list[str]:
        return [self.lost[-2:]] if self.lost else []

    def attach(self, loop: Any) -> None:
        self.told.append(("attach", loop))

    def started(self, host: str) -> None:
        self.told.append(("started", host))

    def line(self, host: str, stream: int, line: bytes, whole: bool = True) -> None:
        self.told.append(("line", host, stream, line, whole))

    def ended(self, host: str, code: int | None) -> None:
        self.told.append(("ended", host, code))

    def finish(self, patience: float | None = None) -> list[str]:
        self.told.append(("finish", patience))
        return ["h1", "h2"][: 1 + self.holds]


def chosen(gather: bool, directory: Path | None) -> tuple[Output, FakeSink]:
    out: Any = FakeSink()
    err: Any = FakeSink()
    return choose(out, err, gather, None if directory is None else str(directory), ["h1"]), out


@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("written", [False, True])
def test_what_the_options_mean(tmp_path: Path, gather: bool, written: bool) -> None:
    output, out = chosen(gather, tmp_path / "new" if written else None)
    assert isinstance(output, (Several if gather else OutputDir) if written else Gathered if gather else Lines)
    output.line("h1", 1, b"x")
    output.ended("h1", 0)
    output.finish()
    assert (out.text == b"") == (written and not gather)
    assert (tmp_path / "new").exists() == written
    if written:
        assert (tmp_path / "new" / "h1.out").read_bytes() == b"x\n"


def test_one_that_does_nothing() -> None:
    output = Output()
    output.attach(None)
    output.started("a")
    output.line("a", 1, b"")
    output.ended("a", 0)
    assert (output.full, output.complaint, output.spoilt, output.finish()) == (False, "", [], [])


class TestSeveral:
    def test_all_of_them_are_told_all(self) -> None:
        ways = [Way(), Way()]
        output = Several(ways)
        output.attach(None)
        output.started("a")
        output.line("a", 2, b"x", whole=False)
        output.ended("a", 3)
        assert output.finish(0.5) == ["h1"]
        assert ways[0].told == ways[1].told == [
            ("attach", None), ("started", "a"), ("line", "a", 2, b"x", False), ("ended", "a", 3), ("finish", 0.5),
        ]  # fmt: skip

    def test_what_is_true_of_one_is_true_of_all(self) -> None:
        output = Several([Way(), Way(holds=True, lost="no room for h3"), Way(lost="nor for h3")])
        assert output.full
        assert (output.complaint, output.spoilt) == ("no room for h3; nor for h3", ["h3"])
        assert output.finish() == ["h1", "h2"]
        assert not Several([Way()]).full
        assert (Several([Way()]).complaint, Several([Way()]).spoilt) == ("", [])

    def test_what_they_say_goes_to_whoever_is_there_by_then(self) -> None:
        way = Way()
        output = Several([way])
        said: list[str] = []
        output.say, output.clear = said.append, lambda: said.append("clear")
        way.clear()
        way.say("x")
        assert said == ["clear", "x"]
