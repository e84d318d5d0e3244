"""Bands returned to where the MS product has them."""

from __future__ import annotations

import numpy as np
from net_scenes import Sample, make
from scipy.ndimage import shift as moved

from resattn.fusion import classical
from resattn.fusion.delivered import Delivered
from resattn.fusion.pyramid import Optics
from resattn.fusion.scene import from_arrays
from resattn.metrics.ergas import ergas
from resattn.tiling import Window


def test_whole_shifts_move_pixels_exactly() -> None:
    sample = make(optics=Optics((0.3,) * 3, ((0.0, 0.0), (-2.0, 1.0), (1.0, 0.0))))
    start = sample.start()
    fused, _ = start.apply(sample.scene, sample.whole)
    placed, valid = Delivered(start).apply(sample.scene, sample.whole)
    assert valid.all()
    np.testing.assert_array_equal(placed[0], fused[0])
    np.testing.assert_array_equal(placed[1, 2:, :-1], fused[1, :-2, 1:])
    np.testing.assert_array_equal(placed[2, :-1], fused[2, 1:])


def test_it_is_nearer_to_a_truth_that_lies_as_delivered(sample: Sample) -> None:
    start = sample.start(1.0)
    truth = np.stack(
        [
            moved(band, (-dy, -dx), order=5, mode="nearest")
            for band, (dy, dx) in zip(sample.truth, sample.optics.shifts, strict=True)
        ]
    )
    registered, _ = start.apply(sample.scene, sample.whole)
    placed, _ = Delivered(start).apply(sample.scene, sample.whole)
    assert ergas(placed, truth, ratio=4) < 0.8 * ergas(registered, truth, ratio=4)


def test_windows_equal_the_image(sample: Sample) -> None:
    fuser = Delivered(sample.start(1.0))
    whole, _ = fuser.apply(sample.scene, sample.whole)
    for window in (Window(0, 0, 17, 64), Window(17, 20, 47, 30)):
        part, _ = fuser.apply(sample.scene, window)
        np.testing.assert_array_equal(part, whole[:, *window.slices])


def test_invalid_pixels_reach_no_valid_one(sample: Sample) -> None:
    valid = np.ones((64, 64), bool)
    valid[30:34, 30:34] = False
    results = []
    for value in (0.0, 30_000.0):
        pan = np.where(valid, sample.pan, np.float32(value))
        scene = from_arrays(pan, sample.ms, sample.scene.grid, pan_valid=valid)
        start = classical.fit("mtf-glp-fs", scene, sample.optics)
        fused, known = Delivered(start).apply(scene, sample.whole)
        assert not known[30:34, 30:34].any()
        assert (fused[:, ~known] == 0).all()
        results.append(fused)
    np.testing.assert_array_equal(results[0], results[1])
