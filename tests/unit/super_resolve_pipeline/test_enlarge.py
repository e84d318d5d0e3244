"""Cells, halos, turns and exact sizes, against the network run on the whole image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from resattn.models.descriptor import ModelDescriptor
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.tiling import Window
from resattn.upscale.enlarge import Enlarger, enlarged_size
from resattn.upscale.network import Network, nearest_factor
from resattn.upscale.resize import Resampler
from resattn.upscale.turns import ALL_EIGHT

CPU = torch.device("cpu")
RANDOM = np.random.default_rng(0)


def gated(scale):
    torch.manual_seed(scale)
    model = GatedSr(GatedSrConfig(scale=scale, dim=8, blocks=1))
    facts = ModelDescriptor(f"tiny.x{scale}", 3, 3, scale, radius=model.radius, tiling="exact")
    return Network(model, facts, CPU)


class WindowMean(nn.Module):
    """Adds to each pixel the mean of its 4 × 4 window, counted from the image's own corner."""

    def forward(self, x):
        mean = F.avg_pool2d(x, 4)
        return F.interpolate(x + F.interpolate(mean, scale_factor=4), scale_factor=2)


def window_mean():
    facts = ModelDescriptor("mean", 3, 3, 2, multiple=4, radius=3, grid=(4, 4), tiling="exact")
    return Network(WindowMean(), facts, CPU)


def enlarge(enlarger, image, tile=0):
    out = np.full((3, enlarger.height, enlarger.width), np.nan, np.float32)
    for window in enlarger.windows(tile):
        for cell in enlarger.cells(window.inner):
            part = (slice(None), *cell.slices)
            assert np.isnan(out[part]).all()
            out[part] = enlarger.compute(cell, lambda w: image[(slice(None), *w.slices)])
    assert np.isfinite(out).all()
    return out


def picture(height, width):
    return np.random.default_rng(height * 100 + width).random((3, height, width), np.float32)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([16, 32, 48]))
@settings(max_examples=20, deadline=None)
def test_cells_give_the_network_s_output_on_the_whole_image(height, width, side):
    network, image = gated(4), picture(height, width)
    enlarger = Enlarger(height, width, 4, network, largest=side)
    assert enlarger.side == side
    np.testing.assert_allclose(enlarge(enlarger, image), network(image), atol=2e-6)


@given(
    st.integers(1, 20), st.integers(1, 20), st.floats(1, 7), st.sampled_from([16, 64]),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_any_scale_is_the_whole_output_resampled(height, width, scale, side, ensemble):
    network, image = gated(4), picture(height, width)
    enlarger = Enlarger(height, width, scale, network, largest=side, ensemble=ensemble)
    turns = ALL_EIGHT if ensemble else ALL_EIGHT[:1]
    whole = np.mean([turn.undo(network(turn.apply(image))) for turn in turns], axis=0)
    size = enlarged_size(height, width, scale)
    expected = Resampler(whole.shape[1:], size).apply(whole, Window(0, 0, *size))
    np.testing.assert_allclose(enlarge(enlarger, image), expected, atol=5e-6)


@pytest.mark.parametrize("tile", [1, 128, 300, 10_000])
def test_the_windows_taken_at_once_change_no_bit(tile):
    image = picture(50, 70)
    enlarger = Enlarger(50, 70, 3.3, gated(4), largest=48)
    np.testing.assert_array_equal(enlarge(enlarger, image, tile), enlarge(enlarger, image))


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("size", [(32, 40), (37, 41)])
def test_models_with_windows_see_them_at_the_image_s_own_places(size, ensemble):
    network, image = window_mean(), picture(*size)
    turns = ALL_EIGHT if ensemble else ALL_EIGHT[:1]
    expected = np.mean([turn.undo(network(turn.apply(image))) for turn in turns], axis=0)
    enlarger = Enlarger(*size, 2, network, largest=16, ensemble=ensemble)
    np.testing.assert_allclose(enlarge(enlarger, image), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("scale", "available", "chosen"),
    [
        (1.0, [2, 3, 4], 2),
        (2.0, [4, 3, 2], 2),
        (2.1, [2, 3, 4], 3),
        (3.0, [4], 4),
        (4.0, [2, 4], 4),
        (8.0, [2, 4, 3], 4),
    ],
)
def test_the_nearest_sufficient_network_is_chosen(scale, available, chosen):
    assert nearest_factor(scale, available) == chosen


def test_reductions_are_refused():
    for scale in (0.99, math.nan):
        with pytest.raises(ValueError, match="at least 1"):
            Enlarger(4, 4, scale, gated(4))


@given(st.integers(1, 5000), st.floats(1, 8))
def test_sizes_are_rounded_to_the_nearest_pixel(length, scale):
    (found, _) = enlarged_size(length, 1, scale)
    assert abs(found - length * scale) <= 0.5 + 1e-6
    assert math.isclose(scale, 1) or found >= length


def test_the_largest_cell_is_bounded_by_what_it_may_hold():
    assert Enlarger(9999, 9999, 4, gated(4)).side == 1024
    assert Enlarger(9999, 9999, 4, gated(4), largest=300).side == 256
    assert Enlarger(9999, 9999, 4, gated(4), largest=5).side == 16
