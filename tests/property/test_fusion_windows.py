"""Whatever the geometry, masks and method: windows equal the whole, nodata stays where it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.fusion.classical import METHODS, fit
from resattn.fusion.geometry import GridMap
from resattn.fusion.pyramid import Optics
from resattn.fusion.scene import from_arrays
from resattn.tiling import Window

shifts = st.floats(-3, 3)


@st.composite
def scenes(draw):
    """A scene of any ratio and placement whose images overlap by at least a pixel."""
    pan_shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    ms_shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    ratio = draw(st.floats(1.5, 6.5))
    offsets = [
        draw(st.floats(-ratio * (coarse - 1), float(fine - 1)))
        for fine, coarse in zip(pan_shape, ms_shape, strict=True)
    ]
    bands = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    pan = rng.uniform(0, 2047, pan_shape).astype(np.float32)
    ms = rng.uniform(0, 2047, (bands, *ms_shape)).astype(np.float32)
    pan[rng.random(pan_shape) < draw(st.sampled_from([0, 0.1, 0.6]))] = np.nan
    ms[:, rng.random(ms_shape) < draw(st.sampled_from([0, 0.1, 0.6]))] = np.nan
    grid = GridMap(*pan_shape, *ms_shape, ratio, ratio, *offsets)
    moved = tuple((draw(shifts), draw(shifts)) for _ in range(bands))
    softness = draw(st.sampled_from([None, 0.8]))
    gains = (0.3,) * bands if softness is None else (1.0,) * bands
    return from_arrays(pan, ms, grid), Optics(gains, moved, softness)


@st.composite
def parts(draw, grid):
    row, col = draw(st.integers(0, grid.pan_height - 1)), draw(st.integers(0, grid.pan_width - 1))
    height = draw(st.integers(1, grid.pan_height - row))
    return Window(row, col, height, draw(st.integers(1, grid.pan_width - col)))


@settings(max_examples=30)
@given(st.data(), scenes(), st.sampled_from(sorted(METHODS)), st.sampled_from([0.0, 0.5, 1.0]))
def test_g7_windows_equal_the_whole(data, pair, method, consistency):
    scene, optics = pair
    whole = Window(0, 0, scene.grid.pan_height, scene.grid.pan_width)
    pan, pan_valid = scene.read_pan(whole)
    exp = fit("exp", scene, optics)
    covered = exp.apply(scene, whole)[1] & pan_valid
    if not covered.any():
        return  # fit refuses such a scene: tests/unit/fusion/test_classical.py
    model = fit(method, scene, optics, consistency=consistency)
    fused, valid = model.apply(scene, whole)
    assert fused.shape == (scene.bands, *pan.shape)
    assert np.isfinite(fused).all()
    assert (fused[:, ~valid] == 0).all()
    assert valid.sum() >= covered.sum()
    window = data.draw(parts(scene.grid))
    part, part_valid = model.apply(scene, window)
    np.testing.assert_array_equal(part, fused[:, *window.slices])
    np.testing.assert_array_equal(part_valid, valid[window.slices])
