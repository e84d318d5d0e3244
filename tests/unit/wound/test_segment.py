"""From a photograph of any size to probabilities, with a network that is known by heart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from resattn.models.wound_unet import WoundUNet, WoundUNetConfig
from resattn.wound.segment import FAST, Effort, Segmenter

CPU = torch.device("cpu")


class Redness(nn.Module):
    """Logit by colour alone; counts what it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(tuple(x.shape[2:]))
        return 40 * (x[:, :1] - x[:, 1:2] - 0.25)


def red_square(height, width, top, left, size):
    photo = np.full((3, height, width), 150, np.uint8)
    photo[0, top : top + size, left : left + size] = 220
    photo[1:, top : top + size, left : left + size] = 30
    return photo


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (200, 90), (700, 1100)])
def test_any_size_comes_back_at_its_own_size(size):
    network = Redness()
    probability = Segmenter(network, Effort(side=128), CPU).probability(np.zeros((3, *size), "u1"))
    assert probability.shape == size
    assert probability.dtype == np.float32
    assert max(network.seen[0]) <= 128


def test_a_small_wound_is_looked_at_again_and_keeps_its_edges():
    photo = red_square(900, 1200, 400, 500, 60)
    network = Redness()
    twice = Segmenter(network, Effort(side=256), CPU).probability(photo)
    assert len(network.seen) == 2
    once = Segmenter(Redness(), Effort(side=256, refine=False), CPU).probability(photo)
    true = photo[0] == 220
    errors = [np.abs(p - true).sum() for p in (twice, once)]
    assert errors[0] < 0.75 * errors[1]


def test_the_closer_look_is_a_training_view_around_the_wound():
    network = Redness()
    Segmenter(network, Effort(side=512), CPU).probability(red_square(1024, 1024, 200, 600, 120))
    assert network.seen == [(512, 512), (448, 448)]


def test_a_large_wound_has_no_closer_look():
    network = Redness()
    Segmenter(network, Effort(side=512), CPU).probability(red_square(1024, 1024, 200, 300, 400))
    assert network.seen == [(512, 512)]


def test_near_wounds_share_a_closer_look_and_far_ones_do_not():
    for left, looks in ((310, 2), (800, 3)):
        photo = red_square(1024, 1024, 200, 200, 80)
        photo[:, 230:250, left : left + 20] = photo[:, 230:250, 220:240]
        network = Redness()
        Segmenter(network, Effort(side=512), CPU).probability(photo)
        assert len(network.seen) == looks


def test_no_wound_or_no_more_detail_than_was_seen_is_seen_once():
    for photo in (red_square(400, 400, 0, 0, 0), red_square(300, 300, 20, 20, 60)):
        network = Redness()
        Segmenter(network, Effort(side=256), CPU).probability(photo)
        assert len(network.seen) == 1


def test_a_second_look_is_averaged_with_the_first():
    photo = red_square(90, 120, 20, 30, 25)
    effort = Effort(side=60, second=30, refine=False)
    looks = [Segmenter(Redness(), replace(effort, side=n, second=0), CPU) for n in (60, 30)]
    first, second = (look.probability(photo) for look in looks)
    both = Segmenter(Redness(), effort, CPU).probability(photo)
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-6)


def test_the_second_look_sees_the_photograph_upright_and_turned():
    network = Redness()
    photo = red_square(90, 120, 20, 30, 25)
    Segmenter(network, Effort(side=60, second=30, refine=False), CPU).probability(photo)
    assert network.seen == [(45, 60), (22, 30), (30, 22)]


def test_fast_sees_less_and_only_once():
    network = Redness()
    Segmenter(network, FAST, CPU).probability(red_square(900, 1200, 400, 500, 60))
    assert network.seen == [(240, 320)]


def test_eight_turns_make_the_result_turn_with_the_photograph():
    torch.manual_seed(0)
    config = WoundUNetConfig(
        encoder="residual", widths=(4, 4, 8, 8, 8), decoder=(8, 8, 4, 4), block=None, skip=None
    )
    segmenter = Segmenter(WoundUNet(config), Effort(side=64, turns=True, refine=False), CPU)
    photo = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    plain = segmenter.probability(photo)
    turned = segmenter.probability(np.ascontiguousarray(np.rot90(photo, 1, (1, 2))))
    np.testing.assert_allclose(turned, np.rot90(plain), atol=1e-5)


def test_the_network_is_left_in_evaluation_mode():
    network = Redness().train()
    Segmenter(network, FAST, CPU)
    assert not network.training
