"""F34 and G4: every outside call fails once, in every way, and nothing is lost, as SQLite tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resattn.errors import ResattnError
from resattn.io.atomic import write_bytes, write_csv, write_json
from resattn.io.faultpoints import watched_by
from resattn.io.image import read_image, write_image
from resattn.io.profile import RasterProfile
from resattn.io.raster import open_raster
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import tiles
from tests.faults.failing import FAILURES, FailAt

PIXELS = np.random.default_rng(0).integers(0, 65536, (2, 70, 90), np.uint16)


def copy_raster(source: Path, target: Path) -> None:
    with open_raster(source) as raster:
        profile = RasterProfile.of(raster.info)
        with RasterWriter(target, profile, inputs=[source], overwrite=True, cog=True) as writer:
            for tile in tiles(raster.info.height, raster.info.width, 40):
                pixels, valid = raster.read(tile.inner), raster.valid(tile.inner)
                writer.write(tile.inner, pixels, valid if profile.has_mask else None)


def copy_photo(source: Path, target: Path) -> None:
    image = read_image(source)
    write_image(target, image.pixels, inputs=[source], overwrite=True)


def make_raster(path: Path) -> None:
    profile = RasterProfile(height=70, width=90, count=2, dtype="uint16", has_mask=True, block=32)
    with RasterWriter(path, profile) as writer:
        for tile in tiles(70, 90, 32):
            where = tile.inner.slices
            writer.write(tile.inner, PIXELS[(slice(None), *where)], PIXELS[0][where] > 9)


Operation = Callable[[Path, Path], None]
OPERATIONS: dict[str, tuple[Callable[[Path], None], Operation]] = {
    "a raster to a COG": (make_raster, copy_raster),
    "a photograph": (lambda path: write_image(path, PIXELS[:1]), copy_photo),
    "bytes": (Path.touch, lambda _, target: write_bytes(target, b"new", overwrite=True)),
    "JSON": (Path.touch, lambda _, target: write_json(target, {"new": 1}, overwrite=True)),
    "CSV": (Path.touch, lambda _, target: write_csv(target, ["a"], [["new"]], overwrite=True)),
}


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize(("prepare", "operate"), OPERATIONS.values(), ids=OPERATIONS.keys())
def test_f34_g4_the_nth_call_fails_and_nothing_is_lost(
    tmp_path: Path, prepare: Callable[[Path], None], operate: Operation, error: BaseException
) -> None:
    source, target = tmp_path / "source.png", tmp_path / "target.png"
    prepare(source)
    target.write_bytes(b"earlier")
    original = source.read_bytes()
    number = 0
    while True:
        number += 1
        watcher = FailAt(number, error)
        try:
            with watched_by(watcher):
                operate(source, target)
        except (ResattnError, MemoryError) as caught:
            clean = caught is error or (isinstance(caught, ResattnError) and caught.hint)
            assert clean, watcher.reached[-1]
        else:
            break
        where = f"call {number}, {watcher.reached[-1]}"
        assert target.read_bytes() == b"earlier", where
        assert source.read_bytes() == original, where
        assert {path.name for path in tmp_path.iterdir()} == {"source.png", "target.png"}, where
    assert len(watcher.reached) == number - 1 >= 5
    assert target.read_bytes() != b"earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"source.png", "target.png"}


def test_the_points_of_a_raster_copy_cover_every_kind(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif")
    watcher = FailAt(0, MemoryError())
    with watched_by(watcher):
        copy_raster(tmp_path / "a.tif", tmp_path / "b.tif")
    assert set(watcher.reached) >= {
        "open",
        "open_raster",
        "read_window",
        "create_raster",
        "write_window",
        "close_raster",
        "convert_raster",
        "fsync",
        "replace",
    }
