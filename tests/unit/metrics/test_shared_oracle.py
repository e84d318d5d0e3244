"""The scale is fixed by stored images with known scores; ours must land on it."""

from __future__ import annotations

import pytest

from resattn.fusion.sensors import find
from resattn.metrics.align import register
from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer

TOLERANCE = {"ERGAS": 1e-6, "SAM": 1e-6}
PEAK = 2047


@pytest.mark.shared
@pytest.mark.parametrize("scene", ["wv3_rr128", "ik_rr320"])
def test_reduced_resolution_scores(oracle, scene):
    reference = oracle.read(f"{scene}/ref.tif")
    for name, expected in oracle.scores(scene).items():
        ours = evaluate_reduced(oracle.read(name), reference, ratio=4, peak=PEAK)
        # The stored Q2n was made by code that pads 320 to 512 and scores the margin as well.
        ours["q2n"] = ours["q2n_padded"]
        for key, value in expected.items():
            tolerance = TOLERANCE.get(key, 1e-4)
            assert ours[key.lower()] == pytest.approx(value, abs=tolerance), (name, key)


@pytest.mark.shared
def test_both_forms_of_q2n_agree_on_sizes_that_are_powers_of_two(oracle):
    reference = oracle.read("wv3_rr128/ref.tif")
    for name, expected in oracle.scores("wv3_rr128").items():
        ours = evaluate_reduced(oracle.read(name), reference, ratio=4, peak=PEAK)
        assert ours["q2n"] == ours["q2n_padded"] == pytest.approx(expected["Q2n"], abs=1e-4)


@pytest.mark.shared
def test_full_resolution_scores(oracle, shared):
    scene = shared / "pansharpen" / "wv3_zpnn_128"
    ms, pan = oracle.read(scene / "ms.tif"), oracle.read(scene / "pan.tif")
    halves = oracle.table["wv3_zpnn_128_full"]["registration_half_pan_px"]
    # Stored shifts move the observation down and right; ours say where MS content really lies.
    shifts = [(-row / 2, -col / 2) for row, col in zip(halves["rows"], halves["cols"], strict=True)]
    gains = find("worldview-3").gains(8)
    measured = register(Observer.of_toolbox((128, 128), 4, gains), pan, ms, pan_gain=0.14)
    assert list(measured.shifts) == shifts
    plain = Observer.of_toolbox((128, 128), 4, gains)
    registered = Observer.of_toolbox((128, 128), 4, gains, *shifts)
    for name, expected in oracle.scores("wv3_zpnn_128_full").items():
        fused = oracle.read(name)
        ours = evaluate_full(fused, pan, ms, plain)
        moved = evaluate_full(fused, pan, ms, registered)
        ours |= {f"{key}_al": moved[key] for key in ("r_ergas", "r_sam", "r_q2n")}
        for key, value in expected.items():
            assert ours[key.lower()] == pytest.approx(value, abs=1e-4), (name, key)
