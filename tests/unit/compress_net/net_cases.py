"""Small networks for these tests; random where a fresh network would be zero."""

from __future__ import annotations

import torch

from resattn.models.compress import CompressConfig, CompressNet
from resattn.models.compress_context import ContextConfig
from resattn.models.compress_transforms import TransformConfig

SMALL = CompressConfig(
    dim=24,
    z_dim=8,
    hyper=16,
    transforms=TransformConfig(fine=8, coarse=16, analysis=(1, 1), synthesis=(1, 1), heads=2),
    context=ContextConfig(
        hidden=16, slices=(4, 8), channel_heads=2, window_heads=2, deformable_heads=2, step=2
    ),
)


def random_net(config=SMALL, seed=0):
    net = CompressNet(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim > 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.05 * noise)
        # Side information and scales that vary, as a trained network's do.
        net.z_gain.log_knots.add_(2.5)
        net.scale.layers[-1].weight.mul_(6)
    net.eval().freeze()
    return net
