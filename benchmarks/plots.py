"""Curves as SVG text, without a library: for pages that hold everything they show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 820, 300, 62, 150, 34, 42
COLOURS = ("#2a7f62", "#b03030", "#2b5d8a", "#c98a1b", "#7a4e9e", "#5a5a5a", "#d06a9a", "#4aa3a3")
TICKS = 5
Points = Sequence[tuple[float, float]]


def said(value: float) -> str:
    """Three digits, and no power of ten: 0.0123, 56.5, 2410."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def lines(curves: Mapping[str, Points], title: str, x_title: str, y_title: str, *, log: bool = False) -> str:
    """One SVG of several curves. log: the upward axis by powers of ten, from the smallest value that is there."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    right, top = max(x for x, _ in points) or 1.0, max(y for _, y in points) or 1.0
    low = min((y for _, y in points if y > 0), default=0.1) if log else 0.0
    top = max(top, low * 1.01) if log else top * 1.05

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log(max(y, low) / low) / math.log(top / low)) if log else y / top
        return LEFT + x / right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    shapes = [f'<text x="12" y="20" font-size="14">{escape(title)}</text>',
              f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(x_title)}</text>',
              f'<text x="{WIDTH - RIGHT}" y="20" text-anchor="end">{escape(y_title)}</text>']
    for step in range(TICKS + 1):
        y = low * (top / low) ** (step / TICKS) if log else top * step / TICKS
        x = right * step / TICKS
        across, up = place(x, y)
        shapes.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}" stroke="#e4e4e4"/>'
                      f'<text x="{LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{said(y)}</text>'
                      f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{said(x)}</text>')
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in curve))
        shapes.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
                      f'<text x="{WIDTH - RIGHT + 10}" y="{TOP + 14 + 17 * number}" fill="{colour}">{escape(name)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{"".join(shapes)}</svg>\n')
