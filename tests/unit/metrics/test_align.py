"""The search for band shifts: what it skips must not matter."""

import numpy as np
import pytest
from scipy import ndimage

from resattn.metrics import align
from resattn.metrics.align import register
from resattn.metrics.consistency import observe
from resattn.metrics.observe import Observer

SIDE = 272  # every fourth pixel is looked at first from 256 on


@pytest.fixture
def pair(rng):
    """PAN, three bands of it at known shifts under noise, and the camera."""
    fine = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 1.5)
    pan = 500 + 800 * fine
    truth = ((1.0, -0.5), (-2.0, 1.5), (0.5, 0.5))
    observer = Observer.of_toolbox((SIDE, SIDE), 4, (0.3,) * 3, *truth)
    ms, _ = observe(np.stack([pan, 0.5 * pan, 2 * pan]), observer)
    return observer, pan, ms + rng.normal(0, 0.2 * ms.std(), ms.shape), truth


def test_every_fourth_pixel_leads_to_the_shifts_of_all(pair, monkeypatch):
    observer, pan, ms, truth = pair
    compared = []
    correlate = align.correlate
    monkeypatch.setattr(align, "correlate", lambda *a: compared.append(1) or correlate(*a))
    thinned = register(observer, pan, ms, pan_gain=0.15).shifts
    few = len(compared)
    monkeypatch.setattr(align, "_LEAST_THINNED", SIDE + 1)
    assert register(observer, pan, ms, pan_gain=0.15).shifts == thinned == truth
    assert few < 3 * 20
    assert len(compared) - few == 3 * 81


def test_thinned_sums_are_those_of_the_window(rng):
    image = rng.normal(size=(37, 42))
    whole = align.box_sum(image, 7, 8)[align._THINNED, align._THINNED]
    thin = align.box_sum(align._fours(image), 1, 2)
    # The last row and column of fours are cut where the image is no multiple of four.
    np.testing.assert_allclose(thin[:-3, :-3], whole[:-3, :-3], rtol=1e-9)
