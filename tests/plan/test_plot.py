"""The plot: where points, marks and names stand, and that nothing named by somebody becomes markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpboot.plan import plot
from mpboot.plan.plot import draw

SVG = "{http://www.w3.org/2000/svg}"
# What is drawn, pixel by pixel: x from 64 to 610, y from 388 up to 40, one more power of ten for each 273 and 174.
EXPECTED = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 440" font-family="sans-serif" font-size="12">
<title>A &amp; B</title><rect width="760" height="440" fill="#fff"/>
<text x="64" y="22" font-size="15">A &amp; B</text>
<path d="M64.0 40V388" stroke="#e4e4e4"/>
<text x="64.0" y="406" text-anchor="middle">1</text>
<path d="M146.2 40V388" stroke="#e4e4e4"/>
<text x="146.2" y="406" text-anchor="middle">2</text>
<path d="M254.8 40V388" stroke="#e4e4e4"/>
<text x="254.8" y="406" text-anchor="middle">5</text>
<path d="M337.0 40V388" stroke="#e4e4e4"/>
<text x="337.0" y="406" text-anchor="middle">10</text>
<path d="M419.2 40V388" stroke="#e4e4e4"/>
<text x="419.2" y="406" text-anchor="middle">20</text>
<path d="M527.8 40V388" stroke="#e4e4e4"/>
<text x="527.8" y="406" text-anchor="middle">50</text>
<path d="M610.0 40V388" stroke="#e4e4e4"/>
<text x="610.0" y="406" text-anchor="middle">100</text>
<path d="M64 388.0H610" stroke="#e4e4e4"/>
<text x="58" y="392.0" text-anchor="end">0.1</text>
<path d="M64 335.6H610" stroke="#e4e4e4"/>
<text x="58" y="339.6" text-anchor="end">0.2</text>
<path d="M64 266.4H610" stroke="#e4e4e4"/>
<text x="58" y="270.4" text-anchor="end">0.5</text>
<path d="M64 214.0H610" stroke="#e4e4e4"/>
<text x="58" y="218.0" text-anchor="end">1</text>
<path d="M64 161.6H610" stroke="#e4e4e4"/>
<text x="58" y="165.6" text-anchor="end">2</text>
<path d="M64 92.4H610" stroke="#e4e4e4"/>
<text x="58" y="96.4" text-anchor="end">5</text>
<path d="M64 40.0H610" stroke="#e4e4e4"/>
<text x="58" y="44.0" text-anchor="end">10</text>
<text x="337.0" y="428" text-anchor="middle">hosts</text>
<text transform="translate(16 214.0) rotate(-90)" text-anchor="middle">&lt; s</text>
<path d="M64.0 388.0L337.0 214.0" fill="none" stroke="#000" stroke-width="2" stroke-dasharray="5 4"/>
<circle cx="64.0" cy="388.0" r="2.5" fill="#000"/>
<circle cx="337.0" cy="214.0" r="2.5" fill="#000"/>
<path d="M340.0 214.0L621 214.0" stroke="#000" stroke-width="0.7"/>
<text x="624" y="218.0" fill="#000">bound</text>
<path d="M610.0 40.0" fill="none" stroke="#009e73" stroke-width="2"/>
<circle cx="610.0" cy="40.0" r="2.5" fill="#009e73"/>
<path d="M613.0 40.0L621 40.0" stroke="#009e73" stroke-width="0.7"/>
<text x="624" y="44.0" fill="#009e73">fl&lt;t</text>
</svg>
"""


def test_the_whole() -> None:
    series = {"bound": [(1.0, 0.1), (10.0, 1.0)], "none": [], "fl<t": [(100.0, 10.0)]}
    assert draw(series, "A & B", "hosts", "< s").split("\n") == EXPECTED.split("\n")


def drawing(series: dict[str, list[tuple[float, float]]]) -> ElementTree.Element:
    return ElementTree.fromstring(draw(series, "t", "x", "y"))


def marks(series: dict[str, list[tuple[float, float]]], anchor: str) -> list[str]:
    return [one.text or "" for one in drawing(series).iter(f"{SVG}text") if one.get("text-anchor") == anchor]


def test_marks_are_round_values_and_fewer_where_there_are_many() -> None:
    assert marks({"a": [(1.0, 1.0), (2999.0, 1.0)]}, "middle")[:-2] == [
        "1", "2", "5", "10", "20", "50", "100", "200", "500", "1,000", "2,000",
    ]  # fmt: skip
    assert marks({"a": [(1.0, 1.0), (3000.0, 1.0)]}, "middle")[:-2] == ["1", "10", "100", "1,000"]
    assert marks({"a": [(200.0, 1.0), (700.0, 1.0)]}, "middle")[:-2] == ["200", "500"]
    # What is less than a thousandth outside stands at the edge.
    assert marks({"a": [(1.0009, 1.0), (9.992, 1.0)]}, "middle")[:-2] == ["1", "2", "5", "10"]
    assert marks({"a": [(1.002, 1.0), (9.98, 1.0)]}, "middle")[:-2] == ["2", "5"]


def test_an_axis_has_some_length_even_for_one_value() -> None:
    circle = drawing({"a": [(4.0, 2.0)]}).find(f"{SVG}circle")
    assert circle is not None
    assert (circle.get("cx"), circle.get("cy")) == ("337.0", "214.0")
    assert marks({"a": [(4.0, 2.0)]}, "middle")[:-2] == ["5"]
    assert marks({"a": [(4.0, 2.0)]}, "end") == ["2"]
    two = [one.get("cx") for one in drawing({"a": [(4.0, 2.0), (6.0, 2.0)]}).iter(f"{SVG}circle")]
    assert two == ["64.0", "610.0"]


def test_colours_go_round() -> None:
    drawn = drawing({f"line {number}": [(1.0, 1.0), (2.0, 2.0 + number)] for number in range(11)})
    named = {one.text: one.get("fill") for one in drawn.iter(f"{SVG}text") if one.get("fill")}
    assert [named[f"line {number}"] for number in range(9)] == list(plot.COLOURS)
    assert [named["line 9"], named["line 10"]] == list(plot.COLOURS[:2])
    assert len(set(plot.COLOURS)) == 9
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in plot.COLOURS)


names = st.text("ab <>&;\"'\u00e9\u2190", min_size=1)


@given(ends=st.dictionaries(names, st.floats(0.1, 1000), min_size=1, max_size=20))
def test_names_stand_apart_and_in_the_order_of_their_lines(ends: dict[str, float]) -> None:
    drawn = drawing({name: [(1.0, 1.0), (10.0, end)] for name, end in ends.items()})
    named = [one for one in drawn.iter(f"{SVG}text") if one.get("x") == "624"]
    assert sorted(one.text or "" for one in named) == sorted(ends)
    heights = sorted(float(one.get("y", "")) for one in named)
    assert all(after - before >= 14.99 for before, after in zip(heights, heights[1:]))
    assert heights[-1] <= 388 + 4
    by_name = {one.text: float(one.get("y", "")) for one in named}
    order = sorted(ends, key=lambda name: by_name[name])
    assert [ends[name] for name in order] == pytest.approx(sorted(ends.values(), reverse=True), rel=0.01)


def heights(*ends: float, edge: float = 40.0) -> list[float]:
    """Where the names of lines stand that end at these heights, beside one that ends at ``edge``."""
    lines = {f"l{n}": [(1.0, 1.0), (2.0, 0.1 * 100 ** ((388 - end) / 348))] for n, end in enumerate(ends)}
    drawn = drawing({"edge": [(1.0, 10.0), (1.5, 0.1), (2.0, 0.1 * 100 ** ((388 - edge) / 348))], **lines})
    named = {one.text: float(one.get("y", "")) - 4 for one in drawn.iter(f"{SVG}text") if one.get("x") == "624"}
    return [named[f"l{n}"] for n in range(len(ends))]


@pytest.mark.parametrize(
    ("ends", "placed"),
    [
        ([214.0], [214.0]),
        ([214.0, 161.5], [214.0, 161.5]),
        ([214.0, 214.0], [214.0, 229.0]),
        ([388.0], [388.0]),
        ([387.5], [387.5]),
        ([388.0, 388.0, 388.0], [358.0, 373.0, 388.0]),
        ([388.0, 388.0, 214.0], [373.0, 388.0, 214.0]),
        ([388.0, 380.0, 214.0], [388.0, 373.0, 214.0]),
        ([373.5, 386.0], [373.0, 388.0]),
    ],
)
def test_names_are_moved_only_as_far_as_they_must_be(ends: list[float], placed: list[float]) -> None:
    assert heights(*ends) == placed


def test_the_topmost_name_is_moved_too() -> None:
    assert heights(388.0, 388.0, edge=388.0) == [373.0, 388.0]
    drawn = drawing({"top": [(1.0, 100.0), (2.0, 1.0)], "under": [(1.0, 1.0), (2.0, 1.0)]})
    named = {one.text: one.get("y") for one in drawn.iter(f"{SVG}text") if one.get("x") == "624"}
    assert named == {"top": "377.0", "under": "392.0"}
