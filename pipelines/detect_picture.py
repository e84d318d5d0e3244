"""One picture from file to files, with a network that is loaded once for all of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from resattn import device as devices
from resattn.detection.annotations import Annotations
from resattn.detection.finder import Finder
from resattn.detection.finding import Finding
from resattn.detection.overview import overview
from resattn.detection.picture import Colours, Picture, open_picture
from resattn.detection.writers import FORMS
from resattn.errors import WeightsError
from resattn.io.image import write_image
from resattn.io.sniff import Limits
from resattn.models.detector import Detector
from resattn.pipelines import detect_strips
from resattn.pipelines.detect_config import DetectConfig
from resattn.pipelines.detect_reference import Place, Truths
from resattn.pipelines.plan import Item
from resattn.pipelines.progress import Progress
from resattn.pipelines.provenance import as_facts, stamped, tags
from resattn.weights.index import listed
from resattn.weights.load import Loaded, load

log = logging.getLogger(__name__)

TASK: Final = "detect"
_BY_SUFFIX: Final = {form.suffix: name for name, form in FORMS.items()}
_SAY_NOTHING: Final = ("csv", "yolo")


@dataclass(frozen=True, slots=True)
class Searcher:
    """What every picture of a run is searched with; objects count from `score` on."""

    config: DetectConfig
    finder: Finder
    classes: tuple[str, ...]
    score: float
    weights: str
    weights_sha256: str
    colours: Colours = field(default_factory=Colours)
    tags: Mapping[str, str] = field(default_factory=dict)

    def open(self, path: Path) -> AbstractContextManager[Picture]:
        """A picture in the bands and values of the options, else those of the training.

        Raises:
            ItemError: It cannot be read, or lacks a band.
        """
        config = self.config
        limit = config.max_pixels
        return open_picture(
            path,
            bands=config.band_numbers(),
            scale=config.limits(),
            trained=self.colours,
            limits=Limits(pixels=limit, whole_pixels=limit) if limit else None,
        )


@dataclass(frozen=True, slots=True)
class Search:
    """What was found in a picture, what is marked in it, and what finding it took."""

    finding: Finding
    truth: Annotations | None
    facts: dict[str, Any]
    outputs: tuple[Path, ...]


def make_searcher(config: DetectConfig) -> Searcher:
    """The network of `config` on its device.

    Raises:
        WeightsError: There are no such weights (E600), or they are another network's (E606).
    """
    loaded = _load(config.weights)
    if not isinstance(loaded.model, Detector):
        raise WeightsError(f"{loaded.name} holds no detector", code="E606")
    if not loaded.commercial:
        log.warning("%s: licence %s, not for commercial use", loaded.name, loaded.licence)
    trained = loaded.model.config
    classes = trained.names or tuple(f"class {i}" for i in range(1, trained.classes + 1))
    device = devices.pick(config.device)
    sight = config.sight(trained)
    if sight.overlap < trained.largest:
        log.warning(
            "windows of %d share %d pixels, %s learnt objects of %d: those that no window shows "
            "whole are put together of parts",
            sight.tile, sight.overlap, loaded.name, trained.largest,
        )  # fmt: skip
    finder = Finder(loaded.model, sight, device, config.precision)
    score = config.score or trained.score
    made = tags(TASK, config.result_options(), weights_sha256=loaded.sha256)
    colours = Colours(trained.bands, trained.scale)
    return Searcher(config, finder, classes, score, loaded.name, loaded.sha256, colours, made)


def search(item: Item, searcher: Searcher, progress: Progress, truths: Truths) -> Search:
    """A picture read, searched and written in every form that was asked for.

    What strips have seen is merged and not looked at again. Annotations are read before any work.

    Raises:
        ItemError: It cannot be read, or does not say where it lies and a form needs that, or its
            annotations are wrong.
        OutputError: An output cannot be written.
    """
    path, finder = item.inputs[0], searcher.finder
    with searcher.open(path) as picture:
        place = Place(path.name, picture.size, picture.ground)
        truth = None if item.reference is None else truths.of(item.reference, place)
        windows = len(finder.sight.mosaic(picture))
        started = time.perf_counter()
        with progress.steps(windows, path.name) as bar:
            if item.strips:
                found = finder.merged(picture, detect_strips.read(item.strips))
            else:
                found = finder.find(picture, bar.update)
        seconds = time.perf_counter() - started
        finding = Finding.of(path.name, picture.size, searcher.classes, found, picture.ground)
        finding = replace(finding, made_by=as_facts(searcher.tags))
        outputs = _write(picture, finding, item.output, searcher)
    facts = {
        "found": summary(finding.above(searcher.score)),
        "score": searcher.score,
        "windows": windows,
        "tile": finder.sight.tile,
        "overlap": finder.sight.overlap,
        **({} if item.strips else {"windows_per_second": round(windows / max(seconds, 1e-9), 3)}),
        "bands": list(picture.bands),
        "stretch": picture.stretch and [list(picture.stretch.low), list(picture.stretch.high)],
        "network": [searcher.weights, searcher.weights_sha256],
    }
    return Search(finding, truth, facts, outputs)


def summary(finding: Finding) -> str:
    """How many of each class, in words."""
    names = finding.class_names()
    parts = [f"{names.count(name)} {name}" for name in finding.classes if name in names]
    return ", ".join(parts) or "nothing"


def main_form(output: Path) -> str:
    """The form that the suffix of the main output stands for; empty if none."""
    return _BY_SUFFIX.get(output.suffix.lower(), "")


def companions(output: Path, config: DetectConfig) -> dict[str, Path]:
    """Every file of an item by form, the main one first.

    A form without a place for what made it is accompanied by the one that says it.
    """
    files = {main_form(output): output}
    if main_form(output) in _SAY_NOTHING:
        files["coco"] = output.with_suffix(FORMS["coco"].suffix)
    for form in config.forms():
        files.setdefault(form, output.with_suffix(FORMS[form].suffix))
    return files


def overlay_path(output: Path) -> Path:
    """Where the picture with the boxes drawn in goes."""
    return output.with_suffix(".overlay.jpg")


def _write(
    picture: Picture, finding: Finding, output: Path, searcher: Searcher
) -> tuple[Path, ...]:
    config, likely = searcher.config, finding.above(searcher.score)
    files = companions(output, config)
    for form, path in files.items():
        FORMS[form].write(path, finding if form == "coco" else likely, config.overwrite)
    outputs = [*files.values()]
    if config.overlay:
        path = overlay_path(output)
        drawn = overview(picture, likely)
        write_image(
            path, drawn, quality=90, metadata=stamped(None, searcher.tags),
            inputs=(picture.path,), overwrite=config.overwrite,
        )  # fmt: skip
        outputs.append(path)
    return tuple(outputs)


def _load(weights: str) -> Loaded:
    known = [name for name, (_, entry) in listed().items() if entry.task == TASK]
    if not weights and len(known) != 1:
        raise WeightsError(
            f"{len(known)} detectors are installed" + (f": {', '.join(known)}" if known else ""),
            "choose one by --weights"
            if known
            else "make one with: resattn train detect, or name a file by --weights",
        )
    name = weights or known[0]
    return load(f"{TASK}.{name}" if f"{TASK}.{name}" in known else name, TASK)
