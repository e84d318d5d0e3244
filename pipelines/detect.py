"""From photographs and rasters to boxes: prepare, infer, finish, measure.

The same function serves the shell (`resattn detect`) and Python (`detect`). The network is loaded
once for all pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from resattn.detection.finder import TOGETHER
from resattn.detection.layouts import RASTER_SUFFIXES
from resattn.detection.writers import FORMS
from resattn.errors import UserError
from resattn.io.atomic import check_target, make_folder
from resattn.io.image import SUFFIXES
from resattn.pipelines import detect_reference, detect_strips, strips
from resattn.pipelines import plan as planning
from resattn.pipelines.detect_config import DetectConfig
from resattn.pipelines.detect_evaluation import Evaluator
from resattn.pipelines.detect_picture import (
    Searcher,
    companions,
    main_form,
    make_searcher,
    overlay_path,
    search,
)
from resattn.pipelines.detect_reference import Truths
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable_with
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.tiling import Window

__all__ = ["DetectConfig", "Evaluator", "detect", "plan", "work"]

_STRIP_WINDOWS = 2 * TOGETHER
"""Windows of a strip, in whole batches."""


def detect(source: str | Path, out: str | Path, **options: Any) -> Result:
    """Objects of one picture, written to `out` and beside it.

    Args:
        source: Photograph or raster.
        out: File to write; its suffix chooses the form: ``.json`` (COCO), ``.geojson``, ``.gpkg``,
            ``.csv``, ``.txt`` (YOLO) or ``.xml`` (VOC).
        options: Fields of `DetectConfig`, and ``reference`` for the path of annotations.

    Raises:
        UserError: The options or paths are wrong.
        WeightsError: There is no network to use.
        ItemError: The picture cannot be read.

    Example:
        >>> result = detect("port.tif", "ships.geojson", weights="sen2ships")  # doctest: +SKIP
    """
    reference = options.pop("reference", None)
    config = DetectConfig(**options)
    _check_form(Path(out))
    checked = planning.of_one(source, out, overwrite=config.overwrite)
    paired = detect_reference.pair(checked, None if reference is None else Path(reference))
    return work(config)(paired.items[0], Progress(enabled=False))


def plan(
    inputs: Sequence[str],
    out: Path,
    *,
    reference: Path | None = None,
    pattern: str = "",
    include: str = "*",
    recursive: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Which file each picture becomes, and which annotations it is held against.

    Raises:
        UserError: Nothing matches, names collide, or an output is in the way.
        ItemError: The annotations are wrong.
    """
    kinds = (*SUFFIXES, *RASTER_SUFFIXES)
    sources = planning.named_images(
        inputs, kinds, what="a picture", include=include, recursive=recursive
    )
    items = []
    for name, path in sources:
        single = len(sources) == 1
        output = planning.output_path(out, name, single=single, tag="detect", suffix=".json")
        _check_form(output)
        items.append(Item(name, (path,), output))
    checked = planning.check(items, overwrite=overwrite, skip_existing=skip_existing)
    return detect_reference.pair(checked, reference, pattern)


def _beside(item: Item, config: DetectConfig) -> tuple[Path, ...]:
    _, *forms = companions(item.output, config).values()
    return (*forms, overlay_path(item.output)) if config.overlay else tuple(forms)


@portable_with(_beside)
def work(config: DetectConfig) -> Work:
    """What is done with one picture under `config`; wrong options are refused here, once.

    Raises:
        UserError: Options make no sense, or the device is not there.
        WeightsError: There is no network to use.
    """
    config.check()
    if config.threads:
        torch.set_num_threads(config.threads)
    return _Detecting(make_searcher(config), Truths())


@dataclass(frozen=True, slots=True)
class _Detecting:
    """A network at work; large rasters can be divided, see `Divisible`. Their rows are windows."""

    searcher: Searcher
    truths: Truths

    def __call__(self, item: Item, progress: Progress) -> Result:
        return _one(item, progress, searcher=self.searcher, truths=self.truths)

    def strips(self, item: Item) -> Sequence[Window]:
        with self.searcher.open(item.inputs[0]) as picture:
            if not picture.streamed:  # decoded whole by whoever reads a part of it
                return ()
            windows = len(self.searcher.finder.sight.mosaic(picture))
            return strips.cut(windows, 1, _STRIP_WINDOWS)

    def strip(self, item: Item, progress: Progress) -> Result:
        del progress  # the strip is one step of it
        rows, finder = item.part(), self.searcher.finder
        with self.searcher.open(item.inputs[0]) as picture:
            detect_strips.write(item.output, finder.views(picture, range(rows.row, rows.bottom)))
        return Result(item.name, "ok", (item.output,))


def _one(item: Item, progress: Progress, *, searcher: Searcher, truths: Truths) -> Result:
    config = searcher.config
    make_folder(item.output.parent)
    for path in companions(item.output, config).values():
        check_target(path, inputs=item.inputs, overwrite=config.overwrite)
    done = search(item, searcher, progress, truths)
    finding, warnings = done.finding, []
    likely = finding.found.above(searcher.score)
    metrics: dict[str, float] = {"objects": float(len(likely))}
    if done.truth is not None:
        met, unknown = detect_reference.counts(likely, searcher.classes, done.truth)
        metrics |= {
            "box_precision": met.precision, "box_recall": met.recall, "box_f1": met.f1,
        }  # fmt: skip
        warnings += [f"nothing is marked as {name}: those found are not scored" for name in unknown]
    return Result(item.name, "ok", done.outputs, metrics, {}, done.facts, tuple(warnings))


def _check_form(output: Path) -> None:
    if not main_form(output):
        raise UserError(
            f"--out {output.name}: suffix {output.suffix or 'missing'}",
            f"end the name in {', '.join(form.suffix for form in FORMS.values())}",
            code="E207",
        )
