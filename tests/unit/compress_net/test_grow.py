"""A larger network computes what the smaller one does, and all that is new in it learns."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from net_cases import SMALL, random_net

from resattn.errors import WeightsError
from resattn.models.compress import BASE, CompressConfig, CompressNet
from resattn.models.compress_context import ContextConfig
from resattn.models.compress_grow import grown

PLAIN = dataclasses.replace(SMALL, context=ContextConfig(hidden=16, slices=(4, 8)))


def larger(config=PLAIN, transforms=None, context=None, **own):
    transforms = dataclasses.replace(config.transforms, **(transforms or {}))
    context = dataclasses.replace(config.context, **(context or {}))
    return dataclasses.replace(config, transforms=transforms, context=context, **own)


DENSE = larger(transforms={"block": "dense", "heads": 0})
PAIRS = {
    "all": (
        PLAIN,
        larger(
            hyper=20,
            transforms={"fine": 12, "analysis": (3, 2), "synthesis": (2, 3)},
            context={
                "hidden": 24,
                "channel_heads": 2,
                "window_heads": 2,
                "deformable_heads": 2,
                "step": 2,
            },
        ),
    ),
    "attention that is there": (SMALL, larger(SMALL, {"synthesis": (2, 2)}, hyper=17)),
    "dense": (DENSE, larger(DENSE, {"fine": 9, "coarse": 18, "synthesis": (2, 2)})),
    "equal": (SMALL, SMALL),
}


def outgrown(small, config, seed=1):
    torch.manual_seed(seed)
    net = CompressNet(config)
    net.load_state_dict(grown(small.state_dict(), net))
    return net


@pytest.mark.parametrize("case", PAIRS)
def test_it_computes_the_same(case, image):
    config, wider = PAIRS[case]
    small = random_net(config)
    net = outgrown(small, wider)
    levels = torch.tensor([3, 50])
    noise = torch.rand(2, 24, 4, 8) - 0.5, torch.rand(2, 8, 1, 2) - 0.5
    with torch.no_grad():
        for given in (None, noise):
            theirs, ours = (n.relaxed(image, levels, given) for n in (small, net))
            torch.testing.assert_close(ours.image, theirs.image, atol=1e-5, rtol=0)
            torch.testing.assert_close(ours.bits, theirs.bits, atol=0, rtol=1e-5)
    net.freeze()
    z = small.analyse(image, 30).z
    assert torch.equal(net.scale_index(z, 30), small.scale_index(z, 30))
    assert net.known_answer() == "fp32"


def test_all_of_it_learns(image):
    """Nothing stays as it started, though most of what is new starts without a say."""
    net = outgrown(random_net(PLAIN), PAIRS["all"][1])
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        found = net.relaxed(image, torch.tensor([20, 60]), None)
        ((found.image - image).square().mean() + found.bits.mean() / 1e5).backward()
        optimizer.step()
    still = [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert not still


def test_base_can_grow_out_of_light():
    state = grown(CompressNet(CompressConfig()).state_dict(), CompressNet(BASE))
    assert state["synthesis.up.weight"].shape[0] == 4 * BASE.transforms.fine


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (SMALL, PLAIN, "no place for context.slices.0.attention.window"),
        (PLAIN, larger(hyper=8), r"hyper.0.weight is \(8, 24, 1, 1\), theirs \(16"),
        (PLAIN, larger(dim=32), "unit.log_knots"),
        (PLAIN, larger(z_dim=10), "z_location"),
        (PLAIN, larger(context={"slices": (6, 8)}), "expect"),
        (PLAIN, larger(transforms={"coarse": 20}), "analysis.coarse.1.mixer"),
        (SMALL, larger(SMALL, context={"hidden": 24}), "norm|mixer"),
        (PLAIN, larger(transforms={"block": "dense"}), "no place for analysis"),
        (DENSE, larger(DENSE, {"synthesis": (1, 0)}), "no place for synthesis.fine.0"),
    ],
)
def test_what_cannot_grow_is_refused(source, target, message):
    with pytest.raises(WeightsError, match=message) as caught:
        grown(CompressNet(source).state_dict(), CompressNet(target))
    assert caught.value.code == "E604"
