"""Loss terms against the scores they stand for, which are tested against published values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resattn.fusion import losses
from resattn.metrics.correlation import d_rho
from resattn.metrics.ergas import ergas
from resattn.metrics.q2n import q2n


def pair(bands: int, side: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(bands)
    truth = 400 + 80 * rng.standard_normal((bands, side, side)).astype(np.float32)
    noise = 40 * rng.standard_normal((bands, side, side)).astype(np.float32)
    return torch.from_numpy(truth + noise), torch.from_numpy(truth)


ALL = torch.ones(64, 64)


@pytest.mark.parametrize("bands", [1, 3, 4, 8, 10])
def test_quality_is_q2n(bands: int) -> None:
    estimate, truth = pair(bands)
    ours = float(losses.hypercomplex_quality(estimate.double(), truth.double(), ALL.double()))
    # The score scales flat bands apart and the loss does not: 1e-4 of the mean per deviation.
    assert ours == pytest.approx(q2n(estimate.numpy(), truth.numpy()), abs=2e-3)


def test_relative_error_is_ergas() -> None:
    estimate, truth = pair(4)
    ours = float(losses.relative_error(estimate, truth, ALL, 4.0))
    # The loss measures bands of little mean against their spread too: a hundredth here.
    assert ours == pytest.approx(ergas(estimate.numpy(), truth.numpy(), ratio=4), rel=1e-3)


def test_correlation_is_that_of_d_rho() -> None:
    # With zero mean, because the score lets the zeros outside the image count as pixels.
    estimate, truth = (image - image.mean((1, 2), keepdim=True) for image in pair(3))
    pan = truth[:1]
    rho = losses.local_correlation(estimate, pan, 2)
    expected = d_rho(estimate.numpy(), pan.numpy(), ratio=4)
    assert float((1 - rho).mean()) == pytest.approx(expected, abs=1e-5)


def test_unknown_samples_do_not_count() -> None:
    estimate, truth = pair(3)
    known = ALL.clone()
    known[:, 40:] = 0
    spoiled = estimate.clone()
    spoiled[..., 40:] = 1e6
    for loss in (
        lambda e: losses.relative_error(e, truth, known, 4.0),
        lambda e: losses.hypercomplex_quality(e, truth, known),
    ):
        assert float(loss(spoiled)) == float(loss(estimate))


def test_structure_asks_no_more_than_the_low_resolution_pair_shows() -> None:
    estimate, truth = pair(2)
    pan = truth[:1]
    strict = torch.zeros(2, 64, 64)
    lenient = torch.full((2, 64, 64), 2.0)
    assert float(losses.structural_loss(estimate, pan, lenient, ALL, 2)) == 0
    expected = 1 - losses.local_correlation(estimate, pan, 2)
    assert float(losses.structural_loss(estimate, pan, strict, ALL, 2)) == pytest.approx(
        float(expected.clamp_min(0).mean()), rel=1e-5
    )


def test_a_band_unlike_pan_is_left_alone() -> None:
    estimate, truth = pair(2)
    allowed = torch.stack([torch.zeros(64, 64), torch.ones(64, 64)])
    estimate.requires_grad_()
    losses.structural_loss(estimate, truth[:1], allowed, ALL, 2).backward()
    assert estimate.grad is not None
    assert float(estimate.grad[0].abs().max()) > 0
    assert float(estimate.grad[1].abs().max()) == 0


def test_gradients_are_finite_on_flat_and_perfect_images() -> None:
    for image in (torch.full((3, 64, 64), 500.0), pair(3)[1]):
        estimate = image.clone().requires_grad_()
        total = (
            losses.relative_error(estimate, image, ALL, 4.0)
            - losses.hypercomplex_quality(estimate, image, ALL)
            + losses.structural_loss(estimate, image[:1], torch.zeros(3, 64, 64), ALL, 2)
        )
        total.backward()
        assert estimate.grad is not None
        assert bool(estimate.grad.isfinite().all())


def test_sixteen_bit_data_keep_their_correlation_in_float32() -> None:
    ripple = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 32, 32))).float()
    lifted = 30_000 + 20 * ripple
    rho = losses.local_correlation(lifted, ripple, 2)
    assert float(rho.min()) > 0.99
