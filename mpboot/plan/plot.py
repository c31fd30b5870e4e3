"""A plot of named lines, both axes logarithmic, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

# The first seven can be told apart at a glance; no plot that is published has more lines.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#5f0f40", "#56b4e9", "#9aa500", "#e69f00", "#999999")
FONT = 'font-family="sans-serif" font-size="12"'
WIDTH, HEIGHT = 760, 440  # pixels of the whole
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 52  # pixels around the plot; the names of the lines stand on the right
APART = 15  # pixels between two names

Curve = Sequence[tuple[float, float]]


def draw(series: Mapping[str, Curve], title: str, across: str, up: str) -> str:
    """A plot of named lines as SVG; all values must be more than 0. The line named «bound» is black and dashed."""
    points = [point for line in series.values() for point in line]
    xs = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    ys = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_grid(xs, ys, across, up),
    ]
    ends = sorted((ys.at(line[-1][1]), name) for name, line in series.items() if line)
    heights = dict(zip([name for _, name in ends], _apart([height for height, _ in ends], APART)))
    for number, (name, line) in enumerate(series.items()):
        if line:
            out += _line(name, [(xs.at(x), ys.at(y)) for x, y in line], heights[name], COLOURS[number % len(COLOURS)])
    return "\n".join([*out, "</svg>", ""])


def _grid(xs: _Axis, ys: _Axis, across: str, up: str) -> Iterator[str]:
    """A line for each round value of both axes, with its number, and what the axes are."""
    for value in xs.marks():
        x = xs.at(value)
        yield f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#e4e4e4"/>'
        yield f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:,.10g}</text>'
    for value in ys.marks():
        y = ys.at(value)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.10g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(across)}</text>'
    turn = f"translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"
    yield f'<text transform="{turn}" text-anchor="middle">{escape(up)}</text>'


def _line(name: str, points: Curve, height: float, colour: str) -> Iterator[str]:
    """One line through its points, in pixels, with a dot for each, and its name at ``height``."""
    dash = ""
    if name == "bound":
        colour, dash = "#000", ' stroke-dasharray="5 4"'
    path = "L".join(f"{x} {y}" for x, y in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
    for x, y in points:
        yield f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>'
    x, y = points[-1]
    at = WIDTH - RIGHT + 14
    yield f'<path d="M{x + 3} {y}L{at - 3} {height}" stroke="{colour}" stroke-width="0.7"/>'
    yield f'<text x="{at}" y="{height + 4}" fill="{colour}">{escape(name)}</text>'


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """The sorted ``heights``, at least one, moved so that each is ``gap`` from the next and none is below the plot."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    over = placed[-1] - (HEIGHT - BOTTOM)
    if over > 0:
        placed[-1] -= over
        for index in range(len(placed) - 2, -1, -1):
            placed[index] = min(placed[index], placed[index + 1] - gap)
    return placed


class _Axis:
    """A logarithmic axis from pixel ``begin`` to pixel ``end``."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low, self.high = min(values), max(values)
        if self.high < self.low * 1.5:
            self.low, self.high = self.low / 1.5, self.high * 1.5
        self.begin, self.end = begin, end

    def at(self, value: float) -> float:
        """The pixel of a value."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + part * (self.end - self.begin), 1)

    def marks(self) -> list[float]:
        """Round values on it: powers of ten, and 2 and 5 between them where there is room."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        few = self.high / self.low < 3000
        every = [digit * 10.0**power for power in powers for digit in ((1, 2, 5) if few else (1,))]
        return [value for value in every if self.low * 0.999 <= value <= self.high * 1.001]
