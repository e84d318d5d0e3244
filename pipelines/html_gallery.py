"""The worst items of a run, each as pictures that can be swiped against the output."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from resattn.metrics.table import METRICS
from resattn.pipelines.html_images import GALLERY, Inlined, inlined
from resattn.pipelines.html_pictures import Sheet, sheet
from resattn.pipelines.result import Result

WORST = 10
BYTES = 3_200_000
"""Most that all pictures of the gallery take in the page."""


def ranked(results: Sequence[Result]) -> tuple[str, list[Result]]:
    """The metric that decides, and the finished items from worst to best by it.

    It is the first with a direction that most items have; without one the order of the run stays.
    What could not be measured, or is not a number, counts as worst.
    """
    finished = [result for result in results if result.status == "ok"]
    names = dict.fromkeys(name for result in finished for name in result.metrics)
    most = len(finished) / 2
    common = (n for n in names if n in METRICS and sum(n in r.metrics for r in finished) > most)
    metric = next(common, "")
    if not metric:
        return "", finished
    sign = 1 if METRICS[metric].higher_is_better else -1

    def badness(result: Result) -> float:
        value = sign * result.metrics.get(metric, math.nan)
        return -math.inf if math.isnan(value) else value

    return metric, sorted(finished, key=badness)


def gallery(results: Sequence[Result]) -> str:
    """The section of the worst items; empty where none can be shown."""
    metric, order = ranked(results)
    sheets = [(result, sheet(result)) for result in order[:WORST]]
    layers = sum(len(shown.layers) for _, shown in sheets)
    if not layers:
        return ""
    limit = BYTES // layers
    figures = "".join(
        _figure(place, result, shown, metric, limit)
        for place, (result, shown) in enumerate(sheets)
        if shown.layers
    )
    count = sum(bool(shown.layers) for _, shown in sheets)
    title = f"The {count} worst by {METRICS[metric].title}" if metric else f"The first {count}"
    if count == len(order):
        title = f"All {count}, worst first" if metric else f"All {count}"
    if count == 1:
        title = "The item" if len(order) == 1 else title.replace("The 1 worst", "The worst")
    return f'<section><h2>{html.escape(title)}</h2><div class="gallery">{figures}</div></section>'


def _figure(place: int, result: Result, shown: Sheet, metric: str, limit: int) -> str:
    images = [(layer.label, inlined(layer.pixels, GALLERY, limit)) for layer in shown.layers]
    kept = [(label, image) for label, image in images if image is not None]
    if not kept:
        return ""
    (_, base), *others = kept
    labels = [label for label, _ in others]
    name = html.escape(result.name)
    score = ""
    if metric in result.metrics:
        row = METRICS[metric]
        score = f"{html.escape(row.title)} {result.metrics[metric]:.4g} {html.escape(row.unit)}"
    note = f"<small>{html.escape(shown.note)}</small>" if shown.note else ""
    return (
        f'<figure class="swipe"><figcaption><b>{name}</b> <span>{score}</span>{note}</figcaption>'
        f'<div class="stack" style="--ratio:{base.width}/{base.height}">'
        f"{_image(base, 'output', 'base')}{''.join(_layer(n, o) for n, o in enumerate(others))}"
        f'<i class="edge"></i></div>{_controls(place, name, labels)}</figure>'
    )


def _layer(number: int, layer: tuple[str, Inlined]) -> str:
    label, image = layer
    return _image(image, label, "over" if number == 0 else "over off")


def _image(image: Inlined, label: str, kind: str) -> str:
    return (
        f'<img class="{kind}" src="{image.uri}" width="{image.width}" height="{image.height}" '
        f'alt="{html.escape(label)}">'
    )


def _controls(place: int, name: str, labels: Sequence[str]) -> str:
    """A slider between the chosen layer, on the left, and the output, on the right."""
    if not labels:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="layer{place}" value="{number}"'
        f"{' checked' if number == 0 else ''}> {html.escape(label)}</label>"
        for number, label in enumerate(labels)
    )
    return (
        f'<input type="range" min="0" max="100" value="50" step="1" '
        f'aria-label="{name}: how much of the left picture is seen">'
        f"<fieldset><legend>left</legend>{choices}<span>right: output</span></fieldset>"
    )
