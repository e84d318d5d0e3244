"""F17, F18 and G9: on a disk that fills or takes nothing, an error and not a byte under the name.

Plain rasterio notices 2 of 7 such ways of writing. Each way here runs on disks from almost empty
to just too small, so that the space ends at another moment: at a block, at close, at the second
pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from resattn.errors import OutputError
from resattn.io.atomic import write_bytes
from resattn.io.profile import RasterProfile
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import tiles

NOISE = np.random.default_rng(0).integers(0, 65536, (2, 300, 300), np.uint16)  # 360 kB


def write(
    target: Path,
    size: int,
    *,
    cog: bool = False,
    mask: bool = False,
    overwrite: bool = False,
    **fields: object,
) -> None:
    bands, height, width = NOISE.shape
    profile = RasterProfile(
        height=height, width=width, count=bands, dtype="uint16", has_mask=mask, **fields
    )
    with RasterWriter(target, profile, cog=cog, overwrite=overwrite) as writer:
        for tile in tiles(height, width, size):
            where = tile.inner.slices
            valid = NOISE[0][where] > 9 if mask else None
            writer.write(tile.inner, NOISE[(slice(None), *where)], valid)


WAYS: dict[str, Callable[[Path], None]] = {
    "whole blocks, uncompressed": lambda path: write(path, 64, block=64, compress="none"),
    "whole blocks, zstd": lambda path: write(path, 64, block=64),
    "partial blocks, uncompressed": lambda path: write(path, 50, block=64, compress="none"),
    "partial blocks, deflate": lambda path: write(path, 50, block=64, compress="deflate"),
    "one tile larger than the image": lambda path: write(path, 300, block=512),
    "with a mask": lambda path: write(path, 64, block=64, mask=True),
    "as a COG": lambda path: write(path, 64, block=64, cog=True),
    "bytes": lambda path: write_bytes(path, NOISE.tobytes()),
}


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_f17_g9_a_full_disk_is_noticed_and_leaves_nothing(
    small_disk, way: Callable[[Path], None], fraction: float
) -> None:
    with small_disk(int(NOISE.nbytes * fraction)) as folder:
        with pytest.raises(OutputError) as caught:
            way(folder / "out.tif")
        left = [path.name for path in folder.iterdir() if path.is_file()]
    assert caught.value.code == "E401"
    assert "out.tif" in caught.value.message
    assert left == []


def test_f17_g9_the_second_pass_of_a_cog_needs_room_too(small_disk) -> None:
    with small_disk(int(NOISE.nbytes * 1.1)) as folder:
        with pytest.raises(OutputError) as caught:
            write(folder / "out.tif", 64, block=64, cog=True)
        assert [path.name for path in folder.iterdir() if path.is_file()] == []
    assert caught.value.code == "E401"


def test_f17_an_earlier_output_survives_a_full_disk(small_disk) -> None:
    with small_disk(int(NOISE.nbytes * 0.5)) as folder:
        target = folder / "out.tif"
        write_bytes(target, b"earlier")
        with pytest.raises(OutputError):
            write(target, 64, overwrite=True)
        assert target.read_bytes() == b"earlier"


def test_a_large_enough_disk_takes_every_way(small_disk) -> None:
    with small_disk(NOISE.nbytes * 4) as folder:
        for number, way in enumerate(WAYS.values()):
            target = folder / f"{number}.tif"
            way(target)
            if number < len(WAYS) - 1:
                with rasterio.open(target) as dataset:
                    np.testing.assert_array_equal(dataset.read(), NOISE)
            target.unlink()


@pytest.mark.parametrize("threads", [1, 3])
def test_f17_a_damaged_block_is_noticed_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """The check itself: a byte that changes after GDAL closed the file without an error."""
    close = RasterWriter._verify

    def flip_then_verify(self: RasterWriter, path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        self.threads = threads
        close(self, path)

    monkeypatch.setattr(RasterWriter, "_verify", flip_then_verify)
    with pytest.raises(OutputError, match="reads otherwise") as caught:
        write(tmp_path / "out.tif", 64, block=64, compress="none")
    assert caught.value.code == "E401"
    assert list(tmp_path.iterdir()) == []


def test_f18_a_read_only_folder_is_refused_before_any_work(read_only_disk: Path) -> None:
    profile = RasterProfile(height=9, width=9, count=1, dtype="uint8")
    with pytest.raises(OutputError, match="cannot be written to") as raster:
        RasterWriter(read_only_disk / "out.tif", profile).__enter__()
    with pytest.raises(OutputError, match="cannot be written to") as plain:
        write_bytes(read_only_disk / "out.json", b"{}")
    assert (raster.value.code, plain.value.code) == ("E402", "E402")


def test_f18_a_folder_without_write_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes in spite of permission bits")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError) as caught:
        write_bytes(folder / "a", b"")
    assert caught.value.code == "E402"
