"""The report in colours: which cause has which, and what is left as it is."""

from __future__ import annotations

import pytest

from mpboot.cli.colours import STYLES, coloured, summary
from mpboot.cli.screen import SGR, Paint
from mpboot.tree import causes

COLOURS, NONE = Paint(False), Paint(True)


def test_each_cause_has_a_colour() -> None:
    assert STYLES.keys() == set(causes.ALL)
    assert set(STYLES.values()) <= SGR.keys()


def test_the_cause_alone_is_coloured() -> None:
    table = [
        "refused            a,b  Connection refused",
        "    -> is sshd there?",
        "    | refused by nobody",
        "refusedx",
    ]
    assert coloured(table, COLOURS) == ["\x1b[31mrefused\x1b[0m            a,b  Connection refused", *table[1:]]
    assert coloured(table, NONE) == table


@pytest.mark.parametrize(("up", "colour"), [(3, 32), (2, 33), (0, 33)])
def test_how_many_are_up(up: int, colour: int) -> None:
    line = f"mpboot: {up} of 3 hosts up in 2.00 s; 1 of 1 host up"
    assert summary(line, COLOURS) == line.replace(f"{up} of 3 hosts up", f"\x1b[{colour}m{up} of 3 hosts up\x1b[0m")
    assert summary(line, NONE) == line
    assert summary("mpboot: slow: a", COLOURS) == "mpboot: slow: a"
