"""Outputs of any tool against references, paired by name and never by position.

The same function serves the shell (`resattn metrics`) and Python (`metrics`). Nothing is written.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from resattn.errors import UserError
from resattn.pipelines import metrics_boxes
from resattn.pipelines import plan as planning
from resattn.pipelines.metrics_config import MetricsConfig
from resattn.pipelines.metrics_images import (
    IMAGE_SUFFIXES,
    View,
    check_same_size,
    enlarged,
    views,
    white,
)
from resattn.pipelines.metrics_scores import (
    Scale,
    image_scores,
    marked,
    mask_scores,
    too_large,
)
from resattn.pipelines.metrics_tasks import Task
from resattn.pipelines.pictures import open_picture
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result, Scores
from resattn.pipelines.sources import Source, gather
from resattn.tiling import Window
from resattn.upscale.resize import BICUBIC, LANCZOS

__all__ = ["MetricsConfig", "metrics", "plan", "work"]

_COMPANIONS = (".overlay", ".preview", ".probability")
"""Pictures that our own commands put beside an output; they are no outputs to be measured."""

_NAMED = 5


def metrics(estimate: str | Path, reference: str | Path, **options: Any) -> Result:
    """Scores of one file against another.

    Args:
        estimate: The file to judge.
        reference: What it is held against.
        options: Fields of `MetricsConfig`.

    Raises:
        UserError: The options do not say what to measure.
        ItemError: A file cannot be read, or the two cannot be compared.

    Example:
        >>> metrics("large.png", "truth.png", metric="psnr_y,ssim_y").metrics  # doctest: +SKIP
    """
    config = MetricsConfig(**options)
    found = plan([str(estimate)], Path(reference), config)
    return work(config)(found.items[0], Progress(enabled=False))


def plan(
    outputs: Sequence[str],
    reference: Path,
    config: MetricsConfig,
    *,
    pair: str = "",
    include: str = "*",
    recursive: bool = True,
) -> Plan:
    """Which file is held against which.

    Raises:
        UserError: E203, E206 or E208 if nothing matches, a name is there twice, or a file on either
            side has no partner and the config does not allow it.
    """
    sources = gather(outputs, include=include, recursive=recursive)
    if config.chosen().kind == "boxes":
        return metrics_boxes.plan(sources, reference)
    items = [_item(source) for source in sources if source.named or _is_output(source.path)]
    if not items:
        raise UserError(
            f"none of {len(sources)} files is an image by its name", "name it outright", code="E203"
        )
    paired = planning.pair_references(Plan(tuple(items)), reference, pair)
    lonely = tuple(path for path in paired.unmatched_references if _is_output(path))
    paired = replace(paired, unmatched_references=lonely)
    missing = [item.inputs[0] for item in paired.items if item.reference is None]
    if not config.partial:
        _refuse(missing, "has no reference", "have no reference")
        _refuse(lonely, "is a reference that no output is for", "are references without an output")
    kept = replace(paired, items=tuple(i for i in paired.items if i.reference is not None))
    return kept if config.source is None else _with_sources(kept, config, pair)


def _item(source: Source) -> Item:
    return Item(source.name, (source.path,), source.path)


def _is_output(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.stem.endswith(_COMPANIONS)


def _refuse(paths: Sequence[Path], one: str, many: str) -> None:
    if not paths:
        return
    names = ", ".join(str(path) for path in paths[:_NAMED])
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    raise UserError(
        f"{names}{more} {one if len(paths) == 1 else many}",
        "name both sides alike, use --pair, or measure the pairs there are with --partial",
        code="E206",
    )


def _with_sources(pairs: Plan, config: MetricsConfig, pattern: str) -> Plan:
    """The plan with what each output was made from as its second input."""
    found = planning.pair_references(pairs, config.source, pattern)
    missing = [item.inputs[0] for item in found.items if item.reference is None]
    if not config.partial:
        _refuse(missing, "has no source", "have no source")
    items = tuple(
        replace(
            item, inputs=(*item.inputs, *([with_source.reference] if with_source.reference else []))
        )
        for item, with_source in zip(pairs.items, found.items, strict=True)
    )
    return replace(pairs, items=items)


@portable
def work(config: MetricsConfig) -> Work:
    """What is done with one pair under `config`; wrong options are refused here, once."""
    task = config.chosen()
    if task.kind == "boxes":
        return functools.partial(metrics_boxes.measure, names=task.metrics, score=config.score)
    measure = _images if task.kind == "image" else _masks
    return functools.partial(measure, config=config, task=task)


def _images(item: Item, progress: Progress, *, config: MetricsConfig, task: Task) -> Result:
    del progress
    if item.reference is None:
        raise ValueError(f"{item.name} has no reference")
    with (
        open_picture(item.inputs[0], max_pixels=config.max_pixels) as ours,
        open_picture(item.reference, max_pixels=config.max_pixels) as theirs,
    ):
        estimate, truth = views(ours, theirs, scale_is_known=config.peak > 0)
        left_out = too_large(task.metrics, len(truth.bands), truth.size)
        names = [name for name in task.metrics if name not in left_out]
        scale = Scale(config.peak or white(truth), config.ratio, max(config.border, 0))
        baselines: Mapping[str, Scores] = {}
        if len(item.inputs) > 1 and task.baselines:
            scale, baselines = _interpolations(item.inputs[1], truth, names, scale, config)
        scores = image_scores(names, estimate.read, truth.read, truth.size, scale)
    facts = {"peak": scale.peak, "border": scale.border}
    warnings = (
        [f"{', '.join(left_out)} left out: they need the whole image at once"] if left_out else []
    )
    return Result(item.name, "ok", (), scores, baselines, facts, tuple(warnings))


def _interpolations(
    source: Path, truth: View, names: Sequence[str], scale: Scale, config: MetricsConfig
) -> tuple[Scale, dict[str, Scores]]:
    """Scores of the interpolated source, and the scale with the border that goes with it."""
    with open_picture(source, max_pixels=config.max_pixels) as picture:
        opaque = tuple(band for band in range(picture.count) if band != picture.alpha)
        low = View(picture, opaque)
        if config.border < 0:
            scale = replace(scale, border=round(truth.size[0] / low.size[0]))
        if not config.baselines or len(opaque) != len(truth.bands):
            return scale, {}
        return scale, {
            kernel.name: image_scores(
                names, enlarged(low, truth.size, kernel), truth.read, truth.size, scale
            )
            for kernel in (BICUBIC, LANCZOS)
        }


def _masks(item: Item, progress: Progress, *, config: MetricsConfig, task: Task) -> Result:
    del progress
    if item.reference is None:
        raise ValueError(f"{item.name} has no reference")
    with (
        open_picture(item.inputs[0], max_pixels=config.max_pixels) as ours,
        open_picture(item.reference, max_pixels=config.max_pixels) as theirs,
    ):
        pair = View(ours, tuple(range(ours.count))), View(theirs, tuple(range(theirs.count)))
        check_same_size(*pair)
        everything = Window(0, 0, *pair[0].size)
        (found, seen), (true, known) = (view.read(everything) for view in pair)
    valid = seen & known
    warnings = [
        f"{view.name} is no plain mask: every value but 0 counts as inside"
        for view, values in zip(pair, (found, true), strict=True)
        if len(np.unique(values)) > 2
    ]
    truth = marked(true, valid)
    scores = mask_scores(task.metrics, marked(found, valid), truth, valid)
    baselines = (
        {"empty": mask_scores(task.metrics, np.zeros_like(truth), truth, valid)}
        if config.baselines
        else {}
    )
    return Result(item.name, "ok", (), scores, baselines, {}, tuple(warnings))
