"""From photographs to masks, pictures and measures: prepare, infer, finish, measure.

The same function serves the shell (`resattn segment-wound`) and Python (`segment_wound`). The
network is loaded once for all photographs.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from resattn import device as devices
from resattn.device import Precision
from resattn.errors import ItemError, OutputError, UserError, WeightsError
from resattn.io.atomic import write_json
from resattn.io.image import SUFFIXES, Image, read_image, write_image
from resattn.io.marker import find_markers
from resattn.io.sniff import Limits
from resattn.metrics import overlap, surface
from resattn.metrics.pair import Mask
from resattn.models.wound_unet import Decision, WoundUNet
from resattn.pipelines import plan as planning
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.run import Work
from resattn.pipelines.sources import absolute, gather
from resattn.version import __version__
from resattn.weights.index import listed
from resattn.weights.load import Loaded, load
from resattn.wound.examine import NOTICE, Finding, examine
from resattn.wound.photo import Rgb, read_rgb
from resattn.wound.picture import grey_levels, overlay
from resattn.wound.scale import Scale, from_marker, from_px_per_mm
from resattn.wound.segment import FAST, Effort, Probability, Segmenter

log = logging.getLogger(__name__)

TASK: Final = "segment-wound"
DEFAULT_WEIGHTS: Final = "segment-wound.base"
_SCORES: Final = {
    "dice": overlap.dice,
    "iou": overlap.iou,
    "precision": overlap.precision,
    "recall": overlap.recall,
    "specificity": overlap.specificity,
    "hd95": surface.hd95,
    "nsd": surface.nsd,
    "area_error": overlap.area_error,
}


@dataclass(frozen=True, slots=True)
class SegmentWoundConfig:
    """Everything that decides what `segment_wound` computes, as the command line names it.

    Attributes:
        weights: A listed name or a file; empty takes the default.
        threshold: Least probability of a wound's pixel; 0 takes the one set with the weights.
        tta: Average over eight turns of the photograph.
        fast: See it smaller, and only once.
        refine: Look a second time, closer, at what the first look suspects.
        marker_mm: Side of the black square of a printed marker in the photograph; 0 for none.
        px_per_mm: Pixels per millimetre, for photographs taken squarely; 0 for unknown.
        overlay: Write the photograph with the outline drawn in.
        probability: Write the probability map.
        follow_up: Treat the photographs of a folder as one wound over time.
        max_pixels: Most pixels a photograph may claim; 0 takes the limit of its format.
        overwrite: Replace existing outputs.
        device: Where the network runs.
        precision: Its arithmetic.
        tile: Without effect: a photograph is seen whole.
        overlap: Without effect.
        ram: Without effect.
        threads: CPU threads; 0 takes all.
        seed: Without effect: nothing here is random.
    """

    weights: str = ""
    threshold: float = 0.0
    tta: bool = False
    fast: bool = False
    refine: bool = True
    marker_mm: float = 0.0
    px_per_mm: float = 0.0
    overlay: bool = True
    probability: bool = False
    follow_up: bool = False
    max_pixels: int = 0
    overwrite: bool = False
    device: str = "auto"
    precision: Precision = "fp32"
    tile: int = 0
    overlap: int = 0
    ram: str = "2GB"
    threads: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Examiner:
    """What every photograph of a run is examined with."""

    config: SegmentWoundConfig
    segmenter: Segmenter
    decision: Decision
    weights: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A photograph with what was found in it."""

    image: Image
    photo: Rgb
    likely: Probability
    finding: Finding
    warnings: tuple[str, ...]


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
    output = absolute(out)
    _check_suffix(output, ".png")
    item = Item(output.stem, (absolute(source),), output)
    checked = planning.check([item], overwrite=config.overwrite)
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
    found = gather(inputs, include=include, recursive=recursive)
    sources = [s for s in found if s.named or s.path.suffix.lower() in SUFFIXES]
    if not sources:
        raise UserError(
            f"none of {len(found)} files is a photograph by its name",
            "name it outright",
            code="E203",
        )
    named = [(s.path.relative_to(s.root).with_suffix("").as_posix(), s.path) for s in sources]
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


def work(config: SegmentWoundConfig) -> Work:
    """What is done with one item under `config`; wrong options are refused here, once.

    Raises:
        UserError: Options contradict each other, or the device is not there.
        WeightsError: There is no network to use.
    """
    from resattn.pipelines import wound_series

    _check_options(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    examiner = make_examiner(config)
    if config.follow_up:
        return functools.partial(wound_series.follow, examiner=examiner)
    return functools.partial(_one, examiner=examiner)


def make_examiner(config: SegmentWoundConfig) -> Examiner:
    """The network of `config` on its device, and the decision set with it.

    Raises:
        WeightsError: There are no such weights (E600), or they are another network's (E606).
    """
    loaded = _load(config.weights)
    if not isinstance(loaded.model, WoundUNet):
        raise WeightsError(f"{loaded.name} holds no wound network", code="E606")
    if not loaded.commercial:
        log.warning("%s: licence %s, not for commercial use", loaded.name, loaded.licence)
    decision = loaded.model.config.decision
    if config.threshold:
        decision = replace(decision, threshold=config.threshold)
    effort = FAST if config.fast else Effort(refine=config.refine)
    effort = replace(effort, turns=config.tta)
    device = devices.pick(config.device)
    segmenter = Segmenter(loaded.model, effort, device, config.precision)
    return Examiner(config, segmenter, decision, loaded.name, loaded.sha256)


def photograph(path: Path, examiner: Examiner) -> Examined:
    """A photograph read, segmented and measured.

    Raises:
        ItemError: It cannot be read.
    """
    config = examiner.config
    photo, image = read_rgb(path, _limits(config))
    scale, warnings = _scale(photo, config)
    likely = examiner.segmenter.probability(photo)
    finding = examine(photo, likely, examiner.decision, scale)
    return Examined(image, photo, likely, finding, warnings)


def finish(examined: Examined, output: Path, examiner: Examiner) -> tuple[Path, ...]:
    """Writes the mask and its companions beside it; returns their paths, the mask first."""
    config, finding = examiner.config, examined.finding
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {output.parent}: {error.strerror}",
            "choose another -o",
            code="E402",
        ) from error
    pictures = {output: finding.mask.astype(np.uint8)[None] * 255}
    if config.overlay:
        pictures[output.with_suffix(".overlay.png")] = overlay(examined.photo, finding.mask)
    if config.probability:
        pictures[output.with_suffix(".probability.png")] = grey_levels(examined.likely)
    source = examined.image.info.path
    for path, pixels in pictures.items():
        write_image(path, pixels, inputs=(source,), overwrite=config.overwrite)
    table = output.with_suffix(".json")
    document = {
        "schema": 1,
        "version": __version__,
        "photograph": source.name,
        "height": examined.image.info.height,
        "width": examined.image.info.width,
        "orientation": examined.image.info.orientation,
        "weights": examiner.weights,
        "weights_sha256": examiner.weights_sha256,
        "decision": examiner.decision.to_dict(),
        **finding.to_json(),
    }
    write_json(table, document, overwrite=config.overwrite)
    return (*pictures, table)


def measure(mask: Mask, reference: Path) -> dict[str, float]:
    """Scores of a mask (H, W) against a true one in a file, any value but zero inside wounds.

    Raises:
        ItemError: E320 if the true mask has another size, E301–E315 if it cannot be read.
    """
    true = read_image(reference).pixels.max(0)
    if true.shape != mask.shape:
        raise ItemError(
            f"the true mask {reference} has {true.shape[1]}×{true.shape[0]} pixels, "
            f"the photograph {mask.shape[1]}×{mask.shape[0]}",
            "give one of the upright photograph",
            code="E320",
        )
    return {name: score(mask, true) for name, score in _SCORES.items()}


def _one(item: Item, progress: Progress, *, examiner: Examiner) -> Result:
    del progress  # a photograph takes less than a second
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


def _load(weights: str) -> Loaded:
    if weights or DEFAULT_WEIGHTS in listed():
        return load(weights or DEFAULT_WEIGHTS, TASK)
    raise WeightsError(
        "no weights for segment-wound are installed",
        "make some with: resattn train segment-wound, or name a file by --weights",
    )


def _check_options(config: SegmentWoundConfig) -> None:
    if config.marker_mm and config.px_per_mm:
        raise UserError(
            "--marker-mm and --px-per-mm exclude each other", "give one of them", code="E208"
        )
    if not 0 <= config.threshold < 1 or config.marker_mm < 0 or config.px_per_mm < 0:
        raise UserError(
            f"--threshold {config.threshold:g}, --marker-mm {config.marker_mm:g}, "
            f"--px-per-mm {config.px_per_mm:g}",
            "give a threshold between 0 and 1 and sizes above 0",
            code="E208",
        )


def _check_suffix(output: Path, suffix: str) -> None:
    if output.suffix.lower() != suffix:
        raise UserError(
            f"--out {output.name}: suffix {output.suffix or 'missing'}",
            f"end the name in {suffix}",
            code="E207",
        )


def _limits(config: SegmentWoundConfig) -> Limits | None:
    return Limits(whole_pixels=config.max_pixels) if config.max_pixels else None


def _scale(photo: Rgb, config: SegmentWoundConfig) -> tuple[Scale | None, tuple[str, ...]]:
    """How to measure in this photograph, and what there is to say about it."""
    if config.px_per_mm:
        return from_px_per_mm(config.px_per_mm), ()
    if not config.marker_mm:
        return None, ()
    markers = find_markers(photo)
    if not markers:
        return None, ("no marker was found: areas are in pixels only",)
    return from_marker(markers[0], config.marker_mm), ()
