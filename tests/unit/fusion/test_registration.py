"""Shifts put into simulated scenes are measured, and used, and doubtful bands follow the others."""

import numpy as np
import pytest

from resattn.fusion import registration
from resattn.fusion.scene import from_arrays


@pytest.mark.parametrize("ratio", [2.0, 4.0, 3.3])
def test_known_shifts_are_found_to_a_quarter_pixel(simulate, ratio):
    shifts = ((0.0, 0.0), (1.5, -0.5), (-0.8, 1.2))
    simulated = simulate(160, 160, 3, ratio, shifts=shifts)
    measured = registration.measure(simulated.scene, 0.3)
    np.testing.assert_allclose(measured.shifts, shifts, atol=0.25)
    assert all(measured.measured)
    assert measured.correlations[1] > measured.nominal[1] + 0.02


def test_a_band_against_pan_is_registered_all_the_same(simulate):
    simulated = simulate(160, 160, 3, shifts=((1.0, -1.0),) * 3)
    ms = simulated.ms.copy()
    ms[1] = 3000 - 2 * ms[1]
    measured = registration.measure(from_arrays(simulated.pan, ms, simulated.grid), 0.3)
    np.testing.assert_allclose(measured.shifts[1], (1.0, -1.0), atol=0.25)
    assert measured.correlations[1] < 0


def test_a_band_of_noise_takes_the_median_of_the_others(simulate):
    simulated = simulate(160, 160, 3, shifts=((1.0, 0.5),) * 3)
    ms = simulated.ms.copy()
    ms[2] = np.random.default_rng(0).normal(500, 50, ms[2].shape)
    measured = registration.measure(from_arrays(simulated.pan, ms, simulated.grid), 0.3)
    assert measured.measured == (True, True, False)
    expected = np.median(np.array(measured.shifts[:2]), axis=0)
    np.testing.assert_allclose(measured.shifts[2], expected)


def test_a_shift_beyond_the_search_is_not_claimed(simulate):
    simulated = simulate(160, 160, 2, shifts=((9.0, 0.0),) * 2)
    measured = registration.measure(simulated.scene, 0.3)
    assert measured.measured == (False, False)
    assert measured.shifts == ((0.0, 0.0),) * 2


def test_nodata_and_flat_ground_do_not_decide(simulate):
    simulated = simulate(160, 160, 2, shifts=((1.0, -0.5),) * 2)
    ms_valid = np.ones(simulated.ms.shape[1:], bool)
    ms_valid[:15] = False
    pan = simulated.pan.copy()
    pan[:, 120:] = 500
    ms = np.where(ms_valid, simulated.ms, np.float32(-32768))
    ms[:, :, 30:] = 400
    measured = registration.measure(from_arrays(pan, ms, simulated.grid, ms_valid=ms_valid), 0.3)
    np.testing.assert_allclose(measured.shifts, simulated.optics.shifts, atol=0.25)


@pytest.mark.parametrize("value", [0.0, 700.0])
def test_a_scene_without_texture_has_no_shift(simulated, value):
    flat = from_arrays(
        np.full_like(simulated.pan, value), np.full_like(simulated.ms, value), simulated.grid
    )
    measured = registration.measure(flat, 0.3)
    assert measured.shifts == ((0.0, 0.0),) * 4
    assert measured.measured == (False,) * 4
    assert measured.correlations == (0.0,) * 4


def test_the_vertex_of_a_parabola():
    x = np.array([-1.0, 0.0, 1.0])
    assert registration.vertex(5 - (x - 0.3) ** 2) == pytest.approx(0.3)
    assert registration.vertex(np.array([1.0, 1.0, 1.0])) == 0.0


def test_bands_next_to_the_common_shift_share_it(simulate):
    simulated = simulate(160, 160, 3, shifts=((1.0, 0.5), (1.1, 0.45), (0.9, 0.55)))
    measured = registration.measure(simulated.scene, 0.3)
    assert len(set(measured.shifts)) == 1
    np.testing.assert_allclose(measured.shifts[0], (1.0, 0.5), atol=0.15)


def test_the_common_shift_is_the_median_of_measured_bands():
    measured = registration.Registration(
        ((1.0, 0.0), (2.0, 1.0), (9.0, 9.0), (3.0, 4.0)),
        (0.9,) * 4,
        (0.8,) * 4,
        (True, True, False, True),
    )
    assert measured.common == (2.0, 1.0)
