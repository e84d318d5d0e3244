"""A PNG written by rows is what OpenCV and rasterio read, filtered as well as theirs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import rasterio

from resattn.errors import OutputError
from resattn.io.faultpoints import watched_by
from resattn.io.image import read_image
from resattn.io.metadata import Metadata
from resattn.io.png_writer import PngWriter, filtered

RANDOM = np.random.default_rng(8)


def write(path, pixels, sizes, **options):
    bands, height, width = pixels.shape
    with PngWriter(path, height, width, bands, str(pixels.dtype), **options) as writer:
        for start, stop in zip([0, *np.cumsum(sizes)], np.cumsum(sizes), strict=False):
            writer.write_rows(pixels[:, start:stop])
    return path


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("sizes", [[90], [1, 64, 25]])
def test_what_goes_in_comes_out(tmp_path, bands, dtype, sizes):
    ramp = np.add.outer(np.arange(90), np.arange(37)) * 3
    pixels = (ramp + RANDOM.integers(0, 9, (bands, 90, 37))).astype(dtype)
    path = write(tmp_path / "a.png", pixels, sizes)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), pixels)
    image = read_image(path)  # checks every chunk too
    colours = bands - (bands in (2, 4))
    np.testing.assert_array_equal(image.pixels, pixels[:colours])
    if colours < bands:
        np.testing.assert_array_equal(image.alpha, pixels[-1])


def test_a_smooth_image_is_no_larger_than_opencv_makes_it(tmp_path):
    noise = RANDOM.random((30, 40, 3), np.float32)
    smooth = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
    pixels = np.clip(smooth * 255, 0, 255).astype(np.uint8)
    path = write(tmp_path / "a.png", np.ascontiguousarray(pixels.transpose(2, 0, 1)), [480])
    assert path.stat().st_size < 1.02 * len(cv2.imencode(".png", pixels)[1])


def unfiltered(stored, above, step):
    """The decoder's side, byte by byte, from the specification."""
    rows = []
    for number, *line in stored.tolist():
        row = [0] * len(line)
        for i, value in enumerate(line):
            a, c = (row[i - step], above[i - step]) if i >= step else (0, 0)
            b = above[i]
            estimate = a + b - c
            nearest = min((a, b, c), key=lambda x: abs(estimate - x))  # first of equals: a, b, c
            guess = {0: 0, 1: a, 2: b, 3: (a + b) // 2, 4: nearest}[number]
            row[i] = (value + guess) % 256
        rows.append(row)
        above = row
    return np.array(rows, np.uint8)


@pytest.mark.parametrize("step", [1, 3, 8])
@pytest.mark.parametrize("number", range(5))
def test_filters_are_undone_by_the_specification(step, number):
    above = RANDOM.integers(0, 256, 40 * step).astype(np.uint8)
    small = RANDOM.choice([255, 0, 1], (20, 40 * step))
    small[:, :step] += 30 * RANDOM.integers(0, 3, (20, step)) * (number > 1)
    lines = unfiltered(np.insert(small, 0, number, axis=1), above.tolist(), step)
    stored = filtered(lines, above, step)
    assert set(stored[:, 0]) == {number}
    np.testing.assert_array_equal(stored[:, 1:], small % 256)
    np.testing.assert_array_equal(unfiltered(stored, above.tolist(), step), lines)


def test_metadata_are_embedded(tmp_path):
    blocks = Metadata(icc=b"profile" * 9, xmp=b"<x:xmpmeta/>")
    path = write(tmp_path / "a.png", np.zeros((3, 2, 2), np.uint8), [2], metadata=blocks)
    assert read_image(path).info.metadata == blocks


def test_missing_and_extra_rows_are_an_error_and_leave_nothing(tmp_path):
    pixels = np.zeros((1, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="2 rows were not written"):
        write(tmp_path / "a.png", pixels, [2])
    for wrong in (np.zeros((1, 5, 4), np.uint8), pixels.astype(np.uint16), pixels[:, :, :3]):
        with (
            pytest.raises(ValueError, match="rows more"),
            PngWriter(tmp_path / "a.png", 4, 4, 1, "uint8") as writer,
        ):
            writer.write_rows(wrong)
    with pytest.raises(ValueError, match="5 bands"):
        PngWriter(tmp_path / "a.png", 4, 4, 5, "uint8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("point", ["open", "write", "read", "fsync", "replace"])
def test_a_failing_disk_is_an_error_and_leaves_nothing(tmp_path, point):
    def fail(reached):
        if reached == point:
            raise OSError(28, "No space left on device")

    with watched_by(fail), pytest.raises(OutputError) as refused:
        write(tmp_path / "a.png", np.zeros((1, 4, 4), np.uint8), [4])
    assert refused.value.code == "E401"
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_changed_on_the_disk_are_noticed(tmp_path):
    def spoil(reached):
        if reached == "read":
            (part,) = (path for path in tmp_path.iterdir() if not path.name.endswith("lock"))
            data = bytearray(part.read_bytes())
            data[30] ^= 1
            part.write_bytes(data)

    with watched_by(spoil), pytest.raises(OutputError, match="did not read back"):
        write(tmp_path / "a.png", np.zeros((1, 4, 4), np.uint8), [4])
    assert list(tmp_path.iterdir()) == []
