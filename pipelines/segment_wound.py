"""From photographs to masks, pictures and measures: prepare, infer, finish, measure.

The same function serves the shell (`resattn segment-wound`) and Python (`segment_wound`). The
network is loaded once for all photographs.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from resattn.errors import UserError
from resattn.io.atomic import check_target, make_folder
from resattn.io.dicom import SUFFIX as DICOM
from resattn.io.image import SUFFIXES
from resattn.pipelines import plan as planning
from resattn.pipelines import segment_wound_series
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable_with
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.segment_wound_config import SegmentWoundConfig
from resattn.pipelines.segment_wound_photo import (
    Examiner,
    beside,
    finish,
    make_examiner,
    measure,
    photograph,
)
from resattn.wound.examine import NOTICE

__all__ = ["SegmentWoundConfig", "plan", "segment_wound", "work"]


def segment_wound(source: str | Path, out: str | Path, **options: Any) -> Result:
    """Mask, pictures and measures of one photograph, the mask written to `out`.

    Args:
        source: Photograph.
        out: Mask to write, ending in ``.png``; its companions lie beside it.
        options: Fields of `SegmentWoundConfig`, and ``reference`` for the path of a true mask.

    Raises:
        UserError: The options or paths are wrong.
        WeightsError: There is no network to use.
        ItemError: The photograph cannot be read.

    Example:
        >>> result = segment_wound("foot.jpg", "foot.wound.png")  # doctest: +SKIP
    """
    reference = options.pop("reference", None)
    config = SegmentWoundConfig(**options)
    _check_suffix(Path(out), ".png")
    checked = planning.of_one(source, out, overwrite=config.overwrite)
    paired = planning.pair_references(checked, None if reference is None else Path(reference))
    return work(config)(paired.items[0], Progress(enabled=False))


def plan(
    inputs: Sequence[str],
    out: Path,
    *,
    include: str = "*",
    recursive: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
    follow_up: bool = False,
) -> Plan:
    """Which mask each photograph becomes, or with `follow_up` which table each folder becomes.

    Raises:
        UserError: Nothing matches, names collide, or an output is in the way.
    """
    named = planning.named_images(
        inputs, (*SUFFIXES, DICOM), what="a photograph", include=include, recursive=recursive
    )
    groups: dict[str, list[Path]] = {}
    for name, path in named:
        folder = Path(name).parent.as_posix()
        series = path.parent.name if folder == "." else folder
        groups.setdefault(series if follow_up else name, []).append(path)
    tag, suffix = ("series", ".csv") if follow_up else ("wound", ".png")
    items = []
    for name, paths in groups.items():
        output = planning.output_path(out, name, single=len(groups) == 1, tag=tag, suffix=suffix)
        _check_suffix(output, suffix)
        items.append(Item(name, tuple(paths), output))
    return planning.check(items, overwrite=overwrite, skip_existing=skip_existing)


def companions(item: Item, config: SegmentWoundConfig) -> tuple[Path, ...]:
    """Files beside the output."""
    if config.follow_up:
        return segment_wound_series.companions(item, config)
    return beside(item.output, item.inputs[0], config)


@portable_with(companions)
def work(config: SegmentWoundConfig) -> Work:
    """What is done with one item under `config`; wrong options are refused here, once.

    Raises:
        UserError: Options contradict each other, or the device is not there.
        WeightsError: There is no network to use.
    """
    config.check()
    if config.threads:
        torch.set_num_threads(config.threads)
    examiner = make_examiner(config)
    if config.follow_up:
        return functools.partial(segment_wound_series.follow, examiner=examiner)
    return functools.partial(_one, examiner=examiner)


def _one(item: Item, progress: Progress, *, examiner: Examiner) -> Result:
    del progress  # a photograph takes less than a second
    make_folder(item.output.parent)
    check_target(item.output, inputs=item.inputs, overwrite=examiner.config.overwrite)
    examined = photograph(item.inputs[0], examiner)
    finding = examined.finding
    scores = {} if item.reference is None else measure(finding.mask, item.reference)
    outputs = finish(examined, item.output, examiner)
    facts = {
        "found": finding.summary(),
        "flags": ", ".join(finding.flags) or "none",
        "scale": finding.scale or "none",
        "notice": NOTICE,
        "network": [examiner.weights, examiner.weights_sha256],
    }
    metrics = {**scores, **finding.numbers()}
    return Result(item.name, "ok", outputs, metrics, {}, facts, examined.warnings)


def _check_suffix(output: Path, suffix: str) -> None:
    if output.suffix.lower() != suffix:
        raise UserError(
            f"--out {output.name}: suffix {output.suffix or 'missing'}",
            f"end the name in {suffix}",
            code="E207",
        )
