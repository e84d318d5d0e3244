"""A scene read by windows scores as the whole, nodata and odd sizes included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from resattn.fusion.geometry import GridMap
from resattn.metrics.consistency import observe
from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer
from resattn.metrics.scene import scene_full, scene_reduced


def reader(image, valid):
    """Windows of an array; reading outside is an error, junk lies under the mask."""

    def read(window):
        assert window.row >= 0
        assert window.col >= 0
        part = image[..., *window.slices].copy()
        assert part.shape[-2:] == (window.height, window.width)
        mask = valid[window.slices]
        part[..., ~mask] = np.nan
        return part, mask

    return read


@pytest.fixture
def valid(rng):
    mask = np.ones((203, 170), dtype=bool)
    mask[60:110, 100:] = False
    mask[rng.random(mask.shape) < 0.002] = False
    return mask


@pytest.mark.parametrize("size", [32, 96, 1024])
def test_reduced_scores_equal_those_of_the_whole(make_pair, valid, size):
    fused, reference = make_pair(3, *valid.shape)
    everywhere = np.ones(valid.shape, dtype=bool)
    ours = scene_reduced(
        reader(fused, everywhere),
        reader(reference, valid),
        valid.shape,
        ratio=4,
        peak=2047,
        size=size,
    )
    whole = evaluate_reduced(fused, reference, ratio=4, peak=2047, valid=valid)
    assert ours == pytest.approx({name: whole[name] for name in ours}, rel=1e-12)


@pytest.mark.parametrize("size", [64, 100, 1024])
def test_full_scores_equal_those_of_the_whole(rng, valid, size):
    pan = 700 + 900 * ndimage.gaussian_filter(rng.normal(0, 1, valid.shape), 1.5)
    fused = np.stack([0.7 * pan + 100, 1.1 * pan[::-1] + 50])
    grid = GridMap(*valid.shape, 80, 67, 2.5, 2.5, 0.8, 0.6)
    observer = Observer(grid, (0.3, 0.36), ((0.5, 0.0), (-1.5, 1.0)))
    ms, ms_valid = observe(fused, observer, valid=valid)
    ms += rng.normal(0, 9, ms.shape)
    ms_valid[:5] = False
    ours = scene_full(
        reader(fused, valid), reader(pan, valid), reader(ms, ms_valid), observer, size=size
    )
    whole = evaluate_full(fused, pan, ms, observer, valid=valid, ms_valid=ms_valid)
    assert ours == pytest.approx({name: whole[name] for name in ours}, rel=1e-12)
