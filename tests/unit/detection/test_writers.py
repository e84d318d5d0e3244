"""What is written comes back: by our readers, and by rules of the formats checked here."""

from __future__ import annotations

import csv
import dataclasses
import json
import sqlite3
import struct
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.transform import from_origin

from resattn.detection import geojson
from resattn.detection.coco import read_coco
from resattn.detection.finding import Finding
from resattn.detection.found import Found
from resattn.detection.layouts import read_pictures
from resattn.detection.voc import read_voc
from resattn.detection.writers import FORMS
from resattn.detection.yolo import read_classes, read_yolo
from resattn.errors import ItemError, OutputError
from resattn.io.gpkg import Layer, write_polygons
from resattn.io.ground import WGS84, Ground, crs_named, project
from resattn.io.raster import open_raster

BOXES = np.array([[1.25, 2.5, 11.75, 8.0], [0, 0, 60, 40], [30.1, 10.2, 33.3, 14.4]])
CLASSES = ("cat", "dog & <co>")


def finding(ground=None, boxes=BOXES, size=(40, 60)):
    boxes = np.asarray(boxes, float)
    scores = np.linspace(0.9, 0.1, len(boxes))
    found = Found(boxes, scores, np.arange(len(boxes)) % 2)
    return Finding.of("a b.tif", size, CLASSES, found, ground)


def written(tmp_path, form, of):
    path = tmp_path / f"a b{FORMS[form].suffix}"
    FORMS[form].write(path, of, False)
    return path


def utm(pixel_m=10.0):
    return Ground(CRS.from_epsg(32631), from_origin(500_000, 5_000_000, pixel_m, pixel_m))


def test_coco_comes_back(tmp_path):
    path = written(tmp_path, "coco", finding())
    found = read_coco(path)
    assert found.classes == CLASSES
    (picture,) = found.pictures
    assert (picture.name, picture.height, picture.width) == ("a b.tif", 40, 60)
    np.testing.assert_allclose(picture.boxes(), BOXES, atol=1e-3)
    assert picture.labels().tolist() == [0, 1, 0]
    scores = [one["score"] for one in json.loads(path.read_text())["annotations"]]
    assert scores == [0.9, 0.5, 0.1]


def test_voc_comes_back_to_half_a_pixel(tmp_path):
    (picture,) = read_voc([written(tmp_path, "voc", finding())], CLASSES).pictures
    np.testing.assert_allclose(picture.boxes(), BOXES, atol=0.5)
    assert picture.labels().tolist() == [0, 1, 0]


def test_yolo_comes_back_with_its_class_names(tmp_path):
    written(tmp_path, "yolo", finding())
    assert read_classes(tmp_path) == CLASSES
    lines = [line.split() for line in (tmp_path / "a b.txt").read_text().splitlines()]
    assert [float(line.pop()) for line in lines] == [0.9, 0.5, 0.1]
    (tmp_path / "a b.txt").write_text("\n".join(" ".join(line) for line in lines))
    (picture,) = read_yolo({"a b.tif": (40, 60)}, tmp_path, CLASSES).pictures
    np.testing.assert_allclose(picture.boxes(), BOXES, atol=1e-4)


def test_one_folder_of_yolo_files_has_one_list_of_classes(tmp_path):
    written(tmp_path, "yolo", finding())
    FORMS["yolo"].write(tmp_path / "c.txt", finding(), False)
    (tmp_path / "classes.txt").write_text("bird\n")
    with pytest.raises(OutputError, match="names other classes than cat"):
        FORMS["yolo"].write(tmp_path / "d.txt", finding(), False)


def test_csv_has_a_row_for_each_object(tmp_path):
    with written(tmp_path, "csv", finding(utm())).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["cat", "dog & <co>", "cat"]
    assert [float(rows[0][k]) for k in ("left", "top", "right", "bottom")] == BOXES[0].tolist()
    assert float(rows[0]["width_m"]) == pytest.approx(105, rel=5e-4)
    assert float(rows[0]["height_m"]) == pytest.approx(55, rel=5e-4)
    assert float(rows[0]["longitude"]) == pytest.approx(3.0008, abs=1e-4)
    plain = written(tmp_path / "..", "csv", finding()).read_text()
    assert plain.startswith("picture,class,score,left,top,right,bottom\n")


GROUNDS = {
    "utm": utm(),
    "submetre": utm(0.3),
    "mercator": Ground(CRS.from_epsg(3857), from_origin(-8_412_191.2, 1_170_508.8, 10, 10)),
    "degrees": Ground(CRS.from_epsg(4326), from_origin(12.5, 41.9, 1e-4, 1e-4)),
    "rotated": Ground(CRS.from_epsg(32631), utm().transform @ Affine.rotation(30)),
    "upwards": Ground(CRS.from_epsg(32631), Affine(10, 0, 500_000, 0, 10, 4_000_000)),
    "date line": Ground(CRS.from_epsg(32601), from_origin(295_000 - 400, 7_000_000, 10, 10)),
}


@pytest.mark.parametrize("name", GROUNDS)
def test_geojson_comes_back_to_a_hundredth_of_a_pixel(tmp_path, name):
    ground = GROUNDS[name]
    path = written(tmp_path, "geojson", finding(ground))
    marked, names = geojson.read_geojson(path, "a", (40, 60), ground)
    np.testing.assert_allclose(marked.boxes(), BOXES, atol=0.01)
    assert names == ["cat", "dog & <co>", "cat"]


@pytest.mark.parametrize("name", GROUNDS)
def test_geojson_is_what_rfc_7946_asks_for(tmp_path, name):
    document = json.loads(written(tmp_path, "geojson", finding(GROUNDS[name])).read_text())
    assert set(document) == {"type", "resattn", "features"}, "no crs member"
    for feature in document["features"]:
        geometry = feature["geometry"]
        polygons = geometry["coordinates"]
        polygons = polygons if geometry["type"] == "MultiPolygon" else [polygons]
        for (ring,) in polygons:
            assert ring[0] == ring[-1]
            points = np.array(ring)
            assert (np.abs(points[:, 0]) <= 180).all()
            assert np.ptp(points[:, 0]) < 1, "no polygon goes round the earth"
            x, y = points.T
            assert (x[:-1] @ y[1:] - x[1:] @ y[:-1]) != 0
            centred = points - points.mean(axis=0)
            area = (centred[:-1, 0] * centred[1:, 1] - centred[1:, 0] * centred[:-1, 1]).sum()
            assert area > 0, "outer rings are counter-clockwise"


def test_a_box_across_the_date_line_is_two_polygons(tmp_path):
    ground = Ground(CRS.from_epsg(3832), from_origin(3_339_584.7 - 300, 0, 10, 10))
    assert abs(ground.lonlat(np.array([[30.0, 0]]))[0, 0]) == pytest.approx(180, abs=1e-3)
    path = written(tmp_path, "geojson", finding(ground))
    kinds = [f["geometry"]["type"] for f in json.loads(path.read_text())["features"]]
    assert kinds == ["Polygon", "MultiPolygon", "Polygon"]
    marked, _ = geojson.read_geojson(path, "a", (40, 60), ground)
    np.testing.assert_allclose(marked.boxes(), BOXES, atol=0.01)


def polygons(path):
    """Corners (n, 4, 2) and rows of a GeoPackage, by the OGC standard and nothing of ours."""
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert not database.execute("PRAGMA foreign_key_check").fetchall()
        (table, srs_id) = database.execute(
            "SELECT table_name, srs_id FROM gpkg_contents WHERE data_type = 'features'"
        ).fetchone()
        assert database.execute(
            "SELECT column_name, geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns"
        ).fetchall() == [("geom", "POLYGON", srs_id, 0, 0)]
        (wkt,) = database.execute(
            "SELECT definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?", (srs_id,)
        ).fetchone()
        assert table == "detections"
        rows = database.execute("SELECT geom, class, score, width_m FROM detections").fetchall()
    rings = []
    for blob, *_ in rows:
        magic, version, flags, srs = struct.unpack_from("<2sBBi", blob)
        assert (magic, version, srs) == (b"GP", 0, srs_id)
        assert flags & 1, "little endian"
        assert flags >> 1 & 7 == 1, "an envelope of x and y"
        envelope = struct.unpack_from("<4d", blob, 8)
        order, kind, count, points = struct.unpack_from("<BIII", blob, 40)
        assert (order, kind, count, points) == (1, 3, 1, 5)
        ring = np.frombuffer(blob, "<f8", offset=53).reshape(5, 2)
        assert (ring[0] == ring[-1]).all()
        low, high = ring.min(axis=0), ring.max(axis=0)
        assert envelope == (low[0], high[0], low[1], high[1])
        rings.append(ring[:4])
    return np.array(rings), [row[1:] for row in rows], CRS.from_wkt(wkt)


@pytest.mark.parametrize("name", GROUNDS)
def test_a_geopackage_keeps_the_crs_of_the_source(tmp_path, name):
    ground = GROUNDS[name]
    rings, rows, crs = polygons(written(tmp_path, "gpkg", finding(ground)))
    assert crs == ground.crs
    pixels = ground.pixels(rings.reshape(-1, 2)).reshape(-1, 4, 2)
    back = np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1)
    np.testing.assert_allclose(back, BOXES, atol=1e-6)
    assert [row[0] for row in rows] == ["cat", "dog & <co>", "cat"]
    assert [row[1] for row in rows] == [0.9, 0.5, 0.1]


def test_a_crs_without_a_number_is_written_in_full(tmp_path):
    own = CRS.from_proj4("+proj=laea +lat_0=47 +lon_0=11 +ellps=WGS84 +units=m")
    ground = Ground(own, from_origin(0, 0, 10, 10))
    _, _, crs = polygons(written(tmp_path, "gpkg", finding(ground)))
    assert crs.to_dict()["proj"] == "laea"


@pytest.mark.parametrize("form", FORMS)
def test_nothing_found_is_a_valid_file(tmp_path, form):
    path = written(tmp_path, form, finding(utm(), np.zeros((0, 4))))
    assert path.stat().st_size or form == "yolo"
    if form == "gpkg":
        assert len(polygons(path)[0]) == 0
    if form == "coco":
        assert read_coco(path).pictures[0].marks == ()


@pytest.mark.parametrize("form", FORMS)
def test_the_same_objects_give_the_same_bytes_and_nothing_is_overwritten(tmp_path, form):
    path = written(tmp_path, form, finding(utm()))
    data = path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        FORMS[form].write(path, finding(utm()), False)
    FORMS[form].write(path, finding(utm()), True)
    assert path.read_bytes() == data


@pytest.mark.parametrize("form", ["geojson", "gpkg"])
def test_a_photograph_has_no_place_on_the_ground(tmp_path, form):
    with pytest.raises(ItemError, match="does not say where it lies"):
        written(tmp_path, form, finding())


def test_a_geopackage_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="other lengths"):
        write_polygons(tmp_path / "a.gpkg", Layer("a", WGS84), np.zeros((2, 4, 2)), {"b": ["c"]})
    with pytest.raises(ValueError, match="names of a table"):
        write_polygons(tmp_path / "a.gpkg", Layer("a b", WGS84), np.zeros((0, 4, 2)), {})


MADE_BY = {"version": "9", "command": 'detect "<&"', "weights_sha256": "0" * 64}


def said_in_json(path):
    document = json.loads(path.read_text())
    return document.get("info") or document["resattn"]


def said_in_gpkg(path):
    with sqlite3.connect(path) as database:
        ((text,),) = database.execute("SELECT description FROM gpkg_contents").fetchall()
    return json.loads(text)


def said_in_voc(path):
    root = ElementTree.fromstring(path.read_text())  # noqa: S314 (our own file)
    return json.loads(root.findtext("source/annotation"))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("coco", said_in_json),
        ("geojson", said_in_json),
        ("gpkg", said_in_gpkg),
        ("voc", said_in_voc),
    ],
)
def test_files_say_what_made_them_where_their_form_has_a_place(tmp_path, form, said):
    path = written(tmp_path, form, dataclasses.replace(finding(utm()), made_by=MADE_BY))
    assert said(path) == MADE_BY


def test_sizes_are_measured_on_the_ground_not_on_the_map():
    """Ten map metres of Web Mercator at 60° north are five on the ground."""
    (x,), (y,) = rasterio.warp.transform("EPSG:4326", "EPSG:3857", [10], [60])
    ground = Ground(CRS.from_epsg(3857), from_origin(x, y, 10, 10))
    np.testing.assert_allclose(ground.sizes_m(np.array([[0, 0, 1, 2.0]])), [[5, 10]], rtol=5e-3)


def test_an_unknown_crs_is_named():
    for name in ("EPSG:999999", "EPSG:!4326"):
        with pytest.raises(ItemError, match="no CRS that is known"):
            crs_named(name, "x.geojson: $.crs")
    assert crs_named("urn:ogc:def:crs:OGC:1.3:CRS84", "x") == WGS84
    with pytest.raises(ItemError, match="EPSG:4326"):
        project(np.array([[1e30, 1e30]]), CRS.from_epsg(32631), WGS84)


@pytest.mark.parametrize("place", ["busan", "cartagena", "casablanca", "honolulu", "klang"])
def test_real_ships_come_back_to_a_hundredth_of_a_pixel(shared, tmp_path, place):
    annotations, files = read_pictures(shared / "detect" / "sen2ships")
    picture = next(p for p in annotations.pictures if p.name == f"{place}.tif")
    with open_raster(files[picture.name]) as raster:
        ground = Ground.of(raster.info)
    size, boxes = (picture.height, picture.width), picture.boxes()
    found = Found(boxes, np.ones(len(boxes)), picture.labels())
    of = Finding.of(picture.name, size, annotations.classes, found, ground)
    back, _ = geojson.read_geojson(written(tmp_path, "geojson", of), "a", size, ground)
    assert np.abs(back.boxes() - boxes).max() <= 0.01
    rings, _, _ = polygons(written(tmp_path, "gpkg", of))
    pixels = ground.pixels(rings.reshape(-1, 2)).reshape(-1, 4, 2)
    assert np.abs(pixels.min(axis=1) - boxes[:, :2]).max() <= 0.01
    assert np.abs(pixels.max(axis=1) - boxes[:, 2:]).max() <= 0.01
    assert 20 < np.median(of.sizes_m) < 300
