"""Boxes of any detector against annotations: COCO's numbers belong to a set, not to a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from resattn.detection.results import read_results
from resattn.detection.score import evaluate
from resattn.errors import UserError
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.sources import Source, absolute


def plan(sources: Sequence[Source], reference: Path) -> Plan:
    """One item: all files with boxes against one file of annotations.

    Raises:
        UserError: E203 if no file is a JSON by its name, E206 if the annotations are no file.
    """
    files = tuple(s.path for s in sources if s.named or s.path.suffix.lower() == ".json")
    if not files:
        raise UserError("no file is a JSON by its name", "give COCO's results", code="E203")
    truth = absolute(reference)
    if not truth.is_file():
        raise UserError(
            f"--reference {reference} is no file, and COCO's numbers belong to a whole set",
            "give the COCO file with all annotations",
            code="E206",
        )
    name = files[0].stem if len(files) == 1 else files[0].parent.name
    return Plan((Item(name, files, files[0], truth),))


def measure(item: Item, progress: Progress, *, names: Sequence[str], score: float) -> Result:
    """The scores of the set; those that are not defined, such as AP of absent sizes, are left out.

    Raises:
        ItemError: A file cannot be read.
    """
    del progress
    if item.reference is None:
        raise ValueError(f"{item.name} has no reference")
    truth, found = read_results(item.inputs, item.reference)
    made = evaluate(truth.pictures, found, truth.classes, score=score)
    hits, false, missed = (
        sum(getattr(picture, kind) for picture in made.pictures)
        for kind in ("hits", "false", "missed")
    )
    scores = made.numbers | {
        "box_precision": hits / max(hits + false, 1),
        "box_recall": hits / max(hits + missed, 1),
        "box_f1": 2 * hits / max(2 * hits + false + missed, 1),
    }
    facts = {
        "pictures": len(truth.pictures),
        "worst": ", ".join(picture.name for picture in made.pictures[:10] if picture.f1 < 1),
        "ap": {one.name: None if math.isnan(one.ap) else one.ap for one in made.classes},
    }
    metrics = {name: scores[name] for name in names if not math.isnan(scores[name])}
    return Result(item.name, "ok", (), metrics, {}, facts)
