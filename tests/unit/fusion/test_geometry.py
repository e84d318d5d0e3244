"""Grid maps from georeferences and sizes, against positions worked out by hand."""

import math

import numpy as np
import pytest

from resattn.errors import ItemError
from resattn.fusion.geometry import ImageGrid, match
from resattn.tiling import Window


def at(x, y, size):
    return (size, 0.0, x, 0.0, -size, y)


def test_common_corner_puts_samples_at_footprint_centres():
    grid = match(ImageGrid(400, 600, at(0, 0, 0.5)), ImageGrid(100, 150, at(0, 0, 2.0)))
    assert (grid.scale_y, grid.scale_x, grid.offset_y, grid.offset_x) == (4, 4, 1.5, 1.5)
    assert grid.overlap == Window(0, 0, 400, 600)
    assert grid.source == "georeference"


def test_landsat_grids_are_half_a_ms_pixel_apart():
    pan = ImageGrid(82, 82, at(483277.5, 5628517.5, 15))
    ms = ImageGrid(41, 41, at(483285.0, 5628525.0, 30))
    grid = match(pan, ms)
    # MS sample 0 is at (483300, 5628510): 1.5 PAN pixels right of the PAN corner, 0.5 below it.
    assert grid.offset_x == pytest.approx(1.0)
    assert grid.offset_y == pytest.approx(0.0)
    assert grid.ratio == 2.0
    assert grid.overlap == Window(0, 0, 82, 82)


def test_an_inset_ms_covers_part_of_pan():
    pan = ImageGrid(575, 580, at(400429.8, 4217661.9, 0.3))
    ms = ImageGrid(143, 144, at(400430.4, 4217661.6, 1.2))
    grid = match(pan, ms)
    assert grid.offset_x == pytest.approx(3.5, abs=1e-6)
    assert grid.offset_y == pytest.approx(2.5, abs=1e-6)
    assert grid.overlap == Window(1, 2, 572, 576)


def test_positions_and_back():
    grid = match(ImageGrid(101, 90, at(7, 9, 1.0)), ImageGrid(40, 36, at(6, 10, 2.6)))
    samples = np.arange(40.0)
    np.testing.assert_allclose(grid.ms_rows(grid.pan_rows(samples)), samples)
    np.testing.assert_allclose(grid.ms_cols(grid.pan_cols(samples)), samples)
    assert grid.ratio == pytest.approx(2.6)


def test_a_common_rotation_is_no_rotation():
    turn = math.radians(20)
    a, b = math.cos(turn), math.sin(turn)
    pan = ImageGrid(400, 400, (a, b, 10, b, -a, 20))
    ms = ImageGrid(100, 100, (4 * a, 4 * b, 10, 4 * b, -4 * a, 20))
    grid = match(pan, ms)
    assert (grid.scale_y, grid.scale_x) == (pytest.approx(4), pytest.approx(4))
    assert grid.offset_x == pytest.approx(1.5)


def test_sizes_near_a_whole_ratio_mean_that_ratio():
    grid = match(ImageGrid(509, 519), ImageGrid(255, 259))
    assert (grid.scale_y, grid.scale_x, grid.offset_y) == (2, 2, 0.5)
    assert grid.source == "size"


def test_other_sizes_mean_equal_extents():
    grid = match(ImageGrid(500, 750), ImageGrid(200, 300))
    assert (grid.scale_y, grid.offset_y) == (2.5, 0.75)
    assert grid.overlap == Window(0, 0, 500, 750)


def test_a_missing_georeference_falls_back_to_sizes():
    grid = match(ImageGrid(400, 400, at(0, 0, 1)), ImageGrid(100, 100))
    assert grid.source == "size"


def test_shifted_moves_the_samples():
    grid = match(ImageGrid(400, 400), ImageGrid(100, 100)).shifted(0.5, -1.0)
    assert (grid.offset_y, grid.offset_x) == (2.0, 0.5)


def test_samples_outside_pan_are_not_in_the_overlap():
    grid = match(ImageGrid(40, 40, at(30, -30, 1.0)), ImageGrid(100, 100, at(0, 0, 4.0)))
    # PAN covers metres 30 to 70: MS centres 2, 6, … 398 inside are 30 (index 7) to 70 (index 17).
    assert grid.ms_overlap == Window(7, 7, 11, 11)
    assert grid.overlap == Window(0, 0, 40, 40)


@pytest.mark.parametrize(
    ("pan", "ms", "code", "text"),
    [
        (ImageGrid(100, 100, at(0, 0, 4)), ImageGrid(400, 400, at(0, 0, 1)), "E320", "4 times"),
        (ImageGrid(100, 100), ImageGrid(400, 400), "E320", "swapped"),
        (ImageGrid(400, 400, at(0, 0, 1), "EPSG:32632"),
         ImageGrid(100, 100, at(0, 0, 4), "EPSG:32633"), "E321", "EPSG:32632.*EPSG:32633"),
        (ImageGrid(400, 400, at(0, 0, 1)), ImageGrid(100, 100, at(900, 0, 4)), "E322", "902 col"),
        (ImageGrid(400, 400, at(0, 0, 1)), ImageGrid(400, 400, at(0, 0, 1)), "E323", "1"),
        (ImageGrid(800, 800, at(0, 0, 1)), ImageGrid(100, 100, at(0, 0, 8)), "E323", "6.5"),
        (ImageGrid(400, 400, at(0, 0, 1)), ImageGrid(100, 50, (8, 0, 0, 0, -4, 0)), "E323", "8"),
        (ImageGrid(400, 400, at(0, 0, 1)), ImageGrid(100, 100, (4, 0.2, 0, 0.2, -4, 0)),
         "E324", "rotated"),
        (ImageGrid(400, 400, at(0, 0, 1)), ImageGrid(100, 100, (4, 0, 0, 0, 4, 0)),
         "E324", "flipped"),
        (ImageGrid(400, 400, (0, 0, 0, 0, 0, 0)), ImageGrid(100, 100, at(0, 0, 4)),
         "E324", "no inverse"),
        (ImageGrid(400, 400), ImageGrid(100, 70), "E325", "ratio 4.000 down but 5.714 across"),
    ],
)  # fmt: skip
def test_f16_pairs_that_do_not_fit_are_refused(pan, ms, code, text):
    with pytest.raises(ItemError, match=text) as caught:
        match(pan, ms)
    assert caught.value.code == code
    assert caught.value.hint
