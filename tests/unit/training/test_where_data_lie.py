"""Data sets are moved once; samples are then cut, changed and learnt from where they lie.

The device "meta" holds shapes without values: an operation that mixes it with main memory, or that
reads a value back, fails here as it would fail or wait on a GPU.
"""

from contextlib import nullcontext

import pytest
import torch
from torch.fx.experimental import _config

from resattn.training import compress, detect, super_resolve, wound
from resattn.training.box_set import BoxSet
from resattn.training.dataset import ImageSet
from resattn.training.images import step_generator

META = torch.device("meta")


def images(channels=3, count=3):
    drawn = torch.randint(256, (count, channels, 160, 160), dtype=torch.uint8)
    return ImageSet(drawn, tuple(f"photograph {i}" for i in range(count)))


def boxes():
    corners = torch.tensor([[10.0, 20.0, 60.0, 80.0]])
    return BoxSet(images().images, (corners,) * 3, (torch.tensor([0]),) * 3, ("ship",), ("a",) * 3)


TASKS = {
    "super-resolve": lambda: super_resolve.make(
        super_resolve.Settings(patch=24), images(), images()
    ),
    "compress": lambda: compress.make(compress.Settings(patch=64), images(), images()),
    # Centres on a wound are read back from its mask: the one thing a sample waits for.
    "segment-wound": lambda: wound.make(
        wound.Settings(patch=64, views=wound.Views(on_wound=0.0)), images(4), images(4)
    ),
    "detect": lambda: detect.make(detect.Settings(patch=128), boxes(), boxes()),
}


@pytest.mark.parametrize("name", TASKS)
def test_samples_are_made_and_learnt_from_on_the_device_of_the_data(name, monkeypatch):
    task = TASKS[name]()
    here = task.sample(2, step_generator(0, 0))
    task.to(META)
    there = task.sample(2, step_generator(0, 0))
    assert there[0].device == META
    assert [t.shape for t in there] == [t.shape for t in here]

    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # unknown to meta
    model = task.build().to(META)
    with _config.patch(meta_nonzero_assume_all_nonzero=True):
        task.loss(model, [t.to(META) for t in there]).backward()
    assert all(p.grad is None or p.grad.device == META for p in model.parameters())
