"""Windows, grids and the sweep: geometry by hand, exactness in tests/property."""

from __future__ import annotations

import doctest
import logging

import numpy as np
import pytest

import resattn.tiling
from resattn.errors import ResourceError
from resattn.tiling import SPLITS, Grid, Tile, Window, fit_size, sweep, tiles


def test_windows_index_grow_and_intersect() -> None:
    window = Window(2, 3, 4, 5)
    assert (window.bottom, window.right) == (6, 8)
    assert window.slices == (slice(2, 6), slice(3, 8))
    assert window.grown(1) == Window(1, 2, 6, 7)
    assert window.scaled(3) == Window(6, 9, 12, 15)
    assert window.relative_to(Window(1, 1, 9, 9)) == Window(1, 2, 4, 5)
    assert window.intersection(Window(5, 0, 9, 4)) == Window(5, 3, 1, 1)
    assert window.intersection(Window(6, 0, 9, 9)) is None


@pytest.mark.parametrize(("height", "width"), [(0, 1), (1, 0), (-2, 3)])
def test_an_empty_window_is_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{height}×{width}"):
        Window(0, 0, height, width)


def test_tiles_run_row_by_row_and_are_cut_at_the_border() -> None:
    assert [tile.inner for tile in tiles(5, 7, 4)] == [
        Window(0, 0, 4, 4),
        Window(0, 4, 4, 3),
        Window(4, 0, 1, 4),
        Window(4, 4, 1, 3),
    ]
    assert len(Grid(5, 7, 4)) == 4


def test_the_halo_is_rounded_up_to_the_grid_and_cut_at_the_border() -> None:
    found = list(tiles(20, 64, 16, halo=5, align=8))
    assert found[1] == Tile(Window(0, 16, 16, 16), Window(0, 8, 20, 32))
    assert found[1].crop() == (slice(0, 16), slice(8, 24))
    assert found[1].crop(2) == (slice(0, 32), slice(16, 48))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, 4, 4), "at least 1"), ((4, 4, 4, -1), "halo"), ((9, 9, 12, 0, 8), "multiple of align 8")],
)
def test_grids_that_cannot_be_exact_are_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Grid(*arguments)


def test_splitting_covers_the_tile_with_aligned_quarters() -> None:
    grid = Grid(64, 64, 32, halo=4, align=8)
    tile = list(grid)[3]
    parts = grid.split(tile)
    assert [part.inner for part in parts] == [
        Window(32, 32, 16, 16),
        Window(32, 48, 16, 16),
        Window(48, 32, 16, 16),
        Window(48, 48, 16, 16),
    ]
    assert parts[0].outer == Window(24, 24, 32, 32)
    assert grid.split(Tile(Window(0, 0, 8, 8), Window(0, 0, 16, 16))) == []


def test_a_tile_side_fits_the_budget_and_the_next_one_does_not() -> None:
    size = fit_size(10_000_000, 40, halo=10, align=16)
    assert size % 16 == 0
    assert (size + 32) ** 2 * 40 <= 10_000_000 < (size + 16 + 32) ** 2 * 40
    assert fit_size(10**12, 1, align=7, largest=100) == 98


def test_a_budget_too_small_for_one_tile_names_both_numbers() -> None:
    with pytest.raises(ResourceError, match=r"needs 6\.4 MB, the budget is 1\.0 MB") as caught:
        fit_size(1_000_000, 100, halo=120, align=12)
    assert caught.value.code == "E501"
    with pytest.raises(ValueError, match="positive"):
        fit_size(1, 0)


def test_a_sweep_halves_tiles_that_do_not_fit(caplog: pytest.LogCaptureFixture) -> None:
    image = np.arange(30 * 41, dtype=np.float32).reshape(1, 30, 41)
    shapes = []

    def hungry(block: np.ndarray) -> np.ndarray:
        if block.shape[-1] > 12:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")
        shapes.append(block.shape)
        return block + 1

    out = np.zeros_like(image)
    with caplog.at_level(logging.WARNING):
        for window, block in sweep(Grid(30, 41, 16), lambda w: image[(..., *w.slices)], hungry):
            out[(..., *window.slices)] += block
    np.testing.assert_array_equal(out, image + 1)
    assert max(shape[-1] for shape in shapes) <= 12
    assert "halving" in caplog.text


def test_a_sweep_gives_up_with_the_size_after_some_halvings() -> None:
    tried = []

    def never(block: np.ndarray) -> np.ndarray:
        tried.append(block.shape)
        raise MemoryError

    with pytest.raises(ResourceError, match="4×4 pixels") as caught:
        next(sweep(Grid(64, 64, 64), lambda w: np.zeros((w.height, w.width)), never))
    assert caught.value.code == "E501"
    assert len(tried) == SPLITS + 1


def test_other_errors_of_the_function_pass_through() -> None:
    def broken(block: np.ndarray) -> np.ndarray:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        next(sweep(Grid(4, 4, 4), lambda w: np.zeros((4, 4)), broken))


def test_a_function_that_changes_the_size_is_caught() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\), expected \(4, 4\)"):
        next(sweep(Grid(4, 4, 4), lambda w: np.zeros((4, 4)), lambda block: block[1:]))


def test_the_examples_in_the_docstrings_are_true() -> None:
    result = doctest.testmod(resattn.tiling)
    assert result.attempted > 0
    assert result.failed == 0
