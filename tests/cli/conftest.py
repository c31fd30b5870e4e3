"""What the tests of the command line share."""

from __future__ import annotations

import os
import sys
from typing import Protocol

import pytest

from mpboot.cli.main import main
from tests.support.run_mpboot import environment


class Refused(Protocol):
    """Takes arguments and variables; the one line with which mpboot refuses them."""

    def __call__(self, *arguments: str, **more: str) -> str:
        """Run it in this process: what is refused starts nothing."""


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    def launched(*_: object, **__: object) -> None:
        pytest.fail("it was launched")

    def refuse(*arguments: str, **more: str) -> str:
        monkeypatch.setattr(os, "environ", environment(**more))
        monkeypatch.setattr(sys, "argv", ["mpboot", *arguments])
        monkeypatch.setattr("mpboot.head.boot.Boot", launched)
        with pytest.raises(SystemExit) as end:
            main()
        shown = capfd.readouterr()
        assert end.value.code == 2
        assert shown.out == ""
        assert shown.err.startswith("mpboot: ")
        assert shown.err.count("\n") == 1
        assert shown.err.strip().isprintable()
        return shown.err.strip()

    return refuse
