"""The course of a run as a picture: loss and metric over steps, in plain SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _GAP = 720, 220, 70, 40
_BLUE, _ORANGE = "#2b6cb0", "#c05621"
Point = tuple[float, float]


def draw_curve(lines: Sequence[dict[str, Any]], metric: str) -> str:
    """An SVG with two panels: training loss (logarithmic) and validation metric.

    Args:
        lines: A run's log.
        metric: Key of the metric in its validation lines.
    """
    loss = [(x["step"], math.log10(max(x["loss"], 1e-12))) for x in lines if x["event"] == "train"]
    scores = [(x["step"], x[metric]) for x in lines if x["event"] == "validate"]
    last = max((x for x, _ in [*loss, *scores]), default=1)
    panels = [
        _panel(loss, last, 0, "loss", _BLUE, lambda y: f"{10**y:.3g}"),
        _panel(scores, last, _HEIGHT + _GAP, metric, _ORANGE, lambda y: f"{y:.2f}"),
    ]
    height = 2 * (_HEIGHT + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + _LEFT + 20}" '
        f'height="{height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{"".join(panels)}</svg>\n'
    )


def _panel(
    points: Sequence[Point], last: float, top: int, title: str, colour: str, label: Any
) -> str:
    low, high = min((y for _, y in points), default=0), max((y for _, y in points), default=1)
    span = (high - low) or 1
    place = [
        (_LEFT + _WIDTH * x / last, top + 20 + (_HEIGHT - 30) * (high - y) / span)
        for x, y in points
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in place)
    axis = [(high, top + 24), (low, top + _HEIGHT - 6)]
    texts = "".join(
        f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end">{label(value)}</text>\n'
        for value, y in axis
    )
    return (
        f'<text x="{_LEFT}" y="{top + 12}" font-weight="bold">{title}</text>\n{texts}'
        f'<rect x="{_LEFT}" y="{top + 18}" width="{_WIDTH}" height="{_HEIGHT - 26}" fill="none" '
        f'stroke="#ccc"/>\n'
        f'<text x="{_LEFT + _WIDTH}" y="{top + _HEIGHT + 10}" text-anchor="end">'
        f"{last:g} steps</text>\n"
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>\n'
    )
