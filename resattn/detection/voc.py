"""Annotations in Pascal VOC's XML, one file for each picture.

VOC counts pixels from 1 and its corners are the first and last pixel inside, so its 1 to 10 are
our 0 to 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from resattn.detection.annotations import Annotations, Mark, Marked, checked_box, safe_name
from resattn.errors import ItemError
from resattn.io.names import shown
from resattn.io.sniff import open_regular

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _DeclarationError(Exception):
    """The file declares a document type, which annotations have no use for."""


def read_voc(paths: Sequence[Path], classes: Sequence[str] = ()) -> Annotations:
    """The annotations of these files.

    Args:
        paths: One XML for each picture.
        classes: The names allowed, in order; by default those that occur, sorted.

    Raises:
        ItemError: With the path inside the XML: E330 no XML, E331 something is missing or no
            number, E332 an impossible box, E333 an unknown class, E335 a document type, E313 a
            file name that leaves the folder.
    """
    found = [_picture(path) for path in paths]
    names = tuple(classes) or tuple(sorted({name for _, marks in found for name, _ in marks}))
    index = {name: i for i, name in enumerate(names)}
    pictures = []
    for path, (picture, named) in zip(paths, found, strict=True):
        unknown = next((name for name, _ in named if name not in index), None)
        if unknown is not None:
            raise ItemError(
                f"{shown(path.name)}: class {unknown!r} is none of {', '.join(names)}",
                "mend its name",
                code="E333",
            )
        marks = tuple(replace(mark, label=index[name]) for name, mark in named)
        pictures.append(replace(picture, marks=marks))
    return Annotations(names, tuple(pictures))


def _picture(path: Path) -> tuple[Marked, list[tuple[str, Mark]]]:
    root = _parse(path)
    where = f"{shown(path.name)}: /{root.tag}"
    size = root.find("size")
    if size is None:
        raise ItemError(f"{where} has no <size>", "add it", code="E331")
    sides = [_number(size, key, f"{where}/size") for key in ("height", "width")]
    height, width = (int(side) if math.isfinite(side) else 0 for side in sides)
    if min(height, width) < 1:
        raise ItemError(f"{where}/size is {width}×{height}", "mend it", code="E331")
    name = safe_name(_text(root, "filename", where), where)
    marks = []
    for number, item in enumerate(root.iter("object"), start=1):
        place = f"{where}/object[{number}]"
        bounds = item.find("bndbox")
        if bounds is None:
            raise ItemError(f"{place} has no <bndbox>", "add it", code="E331")
        corners = [_number(bounds, key, f"{place}/bndbox") for key in _CORNERS]
        corners = [corners[0] - 1, corners[1] - 1, corners[2], corners[3]]
        mark = checked_box(corners, (height, width), f"{place}/bndbox")
        difficult = item.findtext("difficult", "0").strip() == "1"
        marks.append((_text(item, "name", place), replace(mark, crowd=difficult)))
    return Marked(name, height, width), marks


def _parse(path: Path) -> Element:
    """The root element; a document type, which could define entities, is refused unread."""

    def refuse(*_: object) -> None:
        raise _DeclarationError

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    with open_regular(path) as stream:
        data = stream.read()
    try:
        parser.Parse(data, True)
    except _DeclarationError:
        raise ItemError(
            f"{shown(path.name)} declares a document type", "remove <!DOCTYPE …>", code="E335"
        ) from None
    except expat.ExpatError as error:
        raise ItemError(
            f"{shown(path.name)} is not XML: {error}", "obtain the file again", code="E330"
        ) from error
    return builder.close()


def _text(parent: Element, key: str, where: str) -> str:
    text = (parent.findtext(key) or "").strip()
    if not text:
        raise ItemError(f"{where} has no <{key}>", "add it", code="E331")
    return text


def _number(parent: Element, key: str, where: str) -> float:
    text = _text(parent, key, where)
    try:
        return float(text)
    except ValueError:
        raise ItemError(
            f"{where}/{key} is {shown(text)[:40]!r}, not a number", "mend it", code="E331"
        ) from None
