"""Adaptation: the camera as matrices, what training gains, what it may never do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from net_scenes import Sample, make

from resattn.errors import ItemError, WeightsError
from resattn.fusion import classical
from resattn.fusion.adapt import adapt, load_network
from resattn.fusion.adapt_patches import Patch, patch_of, scene_patches
from resattn.fusion.adapt_training import AdaptConfig, corrected
from resattn.fusion.pyramid import POINT, Optics, Pyramid
from resattn.fusion.scene import from_arrays
from resattn.metrics.ergas import ergas
from resattn.tiling import Window

QUICK = AdaptConfig(steps=12, seconds=None, width=8)


def the_patch(sample: Sample, start: classical.Model) -> Patch:
    patch = patch_of(Pyramid(sample.scene, start.optics), start, sample.whole)
    assert patch is not None
    return patch


@pytest.mark.parametrize("gain", [0.3, POINT])
def test_matrices_are_the_pyramid_s_camera(gain: float) -> None:
    sample = make(optics=Optics((gain,) * 3, ((0.0, 0.0), (-1.0, 0.5), (0.5, 0.0))))
    pyramid = Pyramid(sample.scene, sample.optics)
    patch = the_patch(sample, sample.start())
    height, width = sample.ms.shape[1:]
    assert patch.ms.shape == sample.ms.shape
    cover = Window(0, 0, height, width)
    fused = sample.truth * 1.1
    residual = pyramid.residual(fused, np.ones((64, 64), bool), sample.whole, cover)
    seen = patch.camera.reduce(torch.from_numpy(fused)).numpy()
    np.testing.assert_allclose(sample.ms - seen, residual, atol=1e-2)
    back = pyramid.enlarge(sample.ms, cover, sample.whole, sample.optics.shifts)
    np.testing.assert_allclose(patch.camera.enlarge(patch.ms).numpy(), back, atol=1e-2)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_correction_in_training_is_that_in_use(sample: Sample, strength: float) -> None:
    start = sample.start(strength)
    patch = the_patch(sample, start)
    trained = corrected(patch.plain, patch, strength).numpy()
    used, _ = start.apply(sample.scene, sample.whole)
    # In use, weights beyond four samples are left out.
    np.testing.assert_allclose(trained, used, atol=0.5)
    assert np.abs(used - patch.plain.numpy()).max() > 3


def test_a_patch_inside_the_scene_sees_only_samples_it_covers() -> None:
    sample = make(side=96)
    start = sample.start()
    pyramid = Pyramid(sample.scene, start.optics)
    window = Window(16, 16, 64, 64)
    patch = patch_of(pyramid, start, window)
    assert patch is not None
    rows = patch.camera.down_rows.sum(2)
    assert torch.allclose(rows, torch.ones_like(rows), atol=1e-5)
    seen = patch.camera.reduce(torch.from_numpy(sample.truth[:, *window.slices])).numpy()
    np.testing.assert_allclose(seen, patch.ms.numpy(), atol=1e-2)


def test_training_lowers_the_loss_and_the_true_error(sample: Sample) -> None:
    start = sample.start()
    model = adapt(sample.scene, start, AdaptConfig(steps=60, seconds=None, width=8))
    before, after = model.losses
    assert after < before
    fused, valid = model.apply(sample.scene, sample.whole)
    plain, _ = start.apply(sample.scene, sample.whole)
    assert valid.all()
    assert ergas(fused, sample.truth, ratio=4) < ergas(plain, sample.truth, ratio=4)


def test_same_seed_same_bits(sample: Sample) -> None:
    start = sample.start(1.0)
    runs = [adapt(sample.scene, start, QUICK).apply(sample.scene, sample.whole) for _ in range(2)]
    assert np.array_equal(runs[0][0], runs[1][0])
    other = adapt(sample.scene, start, replace(QUICK, seed=1))
    assert not np.array_equal(other.apply(sample.scene, sample.whole)[0], runs[0][0])


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_tiles_equal_the_image(sample: Sample, strength: float) -> None:
    model = adapt(sample.scene, sample.start(strength), QUICK)
    whole, _ = model.apply(sample.scene, sample.whole)
    for window in (Window(0, 0, 20, 33), Window(20, 33, 44, 31)):
        tile, valid = model.apply(sample.scene, window)
        assert valid.all()
        np.testing.assert_allclose(tile, whole[:, *window.slices], atol=0.01)


def test_a_step_too_long_is_not_taken(sample: Sample) -> None:
    start = sample.start()
    wild = adapt(sample.scene, start, replace(QUICK, steps=2, learning_rate=1e4))
    before, after = wild.losses
    assert after <= before
    fused, _ = wild.apply(sample.scene, sample.whole)
    np.testing.assert_array_equal(fused, start.apply(sample.scene, sample.whole)[0])


def test_weights_go_on_to_the_next_tile(sample: Sample, tmp_path: Path) -> None:
    budget = AdaptConfig(steps=80, seconds=None, width=8)
    first = adapt(sample.scene, sample.start(), budget)
    (tmp_path / "tile.safetensors").write_bytes(first.packed("tile"))
    network = load_network(tmp_path / "tile.safetensors", 3)
    unchanged = replace(QUICK, steps=0)
    reused = adapt(sample.scene, sample.start(), unchanged, begin=network)
    assert reused.losses[0] == first.losses[0]
    assert reused.losses[1] == pytest.approx(first.losses[1], rel=1e-5)
    assert reused.losses[1] < reused.losses[0]
    assert all(
        torch.equal(value, first.network.state_dict()[key])
        for key, value in reused.network.state_dict().items()
    )
    with pytest.raises(WeightsError, match="3 bands, the scene has 4"):
        load_network(tmp_path / "tile.safetensors", 4)


def test_a_budget_of_seconds_ends_training(sample: Sample) -> None:
    seen: list[int] = []
    config = AdaptConfig(steps=10_000, seconds=0.5, width=8)
    adapt(sample.scene, sample.start(), config, progress=lambda done, total: seen.append(done))
    assert seen == list(range(1, len(seen) + 1))
    assert 0 < len(seen) < 10_000


def test_no_steps_no_change(sample: Sample) -> None:
    start = sample.start(1.0)
    model = adapt(sample.scene, start, replace(QUICK, steps=0))
    fused, _ = model.apply(sample.scene, sample.whole)
    assert np.array_equal(fused, start.apply(sample.scene, sample.whole)[0])


def test_nodata_does_not_bleed(sample: Sample) -> None:
    valid = np.ones((16, 16), bool)
    valid[4:8, 4:8] = False
    spoiled = sample.ms.copy()
    spoiled[:, ~valid] = 0.0
    worse = sample.ms.copy()
    worse[:, ~valid] = 30_000.0
    grid = sample.scene.grid
    results = []
    for ms in (spoiled, worse):
        scene = from_arrays(sample.pan, ms, grid, ms_valid=valid)
        start = classical.fit("mtf-glp-fs", scene, sample.optics)
        fused, known = adapt(scene, start, QUICK).apply(scene, sample.whole)
        assert not known.all()
        assert (fused[:, ~known] == 0).all()
        results.append(fused)
    np.testing.assert_array_equal(results[0], results[1])


def test_a_scene_without_valid_pixels_is_refused(sample: Sample) -> None:
    start = sample.start()
    empty = from_arrays(sample.pan, sample.ms, sample.scene.grid, ms_valid=np.zeros((16, 16), bool))
    with pytest.raises(ItemError, match="enough pixels") as caught:
        adapt(empty, start, QUICK)
    assert caught.value.code == "E327"


def test_patches_of_a_large_scene_are_few_and_spread() -> None:
    sample = make(side=272)
    start = sample.start()
    found = list(scene_patches(Pyramid(sample.scene, start.optics), start, 2))
    assert len(found) == 2
    assert not torch.equal(found[0].pan, found[1].pan)
    assert {tuple(patch.pan.shape) for patch in found} == {(1, 256, 256)}
