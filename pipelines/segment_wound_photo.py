"""One photograph from file to files, with a network that is loaded once for all of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from resattn import device as devices
from resattn.errors import ItemError, WeightsError
from resattn.io import dicom
from resattn.io.atomic import make_folder, write_bytes, write_json
from resattn.io.coin import find_coins
from resattn.io.image import Image, read_image, write_image
from resattn.io.marker import find_markers
from resattn.io.sniff import Limits
from resattn.metrics import overlap, surface
from resattn.metrics.pair import Mask
from resattn.models.wound_unet import Decision, WoundUNet
from resattn.pipelines.provenance import stamped, tags
from resattn.pipelines.segment_wound_config import SegmentWoundConfig
from resattn.version import __version__
from resattn.weights.index import listed
from resattn.weights.load import Loaded, load
from resattn.wound.examine import NOTICE, Finding, examine
from resattn.wound.photo import Rgb, read_rgb
from resattn.wound.picture import grey_levels, overlay
from resattn.wound.scale import Scale, from_coin, from_marker, from_px_per_mm
from resattn.wound.segment import FAST, FULL, Probability, Segmenter

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
class Examiner:
    """What every photograph of a run is examined with."""

    config: SegmentWoundConfig
    segmenter: Segmenter
    decision: Decision
    weights: str
    weights_sha256: str

    @property
    def tags(self) -> dict[str, str]:
        """What every output says of itself."""
        return tags(TASK, self.config.result_options(), weights_sha256=self.weights_sha256)


@dataclass(frozen=True, slots=True)
class Examined:
    """A photograph with what was found in it."""

    image: Image
    photo: Rgb
    likely: Probability
    finding: Finding
    warnings: tuple[str, ...]


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
    effort = FAST if config.fast else replace(FULL, refine=config.refine)
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


def beside(mask: Path, source: Path, config: SegmentWoundConfig) -> tuple[Path, ...]:
    """The companions of the mask of a photograph, in the order in which they are written."""
    wanted = {
        ".overlay.png": config.overlay,
        ".probability.png": config.probability,
        ".dcm": config.dicom_seg,
        ".photo.dcm": config.dicom_seg and source.suffix.lower() != dicom.SUFFIX,
        ".json": True,
    }
    return tuple(mask.with_suffix(suffix) for suffix, write in wanted.items() if write)


def finish(examined: Examined, output: Path, examiner: Examiner) -> tuple[Path, ...]:
    """Writes the mask and its companions beside it; returns their paths, the mask first."""
    config, finding = examiner.config, examined.finding
    make_folder(output.parent)
    pictures = {output: finding.mask.astype(np.uint8)[None] * 255}
    if config.overlay:
        pictures[output.with_suffix(".overlay.png")] = overlay(examined.photo, finding.mask)
    if config.probability:
        pictures[output.with_suffix(".probability.png")] = grey_levels(examined.likely)
    source = examined.image.info.path
    made = examiner.tags
    for path, pixels in pictures.items():
        write_image(
            path, pixels, metadata=stamped(None, made), inputs=(source,), overwrite=config.overwrite
        )
    objects: dict[Path, bytes] = {}
    if config.dicom_seg:
        maker = dicom.Maker(TASK, examiner.weights, made, NOTICE)
        mask, photo = dicom.segmentation(source, examined.photo, finding.mask, maker)
        objects[output.with_suffix(".dcm")] = mask
        if photo is not None:
            objects[output.with_suffix(".photo.dcm")] = photo
    for path, data in objects.items():
        write_bytes(path, data, inputs=(source,), overwrite=config.overwrite)
    table = output.with_suffix(".json")
    document = {
        "schema": 1,
        "version": __version__,
        "command": TASK,
        "config_sha256": made["RESATTN_CONFIG_SHA256"],
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
    return (*pictures, *objects, table)


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


def _load(weights: str) -> Loaded:
    if weights or DEFAULT_WEIGHTS in listed():
        return load(weights or DEFAULT_WEIGHTS, TASK)
    raise WeightsError(
        "no weights for segment-wound are installed",
        "make some with: resattn train segment-wound, or name a file by --weights",
    )


def _limits(config: SegmentWoundConfig) -> Limits | None:
    return Limits(whole_pixels=config.max_pixels) if config.max_pixels else None


def _scale(photo: Rgb, config: SegmentWoundConfig) -> tuple[Scale | None, tuple[str, ...]]:
    """How to measure in this photograph, and what there is to say about it."""
    if config.px_per_mm:
        return from_px_per_mm(config.px_per_mm), ()
    if config.coin_mm:
        coins = find_coins(photo)
        if len(coins) != 1:
            seen = f"{len(coins)} coins were" if coins else "no coin was"
            return None, (f"{seen} found where one is needed: areas are in pixels only",)
        return from_coin(coins[0], config.coin_mm, (photo.shape[1], photo.shape[2])), ()
    if not config.marker_mm:
        return None, ()
    markers = find_markers(photo)
    if not markers:
        return None, ("no marker was found: areas are in pixels only",)
    return from_marker(markers[0], config.marker_mm), ()
