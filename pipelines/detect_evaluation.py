"""A finished run against its annotations as one set, since average precision has no mean of items.

What was found is read back from the COCO files of the run, so that it is the same whoever made
them and when.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resattn.detection.coco import read_findings
from resattn.detection.coco_numbers import COUNTED
from resattn.detection.picture import STREAMED
from resattn.detection.score import ClassScore, Evaluation, evaluate, relabelled
from resattn.errors import ResattnError
from resattn.io.atomic import write_json
from resattn.io.ground import Ground
from resattn.io.raster import open_raster
from resattn.io.sniff import Limits, identify
from resattn.pipelines.detect_reference import Place, Truths, in_common
from resattn.pipelines.result import Result
from resattn.version import __version__

_NAME = "all pictures"
_WORST = 10


class Evaluator:
    """Makes one result of those of all pictures.

    Args:
        out: The value of ``--out``.
    """

    def __init__(self, out: Path) -> None:
        self._out = out

    def __call__(self, results: Sequence[Result]) -> Result | None:
        """The scores of the whole set, and a file with all there is to say; None if none is scored.

        Pictures that failed, or whose COCO file was not written, are left out with a warning.
        """
        scored = [r for r in results if r.reference is not None]
        able = [r for r in scored if r.status == "ok" and _coco_of(r)]
        if not able:
            return None
        try:
            return self._evaluate(able, len(scored) - len(able))
        except ResattnError as error:
            why = f"error[{error.code}] {_NAME}: {error}"
            return Result(_NAME, "failed", error=why, of_run=True)

    def _evaluate(self, results: Sequence[Result], missing: int) -> Result:
        truths, reader, findings = [], Truths(), []
        for result in results:
            path = _coco_of(result)
            classes, marked, found = read_findings(path)
            place = Place(result.inputs[0].name, (marked.height, marked.width), _ground(result))
            truths.append(reader.of(result.reference or path, place))
            findings.append((classes, found))
        common = in_common(truths)
        score = float(results[0].facts["score"])  # of all: one run has one score
        same = [relabelled(found, classes, common.classes)[0] for classes, found in findings]
        made = evaluate(common.pictures, same, common.classes, score=score)
        path = self._path()
        write_json(path, _document(made, common.classes, score), overwrite=True)
        crowded = max(len(picture.marks) for picture in common.pictures)
        warnings = []
        if missing:
            warnings.append(f"{missing} pictures with annotations are not in these scores")
        if crowded > COUNTED:
            warnings.append(
                f"a picture has {crowded} objects; of each, COCO counts the {COUNTED} best boxes"
            )
        return Result(
            _NAME,
            "ok",
            (path,),
            _metrics(made),
            facts={"pictures": len(results), "worst": _worst(made)},
            warnings=tuple(warnings),
            of_run=True,
        )

    def _path(self) -> Path:
        if self._out.is_dir():
            return self._out / "detect.evaluation.json"
        return self._out.with_suffix(".evaluation.json")


def _coco_of(result: Result) -> Path:
    return next((path for path in result.outputs if path.suffix == ".json"), Path())


def _ground(result: Result) -> Ground | None:
    """Where the picture lies, if its annotations need it."""
    source = result.inputs[0]
    if result.reference is None or result.reference.suffix.lower() != ".geojson":
        return None
    if identify(source, Limits()).format not in STREAMED:
        return None
    with open_raster(source) as raster:
        return Ground.of(raster.info)


def _metrics(made: Evaluation) -> dict[str, float]:
    """What is defined of the twelve, and the counts of all pictures together."""
    hits, false, missed = (
        sum(getattr(picture, kind) for picture in made.pictures)
        for kind in ("hits", "false", "missed")
    )
    together = {
        "box_precision": hits / max(hits + false, 1),
        "box_recall": hits / max(hits + missed, 1),
        "box_f1": 2 * hits / max(2 * hits + false + missed, 1),
    }
    return {k: v for k, v in made.numbers.items() if not math.isnan(v)} | together


def _worst(made: Evaluation) -> str:
    return ", ".join(f"{p.name} {p.f1:.2f}" for p in made.pictures[:_WORST] if p.f1 < 1) or "none"


def _document(made: Evaluation, classes: Sequence[str], score: float) -> dict[str, Any]:
    return {
        "schema": 1,
        "version": __version__,
        "command": "detect",
        "score": score,
        "numbers": {name: _plain(value) for name, value in made.numbers.items()},
        "classes": [_class(one) for one in made.classes],
        "recalls": [round(i / 100, 2) for i in range(101)],
        "confusion": {
            "rows": [*classes, "nothing there"],
            "columns": [*classes, "not found"],
            "counts": made.confusion.tolist(),
        },
        "pictures": [
            {
                "name": picture.name,
                "hits": picture.hits,
                "false": picture.false,
                "missed": picture.missed,
                "f1": round(picture.f1, 4),
            }
            for picture in made.pictures
        ],
    }


def _class(one: ClassScore) -> dict[str, Any]:
    return {
        "name": one.name,
        "objects": one.objects,
        "ap": _plain(one.ap),
        "ap50": _plain(one.ap50),
        "precision": [_plain(value) if value > -1 else None for value in one.precision.tolist()],
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
