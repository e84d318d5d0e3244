"""What windows cost: the same raster looked at whole and by windows.

Rasters with many small objects are made of annotated photographs, scaled as the network knows them
and laid side by side in a GeoTIFF. Boxes are scored photograph by photograph, since COCO counts a
hundred of a picture.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from bench.detect_sets import chosen, cpu_seconds, data, doubles, searcher
from resattn.detection.annotations import Marked
from resattn.detection.finder import Finder
from resattn.detection.found import Found
from resattn.detection.layouts import read_pictures
from resattn.detection.picture import open_picture
from resattn.detection.score import evaluate, relabelled
from resattn.io.image import opencv
from resattn.tiling import Window

TILES = (512, 384)
"""Windows that are tried; they share what the verb lets them share by default."""
_ROWS, _COLUMNS = 3, 4


@dataclass(frozen=True, slots=True)
class Sheet:
    """A raster of photographs side by side, and what is in each, from its own corner."""

    path: Path
    places: tuple[Window, ...]
    truths: tuple[Marked, ...]


def seams(options: argparse.Namespace) -> None:
    """AP of rasters looked at whole against windows that overlap, and doubles across seams."""
    detector = searcher(options)
    annotations, files = read_pictures(data() / options.set)
    best = 0.0
    with tempfile.TemporaryDirectory() as folder:
        side = detector.finder.sight.side
        sheets = [*sheets_of(chosen(options, annotations.pictures), files, side, Path(folder))]
        truths = [truth for sheet in sheets for truth in sheet.truths]
        for tile in (0, *TILES):
            before = cpu_seconds()
            found = [one for sheet in sheets for one in looked_at(sheet, tile, detector.finder)]
            seconds = cpu_seconds() - before
            same = [relabelled(one, detector.classes, annotations.classes)[0] for one in found]
            made = evaluate(truths, same, annotations.classes, score=detector.score)
            best = best if tile else made.numbers["ap"]
            shared = min(detector.finder.sight.overlap, tile // 2)
            told = f"{tile} sharing {shared}" if tile else "whole"
            print(
                f"{told:15} AP {made.numbers['ap']:.4f} ({made.numbers['ap'] - best:+.4f}, bar "
                f".003), AP50 {made.numbers['ap50']:.4f}; {doubled(same, detector.score)}; "
                f"{seconds:.0f} CPU s",
                flush=True,
            )


def doubled(findings: Sequence[Found], score: float) -> str:
    """Pairs of one class that lie on each other, of all boxes and of those that count."""
    counted = [found.above(score) for found in findings]
    pairs = ", ".join(
        f"{doubles(counted, least)} above IoU {least} ({doubles(findings, least)} of all)"
        for least in (0.6, 0.5)
    )
    return f"{sum(map(len, counted))} of {sum(map(len, findings))} boxes count; pairs: {pairs}"


def looked_at(sheet: Sheet, tile: int, finder: Finder) -> list[Found]:
    """What is found in each photograph of a sheet by windows of `tile`; 0 looks at all at once."""
    with open_picture(sheet.path) as picture:
        side = tile or max(picture.size)
        limit = finder.sight.limit * (1 if tile else len(sheet.places))
        overlap = min(finder.sight.overlap, tile // 2)
        sight = replace(finder.sight, tile=side, overlap=overlap, zoom=1, limit=limit)
        found = Finder(finder.model, sight, finder.device, finder.precision).find(picture)
    return [_inside(found, place) for place in sheet.places]


def sheets_of(
    pictures: Sequence[Marked], files: dict[str, Path], side: int, folder: Path
) -> Iterator[Sheet]:
    """Photographs of one size, twelve to a sheet; those left over are not used.

    Args:
        pictures: What is marked in them.
        files: Their files by name.
        side: Their longer side in the sheet.
        folder: Where sheets are written.
    """
    for number in range(len(pictures) // (_ROWS * _COLUMNS)):
        twelve = pictures[number * _ROWS * _COLUMNS :][: _ROWS * _COLUMNS]
        scaled = [_scaled(marked, files[marked.name], side) for marked in twelve]
        height, width = scaled[0][0].shape[1:]
        rows = [
            np.concatenate([pixels for pixels, _ in scaled[i : i + _COLUMNS]], axis=2)
            for i in range(0, len(scaled), _COLUMNS)
        ]
        path = folder / f"{number}.tif"
        _write(path, np.concatenate(rows, axis=1))
        places = tuple(
            Window(height * (i // _COLUMNS), width * (i % _COLUMNS), height, width)
            for i in range(len(scaled))
        )
        yield Sheet(path, places, tuple(truth for _, truth in scaled))


def _scaled(marked: Marked, path: Path, side: int) -> tuple[NDArray[np.uint8], Marked]:
    with open_picture(path) as picture:
        pixels = picture.read(Window(0, 0, *picture.size))
    scale = side / max(picture.size)
    width, height = (round(length * scale) for length in (picture.width, picture.height))
    cv2 = opencv()
    small = cv2.resize(pixels.transpose(1, 2, 0), (width, height), interpolation=cv2.INTER_AREA)
    marks = tuple(
        replace(mark, box=tuple(scale * x for x in mark.box), area=mark.area * scale**2)
        for mark in marked.marks
    )
    return small.transpose(2, 0, 1), Marked(marked.name, height, width, marks)


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    shape = {"count": 3, "height": pixels.shape[1], "width": pixels.shape[2], "dtype": "uint8"}
    where = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_000_000, 0.5, 0.5)}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, **shape, **where) as file:
        file.write(pixels)


def _inside(found: Found, place: Window) -> Found:
    """Boxes with their centre in a place, from its corner."""
    corner = np.array([place.col, place.row])
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - corner
    inside = ((centres >= 0) & (centres < [place.width, place.height])).all(1)
    kept = found.only(inside)
    return Found(kept.boxes - np.tile(corner, 2), kept.scores, kept.labels)
