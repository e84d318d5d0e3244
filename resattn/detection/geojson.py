"""Boxes as GeoJSON: polygons in longitude and latitude on WGS84 (RFC 7946).

Older files state another CRS in a `crs` member, which is honoured when reading and never written.
A feature is one object, whatever number of polygons it is made of.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from resattn.detection.annotations import Annotations, Mark, Marked, checked_box
from resattn.detection.finding import Finding
from resattn.detection.tree import Node, read_json
from resattn.errors import ItemError
from resattn.io.ground import CRS, WGS84, Ground, Points, crs_named

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
            a polygon outside the raster, E311 an unknown CRS.
    """
    root = read_json(path)
    crs = _crs(root)
    marks: list[Mark] = []
    names: list[str] = []
    for feature in root.entry("features").items():
        geometry = feature.entry("geometry")
        points = [_position(node) for ring in _rings(geometry) for node in ring.items()]
        if not points:
            raise geometry.entry("coordinates").wrong("rings of positions")
        pixels = ground.pixels(np.array(points), crs)
        corners = [*pixels.min(axis=0), *pixels.max(axis=0)]
        marks.append(checked_box(corners, size, geometry.where))
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


def to_geojson(finding: Finding, ground: Ground) -> str:
    """The objects as a FeatureCollection, each on a line of its own, to a tenth of a millimetre.

    Properties are ``class``, ``score``, ``width_m`` and ``height_m``. A box across the date line
    becomes two polygons, as RFC 7946 section 3.1.9 asks; ``resattn``, a foreign member (section
    6.1), says what made the file.

    Raises:
        ItemError: E311 if the CRS has no way to WGS84.
    """
    rings = ground.lonlat(finding.corners().reshape(-1, 2)).reshape(-1, 4, 2)
    sizes = ground.sizes_m(finding.found.boxes)
    rows = zip(rings, finding.class_names(), finding.found.scores, sizes, strict=True)
    features = ",\n".join(
        json.dumps(
            {
                "type": "Feature",
                "geometry": _geometry(ring),
                "properties": {
                    "class": name,
                    "score": round(float(score), 4),
                    "width_m": round(float(width), 2),
                    "height_m": round(float(height), 2),
                },
            },
            ensure_ascii=False,
        )
        for ring, name, score, (width, height) in rows
    )
    made_by = json.dumps(dict(finding.made_by))
    return f'{{"type": "FeatureCollection", "resattn": {made_by}, "features": [\n{features}\n]}}\n'


def _geometry(ring: Points) -> dict[str, object]:
    """A ring (k, 2) of longitudes and latitudes, counter-clockwise, cut at the date line."""
    x, y = ring.T
    if np.ptp(x) <= 180:
        return {"type": "Polygon", "coordinates": [_closed(ring)]}
    east = np.stack([np.where(x < 0, x + 360, x), y], axis=1)
    halves = _cut(east, keep_below=True), _cut(east, keep_below=False) - [360, 0]
    return {"type": "MultiPolygon", "coordinates": [[_closed(half)] for half in halves]}


def _cut(ring: Points, *, keep_below: bool) -> Points:
    """The part of a convex ring on one side of 180° (Sutherland and Hodgman 1974)."""
    side = (180 - ring[:, 0]) * (1 if keep_below else -1)
    kept = []
    for i in range(len(ring)):
        j = (i + 1) % len(ring)
        if side[i] >= 0:
            kept.append(ring[i])
        if side[i] * side[j] < 0:
            kept.append(ring[i] + (ring[j] - ring[i]) * side[i] / (side[i] - side[j]))
    return np.array(kept)


def _closed(ring: Points) -> list[list[float]]:
    x, y = ring.T
    clockwise = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) < 0
    turned = ring[::-1] if clockwise else ring
    return [[round(float(a), 9), round(float(b), 9)] for a, b in (*turned, turned[0])]


def _crs(root: Node) -> CRS:
    stated = root.find("crs")
    if stated is None or stated.value is None:
        return WGS84
    name = stated.entry("properties").entry("name")
    return crs_named(name.text(), name.where)


def _rings(geometry: Node) -> list[Node]:
    """The outer ring of each polygon."""
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
