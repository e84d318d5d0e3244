"""A wound over time: order of the photographs, change in percent, a trend plot."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from resattn.io.metadata import Metadata

_EXIF_DATE: Final = re.compile(rb"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_NAME_DATE: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?!\d)")


@dataclass(frozen=True)
class Visit:
    """One photograph of a series.

    Attributes:
        name: Of the photograph.
        date: When it was taken, where that is known.
        area: Area of the wounds, cm² if every photograph of the series has a scale, else pixels.
        low: Lower end of its 90 % interval.
        high: Upper end.
    """

    name: str
    date: datetime | None
    area: float
    low: float
    high: float


@dataclass(frozen=True)
class Change:
    """A visit against the first and the one before, in percent; None where that had no area.

    Attributes:
        days: Days since the first visit, where both dates are known.
        since_first: Change of the area since the first visit.
        since_last: Change since the visit before.
    """

    visit: Visit
    days: float | None
    since_first: float | None
    since_last: float | None


def taken(name: str, metadata: Metadata) -> datetime | None:
    """When a photograph was taken: the earliest date in its EXIF, else one in its name."""
    stamps = (_date(match.groups()) for match in _EXIF_DATE.finditer(metadata.exif or b""))
    dates = sorted(date for date in stamps if date)
    if dates:
        return dates[0]
    match = _NAME_DATE.search(name)
    return _date(match.groups()) if match else None


def changes(visits: Sequence[Visit]) -> list[Change]:
    """The visits in order of their dates, or of their names unless all have one, with changes."""
    dated = all(visit.date for visit in visits)
    ordered = sorted(visits, key=lambda v: (v.date if dated else datetime.min, v.name))
    rows = []
    for before, visit in zip([None, *ordered], ordered, strict=False):
        first = ordered[0]
        days = None
        if visit.date and first.date:
            days = (visit.date - first.date).total_seconds() / 86400
        rows.append(Change(visit, days, _percent(first, visit), _percent(before, visit)))
    return rows


def trend(
    rows: Sequence[Change], unit: str, title: str, made_by: Mapping[str, str] | None = None
) -> str:
    """An SVG of the areas with their 90 % intervals, over days where all dates are known.

    Args:
        rows: In the order of time.
        unit: Of the areas.
        title: Above the plot.
        made_by: What the file says of its making, unseen.
    """
    by_days = all(row.days is not None for row in rows)
    xs = [float(row.days or 0) if by_days else float(i) for i, row in enumerate(rows)]
    span, top = (max(xs) - min(xs)) or 1.0, max(row.visit.high for row in rows) or 1.0
    places = [
        (_LEFT + _WIDTH * (x - min(xs)) / span, [_down(v, top) for v in _values(row)])
        for x, row in zip(xs, rows, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y[1]:.1f}" for x, y in places)
    bars = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y[0]:.1f}" y2="{y[2]:.1f}" stroke="#90cdf4" '
        f'stroke-width="4"/>\n<circle cx="{x:.1f}" cy="{y[1]:.1f}" r="4" fill="#2b6cb0">'
        f"<title>{escape(row.visit.name)}: {row.visit.area:.4g} {unit}</title></circle>\n"
        for (x, y), row in zip(places, rows, strict=True)
    )
    axis = f"{max(xs):.0f} days" if by_days else f"{len(rows)} photographs"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + 2 * _LEFT}" '
        f'height="{_HEIGHT + 80}" font-family="sans-serif" font-size="12">\n'
        f"<metadata>{escape(json.dumps(dict(made_by or {})))}</metadata>\n"
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}, area in {unit}</text>\n'
        f'<text x="{_LEFT - 8}" y="{_down(top, top) + 4:.0f}" text-anchor="end">{top:.3g}</text>\n'
        f'<text x="{_LEFT - 8}" y="{_down(0, top) + 4:.0f}" text-anchor="end">0</text>\n'
        f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{_down(0, top):.0f}" '
        f'y2="{_down(0, top):.0f}" stroke="#ccc"/>\n'
        f'<text x="{_LEFT + _WIDTH}" y="{_HEIGHT + 60}" text-anchor="end">{axis}</text>\n'
        f'<polyline points="{line}" fill="none" stroke="#2b6cb0" stroke-width="1.5"/>\n'
        f"{bars}</svg>\n"
    )


_WIDTH, _HEIGHT, _LEFT = 640, 240, 70


def _down(value: float, top: float) -> float:
    return 40 + _HEIGHT * (1 - value / top)


def _values(row: Change) -> tuple[float, float, float]:
    return row.visit.low, row.visit.area, row.visit.high


def _percent(before: Visit | None, visit: Visit) -> float | None:
    if before is None or not before.area:
        return None
    return 100 * (visit.area / before.area - 1)


def _date(parts: Sequence[bytes | str | None]) -> datetime | None:
    try:
        return datetime(*(int(part) for part in parts if part))  # type: ignore[arg-type]  # local time, as cameras store it
    except ValueError:
        return None  # 0000:00:00, as cameras without a clock write
