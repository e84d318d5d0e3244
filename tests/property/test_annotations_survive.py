"""Annotations mutated at random are read or refused in one sentence, whatever the format."""

from __future__ import annotations

import contextlib
import json

import pytest
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from resattn.detection import geojson
from resattn.detection.coco import read_coco
from resattn.detection.voc import read_voc
from resattn.detection.yolo import read_yolo
from resattn.errors import ItemError
from resattn.io.ground import Ground

COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 60}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10.5, 4], "area": 3}],
}
RING = [[3.001, 45.152], [3.002, 45.152], [3.002, 45.151], [3.001, 45.152]]
MAP = {
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "EPSG:4326"}},
    "features": [
        {
            "type": "Feature",
            "properties": {"class": "ship"},
            "geometry": {"type": "Polygon", "coordinates": [RING]},
        }
    ],
}
VOC = (
    "<annotation><filename>a.jpg</filename><size><width>60</width><height>40</height></size>"
    "<object><name>cat</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>6</ymax>"
    "</bndbox></object></annotation>"
)
GROUND = Ground(CRS.from_epsg(32631), Affine(10, 0, 500_000, 0, -10, 5_000_000))

READERS = {
    "coco": (json.dumps(COCO), read_coco),
    "geojson": (
        json.dumps(MAP),
        lambda path: geojson.read_geojson(path, "a.tif", (40, 60), GROUND),
    ),
    "voc": (VOC, lambda path: read_voc([path])),
    "yolo": (
        "0 .5 .5 .5 .5\n",
        lambda path: read_yolo({path.with_suffix(".png").name: (40, 60)}, path.parent, ("cat",)),
    ),
}

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "../x", "a\0b", "C:/x", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def check(reader, path):
    """Reads; an `ItemError` is as good as a result if it is one sentence with a remedy."""
    with contextlib.suppress(ItemError), contextlib.ExitStack() as stack:
        stack.push(lambda kind, error, trace: kind is ItemError and not one_sentence(error))
        reader(path)


def one_sentence(error):
    assert error.hint
    assert "\n" not in str(error)
    assert len(str(error)) < 500
    return str(error).encode()  # no lone surrogates


@pytest.mark.parametrize("form", READERS)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_bytes_changed_at_random(tmp_path, form, data):
    text, reader = READERS[form]
    damaged = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        stop = data.draw(st.integers(start, min(start + 8, len(damaged))))
        damaged[start:stop] = data.draw(st.binary(max_size=6) | st.sampled_from(SNIPPETS))
    path = tmp_path / "a.txt"
    path.write_bytes(damaged)
    check(reader, path)


SNIPPETS = [
    b"NaN",
    b"-Infinity",
    b"1e999",
    b'"',
    b"[[[[",
    b"{",
    b"}",
    b"<!DOCTYPE a>",
    b"&a;",
    b"-",
]


def places(value, path=()):
    """The path of every value inside a document."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@pytest.mark.parametrize(("form", "document"), [("coco", COCO), ("geojson", MAP)])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_values_replaced_at_random(tmp_path, form, document, data):
    changed = json.loads(json.dumps(document))
    *steps, last = data.draw(st.sampled_from([p for p in places(document) if p]))
    parent = changed
    for step in steps:
        parent = parent[step]
    parent[last] = data.draw(VALUES)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(changed))
    check(READERS[form][1], path)
