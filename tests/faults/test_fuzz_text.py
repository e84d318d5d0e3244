"""G5: mutated weights, containers, annotations, reports and journals are understood or refused."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from affine import Affine

from resattn.codec.container import VersionError, read_layout
from resattn.codec.damage import DamageError
from resattn.codec.describe import pack_profile, unpack_profile
from resattn.codec.header import Head
from resattn.detection.coco import read_findings
from resattn.detection.geojson import read_geojson
from resattn.detection.voc import read_voc
from resattn.detection.yolo import read_classes, read_yolo
from resattn.errors import ItemError
from resattn.io.ground import WGS84, Ground
from resattn.io.profile import GroundControlPoint, RasterProfile
from resattn.io.raster_writer import RasterWriter
from resattn.pipelines import replay
from resattn.pipelines.journal import FOLDER, Memory
from resattn.pipelines.plan import Item
from resattn.pipelines.result import Result
from resattn.tiling import Window
from resattn.weights.header import parse
from resattn.weights.index import INDEX, Shelf, packaged
from resattn.weights.origin import described
from tests.faults.goals import Goal
from tests.faults.mutants import how_many, mutant, read_or_refused, text_mutant
from tests.golden.rac.make import HERE

FOUND = {
    "info": {"version": "1"},
    "images": [{"id": 7, "file_name": "a.png", "height": 40, "width": 60}],
    "categories": [{"id": 5, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 5, "bbox": [1, 2, 10.5, 4], "score": 0.9},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [1, 0, 5, 5], "iscrowd": 0, "score": 1},
    ],
}
SQUARE = [[[10.0, 50.0], [10.1, 50.0], [10.1, 50.1], [10.0, 50.1], [10.0, 50.0]]]
PLACES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"class": "ship"},
            "geometry": {"type": "Polygon", "coordinates": SQUARE},
        }
    ],
}
VOC = b"""<annotation><filename>a.jpg</filename><size><width>60</width><height>40</height></size>
<object><name>cat</name><difficult>0</difficult><bndbox><xmin>2</xmin><ymin>3</ymin>
<xmax>11</xmax><ymax>6</ymax></bndbox></object></annotation>"""
RESULT = asdict(Result("a", "ok", (Path("out/a.png"),), {"psnr": 30.5}, inputs=(Path("in/a.png"),)))
REPORT = {
    "schema": 1, "command": "super-resolve", "argv": ["a", "-o", "b"], "config": {"scale": 2},
    "environment": {"resattn": "0"}, "items": [RESULT],
}  # fmt: skip
LINES = (
    {"run": {"command": "super-resolve", "units": 2}},
    {"start": "a.x2.png"},
    {"done": "a.x2.png", "position": 0, "key": "0" * 64, "result": RESULT},
)

Reader = Callable[[bytes, Path], object]


def file(name: str, read: Callable[[Path], object]) -> Reader:
    """A reader of the content of a file of that name."""

    def reader(data: bytes, folder: Path) -> object:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return read(path)

    return reader


def text(document: object) -> bytes:
    return json.dumps(document, default=str).encode()


def remembered(path: Path) -> None:
    folder = path.parent.parent
    item = Item("a", (folder / "a.png",), folder / "a.x2.png")
    memory = Memory(folder, "super-resolve")
    memory.knows(item)
    memory.made(item)


def yolo(path: Path) -> object:
    return read_yolo({"a.png": (40, 60)}, path.parent, ("cat", "dog"))


HEAD = Head(height=20, width=30, tile=64, bands=2, dtype="uint16")
POINTS = tuple(GroundControlPoint(row, row * 2, 10 + row, 50.0, 0.0, "i", "") for row in range(4))


def description(*, placed: bool) -> bytes:
    """What a `.rac` file says of a raster."""
    where = {"crs": WGS84, "transform": Affine(0.1, 0, 10, 0, -0.1, 50)}
    profile = RasterProfile(
        height=20, width=30, count=2, dtype="uint16", nodata=0, tags={"SENSOR": "x"},
        band_tags=({"WAVELENGTH": "490"}, {}), descriptions=("blue", None), units=("m", ""),
        scales=(0.1, 1.0), offsets=(0.0, 2.0), colorinterp=("gray", "undefined"), icc=b"icc",
        **where if placed else {"gcps": POINTS, "gcps_crs": WGS84},
    )  # fmt: skip
    return zlib.decompress(pack_profile(profile))


def described_raster(data: bytes, folder: Path) -> None:
    """A raster of that description, written."""
    window = Window(3, 2, 6, 7)
    try:
        profile = unpack_profile(zlib.compress(data, 1), HEAD, window)
    except DamageError as error:
        raise ItemError(str(error)) from error
    with RasterWriter(folder / "a.tif", profile, overwrite=True) as writer:
        valid = np.ones((6, 7), bool) if profile.has_mask else None
        writer.write(Window(0, 0, 6, 7), np.ones((2, 6, 7), np.uint16), valid)


TEXTS: dict[str, tuple[bytes, Reader]] = {
    "boxes as COCO": (text(FOUND), file("a.json", read_findings)),
    "boxes as VOC": (VOC, file("a.xml", lambda path: read_voc([path]))),
    "boxes as YOLO": (b"0 .5 .5 .2 .2\n1 .1 .1 .05 .05\n", file("a.txt", yolo)),
    "boxes as GeoJSON": (
        text(PLACES),
        file("a.geojson", lambda path: read_geojson(path, "a.tif", (100, 100), ground())),
    ),
    "names of classes": (
        b"path: x\nnames:\n  0: cat\n  1: dog\n",
        file("data.yaml", lambda path: read_classes(path.parent)),
    ),
    "the description of a raster": (description(placed=True), described_raster),
    "the description of a raster by control points": (description(placed=False), described_raster),
    "the index of weights": (
        (packaged().folder / INDEX).read_bytes(),
        file(INDEX, lambda path: Shelf(path.parent).entries()),
    ),
    "a report to replay": (text(REPORT), file("r.json", replay.read)),
    "a journal": (
        b"\n".join(map(text, LINES)),
        file(f"{FOLDER}/super-resolve.1-of-1.jsonl", remembered),
    ),
}


def ground() -> Ground:
    return Ground(WGS84, Affine(0.001, 0, 10, 0, -0.001, 50.1))


@pytest.mark.timeout(0)
@pytest.mark.parametrize(("seed", "read"), TEXTS.values(), ids=TEXTS.keys())
def test_f32_g5_mutated_texts_are_understood_or_refused(
    tmp_path: Path, goal: Goal, request: pytest.FixtureRequest, seed: bytes, read: Reader
) -> None:
    read(seed, tmp_path)
    count = how_many(300)
    refused = read_or_refused(
        [seed], count, lambda data: read(data, tmp_path), text_mutant, tmp_path / "failed"
    )
    assert refused > 0 or "journal" in request.node.name  # a journal is passed over, not refused
    goal("G5", f"{count} of {request.node.callspec.id}", injected=count)


@pytest.mark.timeout(0)
def test_f26_g5_mutated_weights_are_read_or_refused(tmp_path: Path, goal: Goal) -> None:
    tensors = {"a.weight": torch.ones(2, 3), "b": torch.ones((), dtype=torch.float16)}
    seed = safetensors.torch.save(tensors, {"name": "n", "task": "t", "config": "{}"})

    def read(data: bytes) -> None:
        metadata, _ = parse(data, "f")
        described(metadata, "f")

    count = how_many(4000)

    def change(data: bytes, random: np.random.Generator) -> bytes:
        """Bytes anywhere, or words of the header with its length made to fit."""
        if random.integers(2):
            return mutant(data, random)
        end = 8 + int.from_bytes(data[:8], "little")
        header = text_mutant(data[8:end], random)
        return len(header).to_bytes(8, "little") + header + data[end:]

    refused = read_or_refused([seed], count, read, change, tmp_path / "failed")
    assert refused > count / 2
    goal("G5", f"{count} weights", injected=count)


@pytest.mark.timeout(0)
def test_f3_g5_mutated_containers_are_understood_or_refused(tmp_path: Path, goal: Goal) -> None:
    """Their front and every payload's checksum; `test_fuzz_rac.py` decodes some."""

    def read(data: bytes) -> None:
        stream = io.BytesIO(data)
        try:
            layout = read_layout(stream)
            for unit in range(len(layout.index)):
                layout.payload(stream, unit)
        except (DamageError, VersionError) as error:
            raise ItemError(str(error)) from error

    seeds = [(HERE / f"{name}.rac").read_bytes() for name in ("photo", "raster", "exact")]
    for seed in seeds:
        read(seed)
    count = how_many(4000)
    refused = read_or_refused(seeds, count, read, mutant, tmp_path / "failed")
    assert refused > count / 2
    goal("G5", f"{count} containers", injected=count)
