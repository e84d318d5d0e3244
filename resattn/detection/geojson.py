"""Boxes as GeoJSON: polygons in longitude and latitude on WGS84 (RFC 7946).

Older files state another CRS in a `crs` member, which is honoured when reading and never written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resattn.detection.annotations import Annotations, Mark, Marked, checked_box
from resattn.detection.tree import Node, read_json
from resattn.errors import ItemError
from resattn.io.ground import CRS, WGS84, Ground, crs_named

CLASS_KEYS = ("class", "label", "category", "name")
"""Properties that name the class, the first found counts."""


def read_geojson(
    path: Path, name: str, size: tuple[int, int], ground: Ground
) -> tuple[Marked, list[str]]:
    """What a GeoJSON marks in one raster, and the class of each mark.

    Args:
        path: A FeatureCollection of polygons.
        name: Name of the raster.
        size: Its rows and columns.
        ground: Where it lies.

    Raises:
        ItemError: With the JSON path: E330 no JSON, E331 something is missing or no polygon, E332
            a polygon outside the raster, E321 an unknown CRS.
    """
    root = read_json(path)
    crs = _crs(root)
    marks: list[Mark] = []
    names: list[str] = []
    for feature in root.entry("features").items():
        for ring in _rings(feature.entry("geometry")):
            points = np.array([_position(node) for node in ring.items()])
            if not len(points):
                raise ring.wrong("a ring of positions")
            pixels = ground.pixels(points, crs)
            corners = [*pixels.min(axis=0), *pixels.max(axis=0)]
            marks.append(checked_box(corners, size, ring.where))
            names.append(_class(feature))
    return Marked(name, *size, tuple(marks)), names


def gathered(found: list[tuple[Marked, list[str]]]) -> Annotations:
    """The rasters of `read_geojson` as one set; classes in the order of their names."""
    classes = tuple(sorted({name for _, names in found for name in names}))
    index = {name: i for i, name in enumerate(classes)}
    pictures = []
    for marked, names in found:
        marks = tuple(
            Mark(mark.box, index[name]) for mark, name in zip(marked.marks, names, strict=True)
        )
        pictures.append(Marked(marked.name, marked.height, marked.width, marks))
    return Annotations(classes, tuple(pictures))


def _crs(root: Node) -> CRS:
    stated = root.find("crs")
    if stated is None or stated.value is None:
        return WGS84
    name = stated.entry("properties").entry("name")
    return crs_named(name.text(), name.where)


def _rings(geometry: Node) -> list[Node]:
    """The outer ring of each polygon; a polygon cut at the date line counts as its parts."""
    kind = geometry.entry("type").text()
    coordinates = geometry.entry("coordinates")
    if kind == "Polygon":
        return list(coordinates.items())[:1]
    if kind == "MultiPolygon":
        return [ring for part in coordinates.items() for ring in list(part.items())[:1]]
    raise geometry.entry("type").wrong("Polygon or MultiPolygon")


def _position(node: Node) -> tuple[float, float]:
    numbers = [item.number() for item in node.items()]
    if len(numbers) < 2:
        raise node.wrong("two coordinates")
    return numbers[0], numbers[1]


def _class(feature: Node) -> str:
    properties = feature.entry("properties")
    for key in CLASS_KEYS:
        found = properties.find(key)
        if found is not None and found.value is not None:
            return found.text()
    raise ItemError(
        f"{properties.where} names no class", f"add {' or '.join(CLASS_KEYS)}", code="E331"
    )
