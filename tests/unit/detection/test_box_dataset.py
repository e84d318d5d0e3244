"""Annotated pictures of every layout become equal squares with the boxes in them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin

from resattn.detection.dataset import BoxSet, read_set
from resattn.errors import UserError
from resattn.io.image import write_image


def document(boxes, name="a.png", height=40, width=80):
    return {
        "images": [{"id": 1, "file_name": name, "height": height, "width": width}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 1, "bbox": box} for i, box in enumerate(boxes)
        ],
    }


@pytest.fixture
def photo(tmp_path):
    """A picture whose lower right object is bright, and its COCO file."""
    (tmp_path / "images").mkdir()
    pixels = np.full((3, 40, 80), 50, np.uint8)
    pixels[:, 20:40, 40:60] = 250
    write_image(tmp_path / "images" / "a.png", pixels)
    (tmp_path / "set.json").write_text(json.dumps(document([[40, 20, 20, 20]])))
    return tmp_path


def test_a_photograph_is_fitted_with_its_boxes(photo):
    found = read_set(photo / "set.json", 64)
    assert found.images.shape == (1, 3, 64, 64)
    assert found.images.dtype == torch.uint8
    assert found.boxes[0].dtype == torch.float32
    assert found.boxes[0].tolist() == [[32, 16, 48, 32]]
    assert found.labels[0].tolist() == [0]
    assert (found.images[0, :, 18:30, 34:46] > 240).all()
    assert (found.images[0, :, 32:] == 0).all(), "black below the photograph"
    assert (read_set(photo, 64).images == found.images).all(), "the folder names its only JSON"


def test_small_photographs_are_not_enlarged(photo):
    assert read_set(photo, 128).boxes[0].tolist() == [[40, 20, 60, 40]]


def test_cut_squares_cover_everything_and_keep_what_is_half_inside(photo):
    found = read_set(photo, 32, cut=True)
    assert found.images.shape[1:] == (3, 32, 32)
    for image, boxes in zip(found.images, found.boxes, strict=True):
        bright = image[0] > 200
        for left, top, right, bottom in boxes.int().tolist():
            assert bright[top:bottom, left:right].all()
        shown = int(bright.sum()) / 400
        assert (shown >= 0.5) == bool(len(boxes))
    assert any(len(boxes) for boxes in found.boxes)


def test_rasters_with_geojson_are_cut_and_enlarged(tmp_path):
    for folder in ("images", "truth"):
        (tmp_path / folder).mkdir()
    pixels = np.full((4, 50, 70), 1000, np.uint16)
    pixels[:, 10:14, 20:26] = 9000
    where = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_000_000, 10, 10)}
    with rasterio.open(
        tmp_path / "images" / "r.tif", "w", "GTiff", 70, 50, 4, dtype="uint16", **where
    ) as file:
        file.write(pixels)
    ring = [[500_200, 4_999_900], [500_260, 4_999_900], [500_260, 4_999_860], [500_200, 4_999_860]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    feature = {"type": "Feature", "properties": {"name": "ship"}, "geometry": geometry}
    truth = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    (tmp_path / "truth" / "r.geojson").write_text(json.dumps(truth))
    found = read_set(tmp_path, 64, zoom=2)
    assert found.classes == ("ship",)
    assert set(found.sources) == {"r.tif"}
    whole = [
        (image, boxes[0])
        for image, boxes in zip(found.images, found.boxes, strict=True)
        if len(boxes) and (boxes[0, 2:] - boxes[0, :2]).tolist() == [12, 8]
    ]
    assert whole
    for image, (left, top, right, bottom) in ((i, b.int().tolist()) for i, b in whole):
        assert (image[:, top + 1 : bottom - 1, left + 1 : right - 1] > 200).all()


def test_voc_and_yolo_folders_say_the_same(photo):
    voc, yolo = photo / "voc", photo / "yolo"
    for folder in (voc / "Annotations", voc / "JPEGImages", yolo / "labels", yolo / "images"):
        folder.mkdir(parents=True)
    data = (photo / "images" / "a.png").read_bytes()
    (voc / "JPEGImages" / "a.png").write_bytes(data)
    (yolo / "images" / "a.png").write_bytes(data)
    (voc / "Annotations" / "a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>80</width><height>40</height></size>"
        "<object><name>cat</name><bndbox><xmin>41</xmin><ymin>21</ymin><xmax>60</xmax>"
        "<ymax>40</ymax></bndbox></object></annotation>"
    )
    (yolo / "classes.txt").write_text("cat\n")
    (yolo / "labels" / "a.txt").write_text("0 0.625 0.75 0.25 0.5\n")
    expected = read_set(photo / "set.json", 64)
    for folder in (voc, yolo):
        found = read_set(folder, 64)
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.boxes[0], expected.boxes[0])
        assert found.classes == expected.classes


def test_a_set_survives_its_file_and_splits_by_source(photo, tmp_path):
    one = read_set(photo / "set.json", 64)
    names = ("x", "y", "z", "x")
    many = BoxSet(
        one.images.repeat(4, 1, 1, 1), one.boxes * 3 + (torch.zeros(0, 4),),
        one.labels * 3 + (torch.zeros(0, dtype=torch.int64),), one.classes, names,
    )  # fmt: skip
    many.save(tmp_path / "set.safetensors")
    back = BoxSet.load(tmp_path / "set.safetensors")
    assert torch.equal(back.images, many.images)
    assert [b.tolist() for b in back.boxes] == [b.tolist() for b in many.boxes]
    assert (back.classes, back.sources) == (many.classes, names)
    train, held = back.split(3, 0)
    assert not set(train.sources) & set(held.sources)
    assert len(train.images) + len(held.images) == 4
    rest, chosen = back.apart(["x"])
    assert chosen.sources == ("x", "x")
    assert rest.sources == ("y", "z")
    assert [len(b) for b in chosen.boxes] == [1, 0]
    (tmp_path / "set.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match="is not a set of images with boxes"):
        BoxSet.load(tmp_path / "set.safetensors")


def test_what_is_missing_is_named(photo, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_set(tmp_path / "nowhere", 64)
    (photo / "set.json").write_text(json.dumps(document([], name="b.png")))
    with pytest.raises(UserError, match=r"speaks of b\.png"):
        read_set(photo, 64)
    (photo / "set.json").write_text(json.dumps(document([], height=41)))
    with pytest.raises(UserError, match=r"80×40 pixels, its annotations 80×41"):
        read_set(photo, 64)
    (photo / "two.json").write_text("{}")
    with pytest.raises(UserError, match="holds 2 JSON files"):
        read_set(photo, 64)


def test_bccd_and_sen2ships_are_read(shared):
    cells = read_set(shared / "detect" / "bccd" / "test.json", 128)
    assert len(cells.images) == 72
    assert sum(map(len, cells.labels)) == 945
    assert cells.classes == ("RBC", "WBC", "Platelets")
    ships = read_set(shared / "detect" / "sen2ships", 256)
    assert len(set(ships.sources)) == 5
    assert sum(map(len, ships.labels)) >= 117
