"""A seeded mixer and its inputs for every example in the registry."""

from __future__ import annotations

import torch

from resattn.checks.probe import Probe
from resattn.registry import MIXERS, build

SIZES = [(1, 1), (7, 13), (33, 64)]


EXAMPLES = {
    f"{kind}-{i}": config for kind, line in MIXERS.items() for i, config in enumerate(line.examples)
}


def case(example, height, width, batch=2, dtype=torch.float64, seed=3):
    """(mixer, x, context) with random weights; context is None for mixers without one."""
    probe = Probe(dtype=dtype, seed=seed)
    mixer = probe.fill(build(EXAMPLES[example]))
    x = arranged(mixer, probe.randn(batch, mixer.config.dim, height, width))
    return mixer, x, context_for(mixer, x, probe)


def context_for(mixer, x, probe):
    if not mixer.takes_context:
        return None
    dim = getattr(mixer.config, "context_dim", mixer.config.dim)
    pixels = x.shape[-2:] if mixer.layout == "NCHW" else x.shape[1:3]
    return arranged(mixer, probe.randn(x.shape[0], dim, *pixels))


def arranged(mixer, image):
    return image if mixer.layout == "NCHW" else image.permute(0, 2, 3, 1).contiguous()


def pick(context, i):
    return None if context is None else context[i : i + 1]


def tensors(context):
    return () if context is None else (context,)


def shuffled(mixer, image, order):
    """`image` with its pixels in another order."""
    if image is None:
        return None
    if mixer.layout == "NHWC":
        return image.flatten(1, 2)[:, order].view_as(image)
    return image.flatten(2)[:, :, order].view_as(image)
