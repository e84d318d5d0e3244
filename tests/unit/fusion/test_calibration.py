"""The camera's low-pass is told from plain decimation, and a decimated pair fused accordingly."""

import numpy as np
import pytest

from resattn.fusion.calibration import calibrate, measure_response
from resattn.fusion.classical import fit
from resattn.fusion.mtf import blur
from resattn.fusion.pyramid import POINT, Optics
from resattn.fusion.scene import from_arrays


@pytest.mark.parametrize("gain", [0.2, 0.35, 0.5])
def test_the_gain_of_a_camera_is_measured(simulate, gain):
    simulated = simulate(192, 192, 4, gain=gain)
    response = measure_response(simulated.scene, 0.3, (0.0, 0.0))
    assert response.gain == pytest.approx(gain, abs=0.08)
    assert response.explained >= response.assumed - 1e-3
    assert not response.decimated


def decimated_pair(simulated):
    """MS thinned out from soft bands without a low-pass; PAN stays sharp."""
    soft = np.stack([blur(band, 0.8, 4) for band in simulated.truth])
    return soft, from_arrays(simulated.pan, soft[:, 1::4, 1::4], simulated.grid.shifted(-0.5, -0.5))


def test_a_decimated_pair_is_recognised_and_softened(simulate):
    soft, scene = decimated_pair(simulate(192, 192, 4))
    calibration = calibrate(scene, (0.3,) * 4)
    assert calibration.response.decimated
    assert calibration.optics.ms_gains == (POINT,) * 4
    assert calibration.optics.softness == pytest.approx(0.8, abs=0.06)
    errors = {}
    for name, optics in {
        "camera": Optics.of((0.3,) * 4),
        "measured": calibration.optics,
    }.items():
        fused, _ = fit("mtf-glp", scene, optics).apply(scene, scene.grid.overlap)
        errors[name] = float(np.sqrt(np.mean((fused - soft) ** 2)))
    exp, _ = fit("exp", scene, calibration.optics).apply(scene, scene.grid.overlap)
    assert errors["measured"] < 0.5 * errors["camera"]
    assert errors["measured"] < 0.8 * float(np.sqrt(np.mean((exp - soft) ** 2)))


def test_camera_optics_carry_the_table_gains_and_the_measured_shifts(simulate):
    simulated = simulate(160, 160, 3, shifts=((1.0, -0.5),) * 3)
    calibration = calibrate(simulated.scene, (0.25, 0.3, 0.35))
    assert calibration.optics.ms_gains == (0.25, 0.3, 0.35)
    assert calibration.optics.softness is None
    np.testing.assert_allclose(calibration.optics.shifts, simulated.optics.shifts, atol=0.25)


def test_consistency_is_trusted_as_far_as_the_bands_explain_pan(simulate):
    simulated = simulate(160, 160, 3)
    noise = np.random.default_rng(0).normal(0, 60, simulated.ms.shape).astype(np.float32)
    noisy = from_arrays(simulated.pan, simulated.ms + noise, simulated.grid)
    good, poor = (calibrate(scene, (0.3,) * 3) for scene in (simulated.scene, noisy))
    assert good.consistency == pytest.approx(1 / (1 + 40 * (1 - good.response.assumed)))
    assert 0 < poor.consistency < 0.5 < good.consistency <= 1


def test_registration_can_be_left_out_and_is_still_reported(simulate):
    simulated = simulate(160, 160, 2, shifts=((1.0, -0.5),) * 2)
    calibration = calibrate(simulated.scene, (0.3,) * 2, register=False)
    assert calibration.optics.shifts == ((0.0, 0.0),) * 2
    np.testing.assert_allclose(calibration.registration.shifts, simulated.optics.shifts, atol=0.25)


def test_a_flat_scene_is_taken_for_a_camera_scene(simulated):
    flat = from_arrays(
        np.full_like(simulated.pan, 500), np.full_like(simulated.ms, 300), simulated.grid
    )
    calibration = calibrate(flat, (0.3,) * 4)
    assert calibration.optics.ms_gains == (0.3,) * 4
    assert not calibration.response.decimated


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", [*(f"gf2_reduced_{i}" for i in range(2)), *(f"gf2_train_reduced_{i}" for i in range(3))]
)
def test_gaofen_pairs_gain_from_pan(shared, name):
    import rasterio

    from resattn.fusion.geometry import ImageGrid, match

    images = []
    for part in ("pan", "ms", "ref"):
        with rasterio.open(shared / "pansharpen" / name / f"{part}.tif") as file:
            images.append(file.read().astype(np.float32))
    pan, ms, reference = images
    scene = from_arrays(pan[0], ms, match(ImageGrid(*pan.shape[1:]), ImageGrid(*ms.shape[1:])))
    optics = calibrate(scene, (0.3,) * 4).optics

    def ergas(method):
        fused, _ = fit(method, scene, optics).apply(scene, scene.grid.overlap)
        relative = ((fused - reference) ** 2).mean((1, 2)) / reference.mean((1, 2)) ** 2
        return 25 * float(np.sqrt(relative.mean()))

    assert ergas("mtf-glp-reg") < 2.1
    assert ergas("mtf-glp-reg") < 0.6 * ergas("exp")
