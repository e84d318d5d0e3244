"""Distributions as small SVG drawings that follow the page's colours."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np

_WIDTH, _HEIGHT, _BASE = 320, 96, 78
_MOST_BINS = 32


def histogram(values: Sequence[float], marks: Mapping[str, float]) -> str:
    """An SVG of how `values` spread, with a line at each mark; the first is drawn solid.

    Args:
        values: Finite values, at least one.
        marks: Value by name, such as the means of the result and of baselines.
    """
    low = min(*values, *marks.values(), math.inf)
    high = max(*values, *marks.values(), -math.inf)
    if high == low:
        low, high = low - 0.5, high + 0.5
    bins = max(1, min(_MOST_BINS, math.ceil(2 * len(values) ** 0.5)))
    counts, _ = np.histogram(values, bins, (low, high))
    step, most = _WIDTH / bins, max(int(counts.max()), 1)
    bars = "".join(
        f'<rect class="bar" x="{place * step + 0.5:.1f}" y="{_BASE - _BASE * count / most:.1f}" '
        f'width="{step - 1:.1f}" height="{_BASE * count / most:.1f}"/>'
        for place, count in enumerate(counts)
        if count
    )
    lines = "".join(
        f'<line class="mark m{place}" x1="{_x(value, low, high):.1f}" '
        f'x2="{_x(value, low, high):.1f}" y1="0" y2="{_BASE}">'
        f"<title>{html.escape(name)} {value:.4g}</title></line>"
        for place, (name, value) in enumerate(marks.items())
    )
    said = html.escape(", ".join(f"{name} {value:.4g}" for name, value in marks.items()))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Histogram; {said}">'
        f'{bars}<line class="axis" x1="0" x2="{_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>{lines}'
        f'<text x="0" y="{_HEIGHT - 4}">{low:.4g}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{high:.4g}</text></svg>'
    )


def _x(value: float, low: float, high: float) -> float:
    return min(_WIDTH - 1.0, max(1.0, _WIDTH * (value - low) / (high - low)))
