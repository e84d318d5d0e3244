"""The shipped detector of ships, from a piece of a Sentinel-2 raster to a map."""

from __future__ import annotations

import json

import pytest
import rasterio
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from resattn.weights.load import load

HARBOUR = Window(150, 90, 128, 128)
"""Of honolulu.tif, which it learnt from."""


@pytest.fixture
def harbour(shared, tmp_path):
    """Four bands of 16 bits that do not say which is near infrared."""
    with rasterio.open(shared / "detect" / "sen2ships" / "images" / "honolulu.tif") as source:
        profile = source.profile | {
            "width": 128, "height": 128, "transform": source.window_transform(HARBOUR),
        }  # fmt: skip
        pixels = source.read(window=HARBOUR)
    with rasterio.open(tmp_path / "harbour.tif", "w", **profile) as file:
        file.write(pixels)
    return tmp_path / "harbour.tif"


def test_ships_of_a_raster_come_out_on_the_map(resattn, harbour, tmp_path):
    report = tmp_path / "r.json"
    done = resattn(
        "detect", harbour, "-o", tmp_path / "ships.geojson", "--weights", "sen2ships",
        "--write", "gpkg", "--report", report,
    )  # fmt: skip
    assert done.code == 0, done.err
    with rasterio.open(harbour) as file:
        west, south, east, north = transform_bounds(file.crs, "EPSG:4326", *file.bounds)
    ships = json.loads((tmp_path / "ships.geojson").read_text())["features"]
    assert len(ships) >= 3
    assert {ship["properties"]["class"] for ship in ships} == {"ship"}
    for ship in ships:
        (ring,) = ship["geometry"]["coordinates"]
        assert all(west <= x <= east and south <= y <= north for x, y in ring)
        assert 10 < ship["properties"]["width_m"] < 500
    assert (tmp_path / "ships.gpkg").is_file()
    (item,) = json.loads(report.read_text())["items"]
    assert item["facts"]["bands"] == [4, 1, 2], "near infrared, red and green, as trained"


def test_its_weights_say_what_they_need():
    config = load("detect.sen2ships", "detect").model.config
    assert (config.bands, config.scale, config.zoom, config.side) == ((4, 1, 2), None, 3, 0)
    assert config.names == ("ship",)
