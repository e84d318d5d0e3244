"""How well a detector finds what is marked in a set of pictures."""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from resattn.config import Json
from resattn.detection import geojson
from resattn.detection.annotations import Boxes, Marked
from resattn.detection.coco_numbers import NUMBERS
from resattn.detection.finder import Finder
from resattn.detection.finding import Finding
from resattn.detection.found import Found, overlaps
from resattn.detection.layouts import read_pictures
from resattn.detection.picture import open_picture
from resattn.detection.score import Evaluation, evaluate, relabelled
from resattn.detection.writers import FORMS
from resattn.io.ground import Ground
from resattn.models.detector import Detector, DetectorConfig
from resattn.pipelines.detect_config import DetectConfig
from resattn.pipelines.detect_picture import Searcher, make_searcher
from resattn.training.box_set import BoxSet
from resattn.training.dataset import held_out
from resattn.training.detect import largest, tested
from resattn.weights import header
from resattn.weights.export import pack
from resattn.weights.index import Entry, Shelf
from resattn.weights.load import load
from resattn.weights.origin import described


def sets(options: argparse.Namespace) -> None:
    """The twelve numbers and the classes of an annotated set."""
    made, windows, seconds = scored(options, options.tile)
    print(" ".join(f"{name} {made.numbers[name]:.4f}" for name in NUMBERS))
    for one in made.classes:
        print(f"{one.name}: {one.objects} objects, AP {one.ap:.4f}, AP50 {one.ap50:.4f}")
    cells = made.confusion
    hits, found, true = cells.diagonal()[:-1].sum(), cells[:, :-1].sum(), cells[:-1].sum()
    print(
        f"confusion at the score of the weights:\n{cells}\nprecision {hits / max(found, 1):.3f}, "
        f"recall {hits / max(true, 1):.3f}"
    )
    worst = ", ".join(f"{p.name} {p.f1:.2f}" for p in made.pictures[:5])
    print(f"{windows} windows, {seconds / windows:.3f} CPU s each; worst: {worst}")


def calibrate(options: argparse.Namespace) -> None:
    """The size of the largest training objects, and the score from which the fold's are counted.

    Runs of `resattn train detect` set both themselves; this is for weights of before.
    """
    path = Path(options.weights)
    detector = load(str(path), "detect").model
    train, fold = BoxSet.load(options.data).split(options.folds, options.fold)
    with torch.inference_mode():
        made = tested(detector, fold)
    size = largest(train)
    print(f"{len(fold.images)} pictures of fold {options.fold}: {made}; largest objects {size} px")
    if options.shelf is not None:
        settings = {"score": made.score, "largest": size}
        print(Shelf(options.shelf).put(*with_settings(path, settings)))


def with_settings(file: Path, settings: Mapping[str, Json]) -> tuple[Entry, bytes]:
    """The weights of a file with other settings in their config, ready for a shelf."""
    metadata, tensors = header.parse(file.read_bytes(), file.name)
    origin = described(metadata, file.name)
    return pack(tensors, replace(origin, config={**origin.config, **settings}))


def places(_: argparse.Namespace) -> None:
    """How far ships come back from GeoJSON and GeoPackage, on every raster of sen2ships."""
    annotations, files = read_pictures(data() / "sen2ships")
    for marked in annotations.pictures:
        with open_picture(files[marked.name]) as picture:
            ground = picture.ground
        if ground is None:
            raise SystemExit(f"{marked.name} lost its georeference")
        boxes = marked.boxes()
        found = Found(boxes, np.ones(len(boxes)), marked.labels())
        size = marked.height, marked.width
        finding = Finding.of(marked.name, size, annotations.classes, found, ground)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.geojson"
            FORMS["geojson"].write(path, finding, False)
            world, _ = geojson.read_geojson(path, marked.name, size, ground)
            path = Path(folder) / "x.gpkg"
            FORMS["gpkg"].write(path, finding, False)
            local = polygons(path, ground)
        errors = (np.abs(back - boxes).max() for back in (world.boxes(), local))
        told = ", ".join(
            f"{form} {error:.1e} px"
            for form, error in zip(("GeoJSON", "GeoPackage"), errors, strict=True)
        )
        print(f"{marked.name}: {len(boxes)} ships, {told} (bar 1e-2)")


def polygons(path: Path, ground: Ground) -> Boxes:
    """Boxes (n, 4) in pixels of the rectangles in a GeoPackage of ours.

    A geometry is a header of 40 bytes, 13 bytes that say a polygon of one ring of five, and points.
    """
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT geom FROM detections ORDER BY fid").fetchall()
    rings = np.array([np.frombuffer(blob, "<f8", offset=53) for (blob,) in rows]).reshape(-1, 2)
    corners = ground.pixels(rings, ground.crs).reshape(len(rows), -1, 2)
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)


def scored(options: argparse.Namespace, tile: int) -> tuple[Evaluation, int, float]:
    """The evaluation of a set, the windows looked at, and CPU seconds."""
    found_by = searcher(options, tile)
    annotations, files = read_pictures(data() / options.set)
    pictures = chosen(options, annotations.pictures)
    findings, windows, before = [], 0, cpu_seconds()
    for marked in pictures:
        with found_by.open(files[marked.name]) as picture:
            windows += len(found_by.finder.sight.mosaic(picture))
            found = found_by.finder.find(picture)
        same, _ = relabelled(found, found_by.classes, annotations.classes)
        findings.append(same)
    seconds = cpu_seconds() - before
    print(f"tile {tile or 512}: {doubles(findings)} doubles (IoU above .6, one class)")
    made = evaluate(pictures, findings, annotations.classes, score=found_by.score)
    return made, windows, seconds


def chosen(options: argparse.Namespace, pictures: Sequence[Marked]) -> list[Marked]:
    """The pictures of one fold, or all."""
    if not options.folds:
        return list(pictures)
    inside = held_out([p.name for p in pictures], options.folds, options.fold).tolist()
    kept = [p for p, held in zip(pictures, inside, strict=True) if held]
    print("held out:", ", ".join(p.name for p in kept))
    return kept


def doubles(findings: Sequence[Found], least: float = 0.6) -> int:
    """Pairs of boxes of one class with a larger IoU; 0.6 is what a window allows by itself."""
    total = 0
    for found in findings:
        same = found.labels[:, None] == found.labels[None]
        total += int(np.triu((overlaps(found.boxes, found.boxes) > least) & same, 1).sum())
    return total


def searcher(options: argparse.Namespace, tile: int = 0) -> Searcher:
    config = DetectConfig(
        weights=options.weights, tile=tile, size=options.size, zoom=options.zoom,
        precision=options.precision, device="cpu",
    )  # fmt: skip
    if options.weights:
        return make_searcher(config)
    torch.manual_seed(0)
    model = Detector(DetectorConfig(classes=1))
    finder = Finder(model, config.sight(model.config), torch.device("cpu"), options.precision)
    return Searcher(config, finder, ("object",), model.config.score, "fresh", "")


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def data() -> Path:
    return Path(os.environ["RESATTN_SHARED"]) / "data" / "detect"
