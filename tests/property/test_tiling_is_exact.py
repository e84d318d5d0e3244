"""A sweep equals the whole image bit for bit, whatever the tile: the promise of resattn.tiling."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from resattn.tiling import Grid, sweep


def box_sum(image: np.ndarray, radius: int) -> np.ndarray:
    """Zero-padded sum over (2r+1)², in int64: exact, so any difference is the tiling's."""
    padded = np.pad(image, ((0, 0), (radius, radius), (radius, radius)))
    height, width = image.shape[-2:]
    return sum(
        padded[:, row : row + height, col : col + width]
        for row in range(2 * radius + 1)
        for col in range(2 * radius + 1)
    )


def window_sum(image: np.ndarray, side: int) -> np.ndarray:
    """Each pixel gets the sum of its own cell of a fixed grid, as window attention would."""
    height, width = image.shape[-2:]
    grown = np.pad(image, ((0, 0), (0, -height % side), (0, -width % side)))
    bands, rows, cols = grown.shape
    cells = grown.reshape(bands, rows // side, side, cols // side, side).sum(axis=(2, 4))
    return np.repeat(np.repeat(cells, side, 1), side, 2)[:, :height, :width]


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.integers(1, 24),
    radius=st.integers(0, 5),
)
def test_g7_a_local_filter(height: int, width: int, size: int, radius: int) -> None:
    image = np.random.default_rng(height * width).integers(0, 999, (2, height, width))
    out = np.full_like(image, -1)
    grid = Grid(height, width, size, halo=radius)
    for window, block in sweep(
        grid, lambda w: image[(..., *w.slices)], lambda b: box_sum(b, radius)
    ):
        out[(..., *window.slices)] = block
    np.testing.assert_array_equal(out, box_sum(image, radius))


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    steps=st.integers(1, 4),
    side=st.integers(1, 7),
    radius=st.integers(0, 3),
)
def test_g7_a_filter_on_a_fixed_grid_then_a_local_one(
    height: int, width: int, steps: int, side: int, radius: int
) -> None:
    image = np.random.default_rng(height + width).integers(0, 999, (1, height, width))

    def both(block: np.ndarray) -> np.ndarray:
        return box_sum(window_sum(block, side), radius)

    out = np.full_like(image, -1)
    grid = Grid(height, width, steps * side, halo=radius, align=side)
    for window, block in sweep(grid, lambda w: image[(..., *w.slices)], both):
        out[(..., *window.slices)] = block
    np.testing.assert_array_equal(out, both(image))


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    size=st.integers(1, 12),
    scale=st.integers(1, 4),
)
def test_g7_enlarging(height: int, width: int, size: int, scale: int) -> None:
    image = np.random.default_rng(height * width).integers(0, 999, (height, width))

    def enlarge(block: np.ndarray) -> np.ndarray:
        return np.repeat(np.repeat(block, scale, -2), scale, -1)

    out = np.full((height * scale, width * scale), -1)
    for window, block in sweep(
        Grid(height, width, size), lambda w: image[w.slices], enlarge, scale=scale
    ):
        assert (out[window.slices] == -1).all()
        out[window.slices] = block
    np.testing.assert_array_equal(out, enlarge(image))


@given(
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    steps=st.integers(1, 5),
    halo=st.integers(0, 9),
    align=st.integers(1, 6),
)
def test_tiles_cover_every_pixel_once_and_stay_inside(
    height: int, width: int, steps: int, halo: int, align: int
) -> None:
    grid = Grid(height, width, steps * align, halo, align)
    counts = np.zeros((height, width), int)
    for tile in grid:
        counts[tile.inner.slices] += 1
        assert tile.outer.intersection(tile.inner) == tile.inner
        assert tile.outer.row % align == tile.outer.col % align == 0
        assert tile.outer.row >= 0
        assert tile.outer.col >= 0
        assert tile.outer.bottom <= height
        assert tile.outer.right <= width
        assert tile.inner.row - tile.outer.row >= min(halo, tile.inner.row)
        assert tile.outer.bottom - tile.inner.bottom >= min(halo, height - tile.inner.bottom)
    assert (counts == 1).all()
    assert counts.size
    assert len(grid) == sum(1 for _ in grid)
