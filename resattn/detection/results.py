"""Boxes that any detector wrote for a set of pictures, put beside the set's annotations.

Two forms are read: COCO's results, a list of ``{image_id, category_id, bbox, score}`` that counts
pictures and classes as the annotations do, and whole COCO files whose annotations have scores, as
`resattn detect` writes them, whose pictures go by stem and whose classes go by name.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resattn.detection.annotations import Annotations
from resattn.detection.coco import read_coco
from resattn.detection.found import Found
from resattn.detection.tree import Node, read_json
from resattn.errors import ItemError


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the ids of a file stand for: places of pictures, labels of classes.

    A class that the annotations do not have is None: nobody marked such objects.
    """

    pictures: Mapping[Hashable, int]
    labels: Mapping[Hashable, int | None]


def read_results(paths: Sequence[Path], truth: Path) -> tuple[Annotations, list[Found]]:
    """The annotations, and what was found in each of their pictures, in the same order.

    Args:
        paths: Files with boxes, in either form.
        truth: Annotations in COCO's JSON.

    Raises:
        ItemError: E330 to E334 with the JSON path, as `read_coco` says; E331 also for a box
            without a score, E334 for a picture that is not annotated.
    """
    annotations = read_coco(truth)
    root = read_json(truth)
    images = [node.entry("id").identity() for node in root.entry("images").items()]
    ids = [node.entry("id") for node in root.entry("categories").items()]
    ordered = sorted((id_.identity() for id_ in ids), key=lambda i: (isinstance(i, str), i))
    own = _Keys(
        {id_: place for place, id_ in enumerate(images)},
        {id_: label for label, id_ in enumerate(ordered)},
    )
    rows: list[list[tuple[float, ...]]] = [[] for _ in images]
    for path in paths:
        given = read_json(path)
        listed = isinstance(given.value, list)
        keys = own if listed else _keys(given, annotations)
        for node in (given if listed else given.entry("annotations")).items():
            place, *row = _row(node, keys)
            if row:
                rows[int(place)].append(tuple(row))
    return annotations, [_found(part) for part in rows]


def _keys(root: Node, annotations: Annotations) -> _Keys:
    """The ids of a whole COCO file by stem and by name."""
    places = {Path(picture.name).stem.lower(): i for i, picture in enumerate(annotations.pictures)}
    labels = {name.casefold(): label for label, name in enumerate(annotations.classes)}
    pictures: dict[Hashable, int] = {}
    for node in root.entry("images").items():
        name = node.entry("file_name")
        stem = Path(name.text()).stem.lower()
        if stem not in places:
            raise ItemError(
                f"{name.where} is {name.value!r}, which the annotations do not have",
                "give annotations of all pictures, or leave this file out",
                code="E334",
            )
        pictures[node.entry("id").identity()] = places[stem]
    classes = {
        node.entry("id").identity(): labels.get(node.entry("name").text().casefold())
        for node in root.entry("categories").items()
    }
    return _Keys(pictures, classes)


def _row(node: Node, keys: _Keys) -> tuple[float, ...]:
    """Place of the picture, corners, score, label; the place alone if nobody marks the class."""
    image, category = node.entry("image_id"), node.entry("category_id")
    for id_, known, kind, code in (
        (image, keys.pictures, "picture", "E334"),
        (category, keys.labels, "category", "E333"),
    ):
        if id_.identity() not in known:
            raise ItemError(
                f"{id_.where} is {id_.value!r}, which no {kind} has", f"add the {kind}", code=code
            )
    place, label = keys.pictures[image.identity()], keys.labels[category.identity()]
    if label is None:
        return (place,)
    box = node.entry("bbox")
    numbers = [item.number() for item in box.items()]
    if len(numbers) != 4 or min(numbers[2:]) < 0:
        raise ItemError(
            f"{box.where} is {box.value!r}, not left, top, width, height", "mend it", code="E332"
        )
    left, top, width, height = numbers
    return (place, left, top, left + width, top + height, node.entry("score").number(), label)


def _found(rows: Sequence[tuple[float, ...]]) -> Found:
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Found(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))
