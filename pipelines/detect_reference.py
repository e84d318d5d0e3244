"""Annotations beside pictures: paired by name, read in any form."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resattn.detection import geojson
from resattn.detection.annotations import Annotations, Marked
from resattn.detection.coco import read_coco
from resattn.detection.found import Found
from resattn.detection.score import PictureScore, picture_score, relabelled
from resattn.detection.voc import read_voc
from resattn.detection.yolo import read_classes, read_yolo
from resattn.errors import ItemError, UserError
from resattn.io.ground import Ground
from resattn.io.names import shown
from resattn.pipelines import plan as planning
from resattn.pipelines.plan import Plan
from resattn.pipelines.sources import absolute

SUFFIXES = (".json", ".xml", ".txt", ".geojson")
_FOLDERS = ("Annotations", "labels", "truth")


@dataclass(frozen=True, slots=True)
class Place:
    """What a reader of annotations has to know of a picture."""

    name: str
    size: tuple[int, int]
    ground: Ground | None


class Truths:
    """Annotations of pictures; a COCO file is read once for all of them."""

    def __init__(self) -> None:
        self._coco: Callable[[Path], Annotations] = functools.cache(read_coco)

    def of(self, reference: Path, place: Place) -> Annotations:
        """What is marked in one picture, and the names of the classes.

        Raises:
            ItemError: E330–E336 as the readers say, E311 if GeoJSON meets a picture without a
                georeference, E328 if the annotations are of a picture of another size.
        """
        found = self._read(reference, place)
        marked = found.by_stem().get(Path(place.name).stem.lower())
        if marked is None and len(found.pictures) == 1 and reference.suffix != ".json":
            (marked,) = found.pictures
        if marked is None:
            raise ItemError(
                f"{shown(reference)} says nothing of {shown(place.name)}", "add it", code="E336"
            )
        if (marked.height, marked.width) != place.size:
            height, width = place.size
            raise ItemError(
                f"{shown(reference)}: {shown(marked.name)} has {marked.width}×{marked.height} "
                f"pixels, the picture {width}×{height}",
                "give annotations of the upright picture",
                code="E328",
            )
        return Annotations(found.classes, (marked,))

    def _read(self, reference: Path, place: Place) -> Annotations:
        suffix = reference.suffix.lower()
        if suffix == ".xml":
            return read_voc([reference])
        if suffix == ".txt":
            name = reference.with_suffix(Path(place.name).suffix).name
            classes = read_classes(reference.parent)
            return read_yolo({name: place.size}, reference.parent, classes)
        if suffix == ".geojson":
            if place.ground is None:
                raise ItemError(
                    f"{shown(place.name)} does not say where it lies: no use for GeoJSON",
                    "give boxes in pixels",
                    code="E311",
                )
            marks = geojson.read_geojson(reference, place.name, place.size, place.ground)
            return geojson.gathered([marks])
        return self._coco(reference)


def pair(plan: Plan, reference: Path | None, pattern: str = "") -> Plan:
    """The plan with the annotations of each picture.

    Args:
        plan: Pictures.
        reference: A COCO JSON for all of them, one file of another form for one, or a folder of
            files named like the pictures, itself or its ``Annotations``, ``labels`` or ``truth``.
        pattern: As `planning.pair_references`.

    Raises:
        UserError: The reference does not exist or matches nothing.
        ItemError: A COCO file is wrong.
    """
    if reference is None:
        return plan
    reference = absolute(reference)
    inner = next((reference / f for f in _FOLDERS if (reference / f).is_dir()), reference)
    tables = sorted(inner.glob("*.json")) if inner.is_dir() else [inner]
    if len(tables) == 1 and tables[0].suffix.lower() == ".json" and tables[0].is_file():
        return _pair_coco(plan, tables[0])
    if reference.exists() and inner.is_file() and inner.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"--reference {shown(inner)} is none of {', '.join(SUFFIXES)}",
            "give COCO, VOC, YOLO or GeoJSON",
            code="E206",
        )
    paired = planning.pair_references(plan, inner, pattern)
    unmatched = [p for p in paired.unmatched_references if p.suffix.lower() in SUFFIXES[1:]]
    lost = tuple(path for path in unmatched if path.name != "classes.txt")
    return replace(paired, unmatched_references=lost)


def _pair_coco(plan: Plan, table: Path) -> Plan:
    stems = set(read_coco(table).by_stem())
    known = [Path(item.name).name.lower() in stems for item in plan.items]
    if plan.items and not any(known):
        raise UserError(
            f"{shown(table)} names none of {len(plan.items)} pictures, the first is "
            f"{plan.items[0].name}",
            "give annotations of these pictures",
            code="E206",
        )
    items = (
        replace(item, reference=table if has else None)
        for item, has in zip(plan.items, known, strict=True)
    )
    return replace(plan, items=tuple(items))


def counts(
    found: Found, classes: Sequence[str], truth: Annotations
) -> tuple[PictureScore, list[str]]:
    """How one picture was met, and the classes found that its annotations do not have.

    Raises:
        ItemError: E333 if no class is common to both.
    """
    (marked,) = truth.pictures
    if not truth.classes:  # an empty file of GeoJSON or VOC: whatever was found is wrong
        return PictureScore(marked.name, 0, len(found), 0), []
    same, unknown = relabelled(found.ranked(), classes, truth.classes)
    return picture_score(marked, same), unknown


def in_common(truths: Sequence[Annotations]) -> Annotations:
    """Pictures of one set whose files name their classes on their own, with one list of classes."""
    names: dict[str, str] = {}
    for truth in truths:
        for name in truth.classes:
            names.setdefault(name.casefold(), name)
    order = list(names) if len({t.classes for t in truths}) == 1 else sorted(names)
    index = {key: i for i, key in enumerate(order)}
    pictures = []
    for truth in truths:
        labels = [index[name.casefold()] for name in truth.classes]
        pictures += [_moved(marked, labels) for marked in truth.pictures]
    return Annotations(tuple(names[key] for key in order), tuple(pictures))


def _moved(marked: Marked, labels: Sequence[int]) -> Marked:
    marks = tuple(replace(mark, label=labels[mark.label]) for mark in marked.marks)
    return replace(marked, marks=marks)
