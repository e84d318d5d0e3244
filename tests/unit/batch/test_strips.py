"""Strips of an output: cut, written apart, read back as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resattn.errors import ItemError
from resattn.io.profile import RasterProfile
from resattn.pipelines import strips
from resattn.pipelines.plan import Item
from resattn.tiling import Window

RANDOM = np.random.default_rng(3)


def test_strips_cover_an_output_once() -> None:
    assert strips.cut(10, 7, 4) == [Window(0, 0, 4, 7), Window(4, 0, 4, 7), Window(8, 0, 2, 7)]
    assert strips.cut(4, 7, 4) == [Window(0, 0, 4, 7)]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("has_mask", [False, True])
def test_what_is_written_in_strips_reads_back_by_any_window(
    tmp_path: Path, dtype: str, has_mask: bool
) -> None:
    whole = RANDOM.integers(0, 250, (2, 150, 90)).astype(dtype)
    if dtype == "float32":
        whole[0, 70, 3:9] = np.nan
    real = RANDOM.random((150, 90)) < 0.8
    profile = RasterProfile(
        height=150, width=90, count=2, dtype=dtype, has_mask=has_mask, nodata=None, block=64
    )

    def make(window: Window) -> tuple[strips.Pixels, strips.Valid | None]:
        masked = has_mask and window.row >= 64  # above it every pixel is real
        return whole[:, *window.slices], real[window.slices] if masked else None

    items = []
    for number, window in enumerate(strips.cut(150, 90, 64)):
        item = Item("x", (), tmp_path / "new" / f"{number}.tif", strip=window)
        made = ((part, *make(part)) for part in strips.squares(window, 64))
        strips.write(item.output, window, profile, made)
        items.append(item)
    read = strips.reader(items, profile)
    expected = np.where(np.arange(150)[:, None] < 64, True, real)
    for window in (Window(0, 0, 150, 90), Window(60, 5, 70, 11), Window(149, 89, 1, 1)):
        pixels, valid = read(window)
        assert pixels.dtype == whole.dtype
        np.testing.assert_array_equal(pixels, whole[:, *window.slices])
        if has_mask:
            np.testing.assert_array_equal(valid, expected[window.slices])
        else:
            assert valid is None
    items[1].output.unlink()
    with pytest.raises(ItemError):
        read(Window(60, 5, 70, 11))
