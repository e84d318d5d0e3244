"""A run in a few numbers: counts, means with their intervals, and the lead over each baseline."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from resattn.metrics.interval import Interval, mean_interval
from resattn.metrics.table import METRICS
from resattn.pipelines.result import Result, Scores


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Counts by status; each metric over finished items; each baseline beside it.

    A baseline is compared item by item: ``lead`` is the mean of our value minus its value, with
    an interval of its own, and ``better_in`` the share of the items in which ours is the better.
    Scores of all items together, where a verb has any, stand apart.
    """
    together = [result for result in results if result.of_run]
    results = [result for result in results if not result.of_run]
    finished = [result for result in results if result.status == "ok"]
    counts = {s: sum(r.status == s for r in results) for s in ("ok", "failed", "skipped")}
    rivals = dict.fromkeys(name for result in finished for name in result.baselines)
    return {
        "items": counts,
        "metrics": _aggregate([result.metrics for result in finished]),
        "baselines": {rival: _compare(finished, rival) for rival in rivals},
        "together": {name: value for r in together for name, value in r.metrics.items()},
    }


def _aggregate(rows: Sequence[Scores]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: spread
        for name in names
        if (spread := _spread([row[name] for row in rows if name in row]))
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return {}
    found = mean_interval(finite)
    return {
        "mean": found.mean,
        "ci95": _ends(found),
        "median": statistics.median(finite),
        "min": min(finite),
        "max": max(finite),
        "count": found.count,
        "not_finite": len(values) - len(finite),
    }


def _compare(finished: Sequence[Result], rival: str) -> dict[str, dict[str, Any]]:
    pairs = [(result.metrics, result.baselines.get(rival, {})) for result in finished]
    compared = _aggregate([theirs for _, theirs in pairs])
    for name, row in compared.items():
        both = [
            (ours[name], their[name]) for ours, their in pairs if name in ours and name in their
        ]
        both = [(ours, theirs) for ours, theirs in both if math.isfinite(ours - theirs)]
        if not both:
            continue
        lead = mean_interval([ours - theirs for ours, theirs in both])
        row |= {"lead": lead.mean, "lead_ci95": _ends(lead)}
        if name in METRICS:
            wins = sum(METRICS[name].better(ours, theirs) for ours, theirs in both)
            row["better_in"] = wins / len(both)
    return compared


def _ends(interval: Interval) -> list[float] | None:
    return None if math.isnan(interval.low) else [interval.low, interval.high]
