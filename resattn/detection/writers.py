"""Findings as files, in the forms other tools read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from xml.sax.saxutils import escape

import numpy as np

from resattn.detection import geojson
from resattn.detection.finding import Finding
from resattn.detection.yolo import CLASS_FILES
from resattn.errors import ItemError, OutputError
from resattn.io.atomic import write_text
from resattn.io.gpkg import Layer, write_polygons
from resattn.io.ground import Ground
from resattn.io.names import shown

LAYER: Final = "detections"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of output: the suffix of its files and how one is written."""

    suffix: str
    write: Callable[[Path, Finding, bool], None]


def to_coco(finding: Finding) -> dict[str, Any]:
    """The objects as a COCO document of one picture; annotations have a ``score``.

    ``info`` says what made it.
    """
    left, top, right, bottom = np.round(finding.found.boxes, 3).T
    boxes = np.round(np.stack([left, top, right - left, bottom - top], axis=1), 3).tolist()
    scores = np.round(finding.found.scores, 4).tolist()
    return {
        "info": dict(finding.made_by),
        "images": [
            {"id": 1, "file_name": finding.name, "height": finding.height, "width": finding.width}
        ],
        "annotations": [
            {
                "id": i,
                "image_id": 1,
                "category_id": label + 1,
                "bbox": box,
                "area": round(box[2] * box[3], 3),
                "iscrowd": 0,
                "score": score,
            }
            for i, (box, label, score) in enumerate(
                zip(boxes, finding.found.labels.tolist(), scores, strict=True), start=1
            )
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(finding.classes, start=1)],
    }


def coco_text(document: Mapping[str, Any]) -> str:
    """A COCO document as JSON with an image, annotation or category on each line."""
    parts = []
    for key, rows in document.items():
        if isinstance(rows, dict):
            parts.append(f'"{key}": {json.dumps(rows, ensure_ascii=False)}')
            continue
        lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
        parts.append(f'"{key}": [\n{lines}\n]')
    return "{" + ",\n".join(parts) + "}\n"


def _coco(target: Path, finding: Finding, overwrite: bool) -> None:
    write_text(target, coco_text(to_coco(finding)), overwrite=overwrite)


def _geojson(target: Path, finding: Finding, overwrite: bool) -> None:
    text = geojson.to_geojson(finding, _ground(finding, "GeoJSON"))
    write_text(target, text, overwrite=overwrite)


def _gpkg(target: Path, finding: Finding, overwrite: bool) -> None:
    ground = _ground(finding, "GeoPackage")
    rings = ground.places(finding.corners().reshape(-1, 2)).reshape(-1, 4, 2)
    sizes = np.zeros((0, 2)) if finding.sizes_m is None else finding.sizes_m
    columns = {
        "class": finding.class_names(),
        "score": finding.found.scores.tolist(),
        "width_m": sizes[:, 0].tolist(),
        "height_m": sizes[:, 1].tolist(),
    }
    said = json.dumps(dict(finding.made_by)) if finding.made_by else ""
    layer = Layer(LAYER, ground.crs, said)
    write_polygons(target, layer, rings, columns, overwrite=overwrite)


def _csv(target: Path, finding: Finding, overwrite: bool) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    header = ["picture", "class", "score", "left", "top", "right", "bottom"]
    boxes = finding.found.boxes
    columns = [finding.found.scores.round(4), *boxes.T.round(3)]
    if finding.ground is not None and finding.sizes_m is not None:
        middle = finding.ground.lonlat((boxes[:, :2] + boxes[:, 2:]) / 2)
        header += ["longitude", "latitude", "width_m", "height_m"]
        columns += [*middle.T.round(7), *finding.sizes_m.T.round(2)]
    table.writerow(header)
    for name, *values in zip(
        finding.class_names(), *(column.tolist() for column in columns), strict=True
    ):
        table.writerow([finding.name, name, *values])
    write_text(target, text.getvalue(), overwrite=overwrite)


def _yolo(target: Path, finding: Finding, overwrite: bool) -> None:
    left, top, right, bottom = finding.found.boxes.T
    columns = (
        (left + right) / 2 / finding.width,
        (top + bottom) / 2 / finding.height,
        (right - left) / finding.width,
        (bottom - top) / finding.height,
        finding.found.scores,
    )
    lines = (
        f"{label} " + " ".join(f"{value:.8g}" for value in row) + "\n"
        for label, *row in zip(finding.found.labels.tolist(), *columns, strict=True)
    )
    write_text(target, "".join(lines), overwrite=overwrite)
    _name_classes(target.with_name(CLASS_FILES[0]), finding.classes)


def _name_classes(target: Path, classes: tuple[str, ...]) -> None:
    """The names that the indices of all files in the folder stand for, written once."""
    text = "".join(f"{name}\n" for name in classes)
    try:
        write_text(target, text)
    except OutputError as error:
        if error.code != "E404":
            raise
        if target.read_text(encoding="utf-8") != text:
            raise OutputError(
                f"{shown(target)} names other classes than {', '.join(classes)}",
                "choose another -o",
                code="E404",
            ) from error


def _voc(target: Path, finding: Finding, overwrite: bool) -> None:
    boxes = np.rint(finding.found.boxes).astype(np.int64)
    boxes[:, :2] += 1  # VOC counts from 1 and includes the last pixel
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    lines = [
        "<annotation>",
        f"  <filename>{escape(finding.name)}</filename>",
        f"  <source><annotation>{escape(json.dumps(dict(finding.made_by)))}</annotation></source>",
        f"  <size><width>{finding.width}</width><height>{finding.height}</height>"
        "<depth>3</depth></size>",
    ]
    for (left, top, right, bottom), name, score in zip(
        boxes.tolist(), finding.class_names(), finding.found.scores.tolist(), strict=True
    ):
        lines.append(
            f"  <object><name>{escape(name)}</name><difficult>0</difficult>"
            f"<score>{score:.4f}</score>\n    <bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        )
    write_text(target, "\n".join([*lines, "</annotation>", ""]), overwrite=overwrite)


def _ground(finding: Finding, form: str) -> Ground:
    if finding.ground is None:
        raise ItemError(
            f"{shown(finding.name)} does not say where it lies, which {form} needs",
            "write coco, csv, yolo or voc",
            code="E311",
        )
    return finding.ground


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "coco": Form(".json", _coco),
        "geojson": Form(".geojson", _geojson),
        "gpkg": Form(".gpkg", _gpkg),
        "csv": Form(".csv", _csv),
        "yolo": Form(".txt", _yolo),
        "voc": Form(".xml", _voc),
    }
)
"""Every form by the name the command line has for it."""
