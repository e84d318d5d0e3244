"""COCO, VOC, YOLO and GeoJSON read alike; what is wrong is one sentence that names the place."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from resattn.detection import geojson
from resattn.detection.coco import read_coco
from resattn.detection.voc import read_voc
from resattn.detection.yolo import read_classes, read_yolo
from resattn.errors import ItemError
from resattn.io.ground import Ground
from resattn.io.raster import open_raster

GOOD = {
    "images": [
        {"id": 7, "file_name": "a.png", "height": 40, "width": 60},
        {"id": 9, "file_name": "sub/b.png", "height": 20, "width": 20},
    ],
    "categories": [{"id": 5, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 5, "bbox": [1, 2, 10.5, 4]},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [-1, 0, 5, 5], "iscrowd": 1, "area": 9},
    ],
}
VOC = """<annotation><filename>a.jpg</filename><size><width>60</width><height>40</height></size>
<object><name>cat</name><difficult>0</difficult><bndbox><xmin>2</xmin><ymin>3</ymin>
<xmax>11</xmax><ymax>6</ymax></bndbox></object></annotation>"""


def coco(tmp_path, document=GOOD):
    path = tmp_path / "set.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def changed(steps, value):
    """GOOD with the value at `steps` replaced, or removed where it is None."""
    document = copy.deepcopy(GOOD)
    parent = document
    for step in steps[:-1]:
        parent = parent[step]
    if value is None:
        del parent[steps[-1]]
    else:
        parent[steps[-1]] = value
    return document


def test_coco_boxes_are_corners_and_classes_follow_their_ids(tmp_path):
    found = read_coco(coco(tmp_path))
    assert found.classes == ("dog", "cat")
    first, second = found.pictures
    assert (first.name, first.height, first.width) == ("a.png", 40, 60)
    assert first.boxes().tolist() == [[1, 2, 11.5, 6], [-1, 0, 4, 5]]
    assert first.boxes(crowds=False).tolist() == [[1, 2, 11.5, 6]]
    assert first.labels().tolist() == [1, 0]
    assert [mark.area for mark in first.marks] == [0, 9]
    assert second.boxes().shape == (0, 4)
    assert set(found.by_stem()) == {"a", "b"}


@pytest.mark.parametrize(
    ("steps", "value", "code", "words"),
    [
        (("images",), None, "E331", "$ has no 'images'"),
        (("images",), {}, "E331", "$.images is an object, not a list"),
        (("images", 1, "id"), None, "E331", "$.images[1] has no 'id'"),
        (("images", 1, "id"), 7, "E334", "$.images[1].id is 7, as is that of [0]"),
        (("images", 1, "id"), 7.5, "E331", "$.images[1].id is 7.5, not an id"),
        (("images", 0, "height"), 0, "E331", "$.images[0].height is 0, not a whole number above"),
        (("images", 0, "file_name"), "../a.png", "E313", "$.images[0].file_name"),
        (("images", 0, "file_name"), "C:\\a.png", "E313", "$.images[0].file_name"),
        (("images", 0, "file_name"), "\ud800.png", "E313", "$.images[0].file_name"),
        (("categories", 0, "name"), 3, "E331", "$.categories[0].name is 3, not text"),
        (("annotations", 0, "id"), None, "E331", "$.annotations[0] has no 'id'"),
        (("annotations", 0, "image_id"), 8, "E334", "$.annotations[0].image_id is 8, which no"),
        (("annotations", 0, "category_id"), 1, "E333", "$.annotations[0].category_id is 1"),
        (("annotations", 0, "bbox"), [1, 2, 3], "E332", "$.annotations[0].bbox has 3 numbers"),
        (("annotations", 0, "bbox", 2), -3, "E332", "$.annotations[0].bbox: the box from (1, 2)"),
        (("annotations", 0, "bbox", 2), 0, "E332", "is 0 wide and 4 high"),
        (("annotations", 0, "bbox", 0), 61, "E332", "outside the picture of 60×40"),
        (("annotations", 0, "bbox", 1), float("nan"), "E331", "$.annotations[0].bbox[1] is nan"),
        (("annotations", 0, "bbox", 1), "4", "E331", "$.annotations[0].bbox[1] is text, not a"),
        (("annotations", 0, "bbox", 1), True, "E331", "bbox[1] is true or false, not a finite"),
    ],
)
def test_f31_f32_a_wrong_coco_file_is_one_sentence(tmp_path, steps, value, code, words):
    with pytest.raises(ItemError) as caught:
        read_coco(coco(tmp_path, changed(steps, value)))
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.message.startswith("set.json: $")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "E330", "is not JSON"),
        ("{", "E330", "is not JSON"),
        ('{"a": {"b": [1, [[' + "[" * 100_000, "E330", "nests too deep at $.a.b[1][0][0][0]"),
        (json.dumps(GOOD).replace("10.5", "9" * 5000), "E331", "$.annotations[0].bbox[2] is inf"),
        (json.dumps(GOOD).replace("10.5", "1e999"), "E331", "$.annotations[0].bbox[2] is inf"),
        ('{"images": [{"id": 1, "id": 2}]}', "E331", "$.categories"),
        ('{"categories": [{"id": 1, "id": 2}]}', "E331", "$.categories[0] has 'id' twice"),
    ],
)
def test_f32_json_that_parsers_stumble_over(tmp_path, text, code, words):
    with pytest.raises(ItemError) as caught:
        read_coco(coco(tmp_path, text))
    assert caught.value.code == code
    assert words in caught.value.message or "has no 'categories'" in caught.value.message
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_f32_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "set.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert len(read_coco(path).pictures) == 2


def test_voc_counts_from_one_and_includes_the_last_pixel(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(VOC)
    found = read_voc([path])
    assert found.classes == ("cat",)
    assert found.pictures[0].boxes().tolist() == [[1, 2, 11, 6]]
    assert not found.pictures[0].marks[0].crowd
    assert read_voc([path], ("dog", "cat")).pictures[0].labels().tolist() == [1]


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("<xmin>2</xmin>", "", "E331", "/annotation/object[1]/bndbox has no <xmin>"),
        (">2<", ">x<", "E331", "/annotation/object[1]/bndbox/xmin is 'x', not a number"),
        (">2<", ">nan<", "E332", "/annotation/object[1]/bndbox: the box"),
        (">2<", ">12<", "E332", "is 0 wide"),
        (">60<", ">0<", "E331", "/annotation/size is 0×40"),
        ("size>", "syze>", "E331", "/annotation has no <size>"),
        ("bndbox>", "box>", "E331", "/annotation/object[1] has no <bndbox>"),
        (">a.jpg<", ">/etc/a.jpg<", "E313", "/etc/a.jpg"),
        ("</annotation>", "", "E330", "is not XML"),
        (
            "<annotation>",
            '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><annotation>',
            "E335",
            "declares a document type",
        ),
        (">cat<", ">cow<", "E333", "class 'cow' is none of cat, dog"),
    ],
)
def test_f32_a_wrong_voc_file_is_one_sentence_with_the_path(tmp_path, old, new, code, words):
    path = tmp_path / "a.xml"
    path.write_text(VOC.replace(old, new))
    with pytest.raises(ItemError) as caught:
        read_voc([path], ("cat", "dog"))
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value


def test_yolo_is_relative_to_the_picture(tmp_path):
    (tmp_path / "a.txt").write_text("1 0.5 0.5 0.5 0.25\n\n0 0.25 0.5 0.5 1\n")
    found = read_yolo({"a.png": (40, 80), "b.png": (5, 5)}, tmp_path, ("cat", "dog"))
    assert found.pictures[0].boxes().tolist() == [[20, 15, 60, 25], [0, 0, 40, 40]]
    assert found.pictures[0].labels().tolist() == [1, 0]
    assert not found.pictures[1].marks


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("0 .5 .5 .5", "E331", "line 2 reads '0 .5 .5 .5'"),
        ("0 .5 .5 .5 x", "E331", "line 2 reads"),
        ("cat .5 .5 .5 .5", "E331", "line 2 reads"),
        ("2 .5 .5 .5 .5", "E333", "line 2: class 2 of 2 names"),
        ("-1 .5 .5 .5 .5", "E333", "line 2: class -1"),
        ("0 .5 .5 -.5 .5", "E332", "line 2: the box"),
        ("0 nan .5 .5 .5", "E332", "not finite"),
        ("0 5 .5 .5 .5", "E332", "outside the picture"),
    ],
)
def test_f32_a_wrong_yolo_file_is_one_sentence_with_the_line(tmp_path, line, code, words):
    (tmp_path / "a.txt").write_text(f"0 .5 .5 .5 .5\n{line}\n")
    with pytest.raises(ItemError) as caught:
        read_yolo({"a.png": (40, 80)}, tmp_path, ("cat", "dog"))
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "red cell\ncat\n\n"),
        ("data.yaml", "nc: 2\nnames:\n  0: red cell  # big\n  1: 'cat'\npath: x\n"),
        ("data.yaml", "names:\n- red cell\n- cat\n"),
        ("data.yaml", "names: ['red cell', 'cat']\n"),
        ("data.yaml", "names: [red cell, cat]\n"),
        ("data.yaml", "names: {0: 'red cell', 1: 'cat'}\n"),
    ],
)
def test_yolo_class_names(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    (tmp_path / "train").mkdir()
    assert read_classes(tmp_path / "train") == ("red cell", "cat")


def test_yolo_without_class_names_says_what_to_add(tmp_path):
    with pytest.raises(ItemError, match=r"add one of classes\.txt"):
        read_classes(tmp_path)
    (tmp_path / "classes.txt").write_text("cat\ncat\n")
    with pytest.raises(ItemError, match="does not give each class one name"):
        read_classes(tmp_path)


@pytest.fixture
def ground(tmp_path):
    path = tmp_path / "r.tif"
    where = {"crs": "EPSG:32631", "transform": from_origin(500_000, 5_000_000, 10, 10)}
    with rasterio.open(path, "w", "GTiff", 30, 20, 1, dtype="uint8", **where) as file:
        file.write(np.zeros((1, 20, 30), np.uint8))
    with open_raster(path) as raster:
        return Ground.of(raster.info)


def feature(ring, properties):
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def collection(tmp_path, *features, **more):
    path = tmp_path / "r.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}))
    return path


def test_geojson_lies_on_wgs84_unless_it_says_otherwise(tmp_path, ground):
    corners = np.array([[5, 5], [5, 9], [12, 9], [12, 5.0]])
    lonlat = collection(tmp_path, feature(ground.lonlat(corners).tolist(), {"class": "ship"}))
    marked, names = geojson.read_geojson(lonlat, "r.tif", (20, 30), ground)
    assert names == ["ship"]
    np.testing.assert_allclose(marked.boxes(), [[5, 5, 12, 9]], atol=1e-6)
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    own = collection(tmp_path, feature(ground.places(corners).tolist(), {"name": "b"}), crs=crs)
    marked, names = geojson.read_geojson(own, "r.tif", (20, 30), ground)
    np.testing.assert_allclose(marked.boxes(), [[5, 5, 12, 9]], atol=1e-9)


@pytest.mark.parametrize(
    ("ring", "properties", "code", "words"),
    [
        ([[3, 45.15]], {"class": "a"}, "E332", "$.features[0].geometry: the box"),
        ([], {"class": "a"}, "E331", "coordinates is a list, not rings"),
        ([[3]], {"class": "a"}, "E331", "coordinates[0][0] is a list, not two coordinates"),
        ([[3, float("nan")]], {"class": "a"}, "E331", "coordinates[0][0][1] is nan"),
        ([[3.001, 45.152], [3.002, 45.151]], {}, "E331", "$.features[0].properties names no class"),
    ],
)
def test_f32_a_wrong_geojson_is_one_sentence_with_the_path(
    tmp_path, ground, ring, properties, code, words
):
    path = collection(tmp_path, feature(ring, properties))
    with pytest.raises(ItemError) as caught:
        geojson.read_geojson(path, "r.tif", (20, 30), ground)
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value
