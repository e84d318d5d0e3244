"""What detection costs: CPU seconds and memory of the network, CPU seconds of the scorer."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.transform import from_origin
from rasterio.windows import Window as RasterWindow

from bench.detect_sets import cpu_seconds, searcher
from resattn.detection.annotations import Mark, Marked
from resattn.detection.coco_numbers import NUMBERS, curves, numbers
from resattn.detection.finder import FLOOR
from resattn.detection.found import Found
from resattn.detection.picture import open_picture
from resattn.device import autocast


def speed(options: argparse.Namespace) -> None:
    """Windows of 512 per second, and what one costs."""
    finder = searcher(options).finder
    images = torch.rand(1, 3, 512, 512)
    rounds, costs, walls = 10, [], []
    with torch.inference_mode(), autocast(torch.device("cpu"), options.precision):
        finder.model.detect(images, score=FLOOR, limit=300)
        for _ in range(rounds):
            before, started = cpu_seconds(), time.perf_counter()
            finder.model.detect(images, score=FLOOR, limit=300)
            costs.append(cpu_seconds() - before)
            walls.append(time.perf_counter() - started)
    print(
        f"a window of 512², least of {rounds}, {torch.get_num_threads()} threads: {min(costs):.3f} "
        f"CPU s, {1 / min(walls):.2f} a second (bar: 3 on two threads)"
    )


def memory(options: argparse.Namespace) -> None:
    """Peak memory of a whole process on rasters of several sizes in which 9 blocks hold data."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            path = sparse_raster(Path(folder) / f"{side}.tif", side)
            arguments = ["one-raster", "--raster", str(path), "--weights", options.weights]
            told = subprocess.run(
                [sys.executable, "-m", "bench.detect", *arguments, "--threads", "1"],
                check=True,
                capture_output=True,
                text=True,
            )
            facts = json.loads(told.stdout)
            peaks.append(facts["peak_mb"])
            print(f"{side}²: {facts}", flush=True)
    growth = 100 * (max(peaks) / min(peaks) - 1)
    print(f"largest over smallest {growth:+.1f} % (bar 5), peak {max(peaks):.0f} MB (bar 1000)")


def one_raster(options: argparse.Namespace) -> None:
    finder = searcher(options).finder
    with open_picture(options.raster) as picture:
        windows = len(finder.sight.mosaic(picture))
        found = finder.find(picture)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"windows": windows, "found": len(found), "peak_mb": round(peak)}
    print(json.dumps(facts | {"cpu_s": round(cpu_seconds(), 1)}))


def scorer(_: argparse.Namespace) -> None:
    """The scorer against pycocotools: CPU time of both and the largest difference."""
    truths, findings, classes = random_set(400)
    taken, reference = [], []
    for _ in range(5):
        before = cpu_seconds()
        ours = numbers(*curves(truths, findings, len(classes)))
        taken.append(cpu_seconds() - before)
        before = cpu_seconds()
        theirs = by_pycocotools(coco_rows(truths), coco_rows(truths, findings), len(truths), 10)
        reference.append(cpu_seconds() - before)
    fast, slow = min(taken), min(reference)
    gap = max(abs(ours[n] - v) for n, v in zip(NUMBERS, theirs, strict=True))
    print(
        f"{sum(len(t.marks) for t in truths)} objects, {sum(map(len, findings))} boxes: {fast:.3f} "
        f"CPU s, pycocotools {slow:.3f} ({slow / fast:.1f} times, bar 8), least of five runs; "
        f"largest difference {gap:.1e}"
    )


def sparse_raster(path: Path, side: int) -> Path:
    """A GeoTIFF of that side in which nine blocks spread evenly hold noise and the rest nothing."""
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8",
        "nodata": 0, "tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True,
        "compress": "zstd", "BIGTIFF": "IF_SAFER", "crs": "EPSG:32631",
        "transform": from_origin(500_000, 5_000_000, 0.5, 0.5),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    with rasterio.open(path, "w", **profile) as file:
        for row in np.linspace(0, side - 512, 3).astype(int) // 512 * 512:
            for col in np.linspace(0, side - 512, 3).astype(int) // 512 * 512:
                block = rng.integers(1, 256, (3, 512, 512), dtype=np.uint8)
                file.write(block, window=RasterWindow(int(col), int(row), 512, 512))
    return path


def random_set(count: int) -> tuple[list[Marked], list[Found], tuple[str, ...]]:
    """About 12 objects and 35 boxes a picture in ten classes."""
    rng = np.random.default_rng(0)
    truths, findings = [], []
    for i in range(count):
        corner = rng.uniform(0, 900, (rng.integers(4, 21), 2))
        boxes = np.concatenate([corner, corner + rng.lognormal(3.5, 0.8, corner.shape)], axis=1)
        labels = rng.integers(0, 10, len(boxes))
        marks = [
            Mark(tuple(box), label, rng.random() < 0.02)
            for box, label in zip(boxes.tolist(), labels.tolist(), strict=True)
        ]
        truths.append(Marked(f"{i}.png", 1024, 1024, tuple(marks)))
        seen = np.repeat(boxes, 3, axis=0) + rng.normal(0, 4, (3 * len(boxes), 4))
        seen[:, 2:] = np.maximum(seen[:, 2:], seen[:, :2] + 1)
        findings.append(Found(seen, rng.random(len(seen)), np.repeat(labels, 3)))
    return truths, findings, tuple(f"class {k}" for k in range(10))


def coco_rows(
    truths: Sequence[Marked], findings: Sequence[Found] | None = None
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for image, truth in enumerate(truths, start=1):
        found = findings[image - 1] if findings else None
        boxes = truth.boxes() if found is None else found.boxes
        labels = truth.labels() if found is None else found.labels
        for k, (box, label) in enumerate(zip(boxes.tolist(), labels.tolist(), strict=True)):
            size = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            row = {"id": len(rows) + 1, "image_id": image, "category_id": label + 1, "bbox": size}
            crowd = found is None and truth.marks[k].crowd
            row |= {"area": size[2] * size[3], "iscrowd": int(crowd)}
            rows.append(row if found is None else row | {"score": float(found.scores[k])})
    return rows


def by_pycocotools(
    true: list[dict[str, object]], found: list[dict[str, object]], images: int, classes: int
) -> list[float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def made(rows: list[dict[str, object]]) -> COCO:
        document = COCO()
        document.dataset = {
            "images": [{"id": i} for i in range(1, images + 1)],
            "categories": [{"id": k} for k in range(1, classes + 1)],
            "annotations": rows,
        }
        document.createIndex()
        return document

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(made(true), made(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return list(evaluation.stats)
