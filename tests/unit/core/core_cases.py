"""A seeded mixer and its inputs for every example in the registry."""

from __future__ import annotations

from dataclasses import replace

import torch

from resattn.checks.probe import Probe
from resattn.mixers.keys import Keys
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
    return mixer, x, mixer.context_like(x, probe.randn)


def arranged(mixer, image):
    return image if mixer.layout == "NCHW" else image.permute(0, 2, 3, 1).contiguous()


def pixels(mixer, image):
    """`image` as (B, H, W, C)."""
    return image if mixer.layout == "NHWC" else image.permute(0, 2, 3, 1)


def mapped(context, function):
    """The context with `function` applied to its tensors."""
    if isinstance(context, Keys):
        return replace(
            context, features=function(context.features), positions=function(context.positions)
        )
    return None if context is None else function(context)


def tensors(context):
    """The tensors of a context, in a list."""
    found = []
    mapped(context, lambda tensor: found.append(tensor) or tensor)
    return found


def shuffled(mixer, image, order):
    """`image` with its pixels in another order."""
    if image is None or isinstance(image, Keys):
        return image
    if mixer.layout == "NHWC":
        return image.flatten(1, 2)[:, order].view_as(image)
    return image.flatten(2)[:, :, order].view_as(image)
