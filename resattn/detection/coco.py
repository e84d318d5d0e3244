"""Annotations in COCO's JSON (`images`, `annotations`, `categories`)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from resattn.detection.annotations import Annotations, Mark, Marked, checked_box, safe_name
from resattn.detection.found import Found
from resattn.detection.tree import Node, read_json
from resattn.errors import ItemError


def read_coco(path: Path) -> Annotations:
    """The annotations of one JSON file; classes are ordered by their ids.

    Raises:
        ItemError: With the JSON path: E330 no JSON, E331 something is missing or of another kind,
            E332 an impossible box, E333 an unknown category, E334 an id twice or unknown, E313 a
            file name that leaves the folder.
    """
    root = read_json(path)
    categories = _by_id(root.entry("categories"))
    order = sorted(categories, key=lambda id_: (isinstance(id_, str), id_))
    classes = tuple(categories[id_].entry("name").text() for id_ in order)
    images = {id_: _picture(node) for id_, node in _by_id(root.entry("images")).items()}
    marks: dict[Hashable, list[Mark]] = {id_: [] for id_ in images}
    index = {id_: i for i, id_ in enumerate(order)}
    for node in _by_id(root.entry("annotations")).values():
        image = _known(node.entry("image_id"), images, "image", "E334")
        label = _known(node.entry("category_id"), index, "category", "E333")
        picture = images[image]
        marks[image].append(_mark(node, (picture.height, picture.width), index[label]))
    pictures = (replace(images[id_], marks=tuple(marks[id_])) for id_ in images)
    return Annotations(classes, tuple(pictures))


def read_findings(path: Path) -> tuple[tuple[str, ...], Marked, Found]:
    """What `resattn.detection.writers` wrote of one picture: classes, its size, boxes with scores.

    Raises:
        ItemError: As `read_coco`; E331 also if a box has no score or there are several pictures.
    """
    annotations = read_coco(path)
    if len(annotations.pictures) != 1:
        raise ItemError(
            f"{path.name}: $.images has {len(annotations.pictures)} pictures, not 1",
            "give a file that resattn detect wrote",
            code="E331",
        )
    (picture,) = annotations.pictures
    rows = read_json(path).entry("annotations").items()
    scores = np.array([row.entry("score").number() for row in rows], np.float64)
    return annotations.classes, picture, Found(picture.boxes(), scores, picture.labels())


def _by_id(nodes: Node) -> dict[Hashable, Node]:
    table: dict[Hashable, Node] = {}
    for node in nodes.items():
        id_ = node.entry("id")
        if id_.identity() in table:
            raise ItemError(
                f"{id_.where} is {id_.value!r}, as is that of "
                f"{table[id_.identity()].step} before it",
                "give each its own",
                code="E334",
            )
        table[id_.identity()] = node
    return table


def _known(node: Node, table: Mapping[Hashable, object], kind: str, code: str) -> Hashable:
    if node.identity() not in table:
        raise ItemError(
            f"{node.where} is {node.value!r}, which no {kind} has", f"add the {kind}", code=code
        )
    return node.identity()


def _picture(node: Node) -> Marked:
    name = node.entry("file_name")
    height, width = node.entry("height").count(), node.entry("width").count()
    return Marked(safe_name(name.text(), name.where), height, width)


def _mark(node: Node, size: tuple[int, int], label: int) -> Mark:
    box = node.entry("bbox")
    numbers = [item.number() for item in box.items()]
    if len(numbers) != 4:
        raise ItemError(
            f"{box.where} has {len(numbers)} numbers, not left, top, width, height",
            "mend it",
            code="E332",
        )
    left, top, width, height = numbers
    mark = checked_box((left, top, left + width, top + height), size, box.where)
    crowd, area = node.find("iscrowd"), node.find("area")
    return replace(
        mark,
        label=label,
        crowd=crowd is not None and bool(crowd.number()),
        area=0.0 if area is None else area.number(),
    )
