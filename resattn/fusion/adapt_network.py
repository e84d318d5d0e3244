"""lambda-PNN between the units of a scene and those of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from resattn.fusion.adapt_patches import Patch, Pixels
from resattn.models.lambda_pnn import LambdaPnn

Precision = Literal["fp32", "bf16", "fp16"]

DETAIL = 0.1
"""Spread of corrections against that of the band: what the network adds has about this size."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and spread of PAN, then of each band."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, patches: Sequence[Patch]) -> Scale:
        """Those of all valid pixels of the patches."""
        values = [torch.cat([p.pan, p.plain])[:, p.valid > 0].double() for p in patches]
        joined = torch.cat(values, 1)
        least = 1e-6 * joined.abs().mean(1) + 1e-12
        return cls(tuple(joined.mean(1).tolist()), tuple((joined.std(1) + least).tolist()))

    def inputs(self, seen: Pixels, *, residual: bool) -> Tensor:
        """(C, H, W): PAN, bands and what they lack if `residual`, 0 where invalid."""
        mean, spread = _planes(self.mean, seen.pan), _planes(self.spread, seen.pan)
        parts = [(seen.pan - mean[:1]) / spread[:1], (seen.plain - mean[1:]) / spread[1:]]
        if residual:
            parts.append(seen.missing / (DETAIL * spread[1:]))
        return torch.cat(parts) * seen.valid

    def detail(self, output: Tensor) -> Tensor:
        """The network's output (B, H, W) in the units of the bands."""
        return output * (DETAIL * _planes(self.spread[1:], output))


def detail(network: LambdaPnn, x: Tensor, scale: Scale, precision: Precision) -> Tensor:
    """What the network adds to each band, (B, H, W), for the inputs (C, H, W)."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    batch = x[None].contiguous(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, dtype, enabled=precision != "fp32"):
        output: Tensor = network(batch)
    return scale.detail(output[0].float())


def _planes(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=like.device)[:, None, None]
