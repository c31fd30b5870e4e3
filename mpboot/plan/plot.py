"""A plot of named lines as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#7f5539", "#5f0f40")


FONT = 'font-family="sans-serif" font-size="12"'


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 64, 150, 40, 52


def draw(series: Mapping[str, Sequence[tuple[float, float]]], title: str, across: str, up: str) -> str:
    """A plot of named lines as SVG, both axes logarithmic; values must be more than 0."""
    points = [point for line in series.values() for point in line]
    xs = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    ys = _Axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for value in xs.marks():
        x = xs.at(value)
        out.append(f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:,.10g}</text>')
    for value in ys.marks():
        y = ys.at(value)
        out.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.10g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(across)}</text>')
    turn = f"translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"
    out.append(f'<text transform="{turn}" text-anchor="middle">{escape(up)}</text>')
    ends = sorted((ys.at(line[-1][1]), name) for name, line in series.items() if line)
    heights = _apart([height for height, _ in ends], 15)
    names = dict(zip([name for _, name in ends], heights))
    for number, (name, line) in enumerate(series.items()):
        if not line:
            continue
        colour = COLOURS[number % len(COLOURS)] if name != "bound" else "#000"
        dash = ' stroke-dasharray="5 4"' if name == "bound" else ""
        path = "L".join(f"{xs.at(x)} {ys.at(y)}" for x, y in line)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{xs.at(x)}" cy="{ys.at(y)}" r="2.5" fill="{colour}"/>' for x, y in line]
        x, y = xs.at(line[-1][0]), ys.at(line[-1][1])
        at = WIDTH - RIGHT + 14
        out.append(f'<path d="M{x + 3} {y}L{at - 3} {names[name]}" stroke="{colour}" stroke-width="0.7"/>')
        out.append(f'<text x="{at}" y="{names[name] + 4}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _apart(heights: list[float], gap: float) -> list[float]:
    """The sorted ``heights``, moved so that each is ``gap`` from the next and none is below the plot."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    over = placed[-1] - (HEIGHT - BOTTOM) if placed else 0.0
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
