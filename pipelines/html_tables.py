"""The tables of a report: means beside baselines, and every item."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from resattn.metrics.table import METRICS
from resattn.pipelines.html_charts import histogram
from resattn.pipelines.html_gallery import ranked
from resattn.pipelines.html_images import THUMBNAIL, inlined
from resattn.pipelines.html_pictures import thumbnail
from resattn.pipelines.result import Result

ROWS = 1000
"""Most items in the table of a page; the CSV has all."""

THUMBNAIL_BYTES = 1_200_000
_LEAST_BYTES = 500
_SIDE = 96


def number(value: float | None) -> str:
    """A value as people read it: about five digits, a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    decimals = 1 if abs(value) >= 100 else 3 if abs(value) >= 10 else 4
    return f"{value:.{decimals}f}"


def title(metric: str) -> str:
    """The metric's printed name with its unit and an arrow for its direction, as HTML."""
    row = METRICS.get(metric)
    if row is None:
        return html.escape(metric)
    arrow, words = ("↑", "higher is better") if row.higher_is_better else ("↓", "lower is better")
    unit = f" <small>{html.escape(row.unit)}</small>" if row.unit else ""
    return f'{html.escape(row.title)}{unit} <span title="{words}">{arrow}</span>'


def together(summary: Mapping[str, Any]) -> str:
    """Scores of all items as one set, where a verb has any."""
    scores = summary["together"]
    if not scores:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{title(name)}</th><td><b>{number(value)}</b></td></tr>'
        for name, value in scores.items()
    )
    return (
        '<section><h2>All items as one set</h2><div class="scroll"><table><thead><tr>'
        '<th scope="col">metric</th><th scope="col">value</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def means(summary: Mapping[str, Any]) -> str:
    """Means with intervals, those of each baseline, and the lead over it.

    A single item has neither a spread nor a share of wins: its values stand alone.
    """
    metrics, rivals = summary["metrics"], summary["baselines"]
    if not metrics:
        return ""
    alone = max(row["count"] + row["not_finite"] for row in metrics.values()) == 1
    spread = [] if alone else ["95 % interval", "median", "least", "most"]
    titles = ["metric", "value" if alone else "mean", *spread, *map(html.escape, rivals)]
    heads = "".join(f'<th scope="col">{text}</th>' for text in titles)
    rows = "".join(_means_row(name, row, rivals, alone=alone) for name, row in metrics.items())
    return (
        f'<section><h2>{"Scores" if alone else "Means"}</h2><div class="scroll"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _means_row(name: str, row: Mapping[str, Any], rivals: Mapping[str, Any], *, alone: bool) -> str:
    cells = [f"<b>{number(row['mean'])}</b>"]
    if not alone:
        cells += [_ends(row["ci95"]), *(number(row[key]) for key in ("median", "min", "max"))]
    cells += [_rival(scores.get(name), alone=alone) for scores in rivals.values()]
    said = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{title(name)}</th>{said}</tr>'


def _ends(ends: Sequence[float] | None) -> str:
    return "–" if ends is None else f"{number(ends[0])} … {number(ends[1])}"


def _rival(scores: Mapping[str, Any] | None, *, alone: bool) -> str:
    if not scores:
        return "–"
    text = number(scores["mean"])
    if "better_in" in scores and not alone:
        text += f"<br><small>ours is better in {100 * scores['better_in']:.0f} %</small>"
    return text


def distributions(results: Sequence[Result], summary: Mapping[str, Any]) -> str:
    """A histogram per metric with the means of the result and of baselines."""
    if len([result for result in results if result.metrics]) < 3:
        return ""
    cards = []
    for name, row in summary["metrics"].items():
        values = [result.metrics[name] for result in results if name in result.metrics]
        marks = {"mean": row["mean"]} | {
            rival: scores[name]["mean"]
            for rival, scores in summary["baselines"].items()
            if name in scores
        }
        legend = "".join(
            f'<span class="key m{place}">{html.escape(mark)} {number(value)}</span>'
            for place, (mark, value) in enumerate(marks.items())
        )
        drawing = histogram([value for value in values if math.isfinite(value)], marks)
        cards.append(f'<div class="card"><h3>{title(name)}</h3>{drawing}<p>{legend}</p></div>')
    if not cards:
        return ""
    return f'<section><h2>Distributions</h2><div class="cards">{"".join(cards)}</div></section>'


def items(results: Sequence[Result]) -> str:
    """Every item in a table that sorts by any column and filters by name."""
    names = list(dict.fromkeys(name for result in results for name in result.metrics))
    shown = _shown(results)
    heads = "".join(
        f'<th scope="col"><button type="button">{text}</button></th>'
        for text in ("item", "status", *map(title, names), "seconds")
    )
    limit = THUMBNAIL_BYTES // max(len(shown), 1)
    rows = "".join(_item_row(result, names, limit) for result in shown)
    left_out = f", the {len(shown)} worst of {len(results)}" if len(shown) < len(results) else ""
    return (
        f'<section id="items"><h2>Items{left_out}</h2>'
        '<label class="filter">Show names with <input type="search"></label>'
        f'<div class="scroll"><table class="sortable"><thead><tr><th><span class="hidden">'
        f"picture</span></th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _shown(results: Sequence[Result]) -> Sequence[Result]:
    if len(results) <= ROWS:
        return results
    failed = [result for result in results if result.status == "failed"]
    return [*failed, *ranked(results)[1]][:ROWS]


def _item_row(result: Result, names: Sequence[str], limit: int) -> str:
    image = ""
    if result.status == "ok" and limit >= _LEAST_BYTES:
        pixels = thumbnail(result, _SIDE)
        small = None if pixels is None else inlined(pixels, THUMBNAIL, limit)
        if small is not None:
            image = f'<img src="{small.uri}" width="{small.width}" height="{small.height}" alt="">'
    said = html.escape(result.error or ", ".join(result.warnings))
    note = f"<br><small>{said}</small>" if said else ""
    values = "".join(
        f'<td data-value="{_sortable(result.metrics.get(name))}">'
        f"{number(result.metrics.get(name))}</td>"
        for name in names
    )
    return (
        f'<tr class="{result.status}"><td>{image}</td>'
        f'<th scope="row">{html.escape(result.name)}{note}</th>'
        f"<td>{result.status}</td>{values}"
        f'<td data-value="{result.seconds}">{result.seconds:.2f}</td></tr>'
    )


def _sortable(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else repr(value).replace("inf", "Infinity")
