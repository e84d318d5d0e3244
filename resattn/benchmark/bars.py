"""Targets for the core on a CPU, each a ratio of two measurements of the same machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from resattn.benchmark.machine import Row
from resattn.benchmark.measure import seconds
from resattn.mixers.cbam import CbamConfig
from resattn.mixers.eca import EcaConfig
from resattn.mixers.window import WindowConfig
from resattn.ops.attend import attend
from resattn.ops.windows import partition, reverse
from resattn.registry import build
from resattn.residual import ScalePolicy


@dataclass(frozen=True)
class Bar:
    """One target.

    Attributes:
        name: What is compared with what.
        value: The ratio measured.
        low: Smallest value that meets the target.
        high: Largest.
    """

    name: str
    value: float
    low: float = 0.0
    high: float = float("inf")

    @property
    def met(self) -> bool:
        """Whether the value lies within the target."""
        return self.low <= self.value <= self.high


@torch.no_grad()
def bars(device: torch.device, rows: list[Row]) -> Iterator[Bar]:
    """All targets; `rows` are what the declared memory is judged by."""
    yield from _attention(device)
    yield from _windows(device)
    yield from _gates(device)
    for row in rows:
        if row.declared_bytes is not None:
            ratio = row.declared_bytes / row.peak_bytes
            yield Bar(f"declared / measured memory, {row.name}, {row.size}", ratio, 0.8, 1.2)
    yield Bar("gain after 64 blocks, 1 / L", gain("depth:linear"), 0.95, 1.1)
    yield Bar("gain after 64 blocks, 1 / sqrt(L)", gain("depth:sqrt"), 1.5, 1.8)
    yield Bar("gain after 64 blocks, unscaled", gain("plain"), low=1e9)


def _attention(device: torch.device) -> Iterator[Bar]:
    """16,384 tokens, 4 heads of 32: 256 windows of 64 against 4 sets of 4,096."""
    q = torch.randn(16384, 4, 32, device=device)
    few = q.view(256, 64, 4, 32).transpose(1, 2)
    many = q.view(4, 4096, 4, 32).transpose(1, 2)
    slowdown = compared(lambda: attend(few, few, few), lambda: attend(many, many, many), device)
    yield Bar("8x8 windows / 4,096 tokens, rate", 64 / 4096 / slowdown, low=0.45)
    ratio = compared(
        lambda: attend(many, many, many),
        lambda: F.scaled_dot_product_attention(many, many, many),
        device,
    )
    yield Bar("attend / torch SDPA, time", ratio, high=1.05)


def _windows(device: torch.device) -> Iterator[Bar]:
    x = torch.randn(1, 128, 128, 128, device=device)
    plain, cosine = (
        build(WindowConfig(128, 4, cosine=cosine)).to(device) for cosine in (False, True)
    )
    moving = compared(
        lambda: reverse(partition(x, (8, 8)), (8, 8), (128, 128)), lambda: plain(x), device
    )
    yield Bar("partition and reverse / 8x8 window block, time", moving, high=0.2)
    yield Bar(
        "cosine / dot-product windows, time",
        compared(lambda: cosine(x), lambda: plain(x), device),
        high=1.15,
    )


def _gates(device: torch.device) -> Iterator[Bar]:
    """Beside a residual block of two 3 x 3 convolutions of 64 channels, 128 x 128 pixels."""
    x = torch.randn(1, 64, 128, 128, device=device).to(memory_format=torch.channels_last)
    block = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)
    ).to(device)
    for name, config, high in (("ECA", EcaConfig(64), 0.02), ("CBAM", CbamConfig(64), 0.08)):
        gate = partial(build(config).to(device), x)
        ratio = compared(gate, lambda: block(x) + x, device)
        yield Bar(f"{name} / residual block of two convolutions, time", ratio, high=high)


def compared(
    first: Callable[[], object], second: Callable[[], object], device: torch.device
) -> float:
    """The first call's shortest time over the second's, from five rounds taken in turn.

    Other work only ever adds to a time, through the caches even to CPU time, and more to calls that
    memory limits: beside ten busy processes ECA's share was .014 so, and .020 as the median of the
    rounds' ratios.
    """
    rounds = [(seconds(first, device, 0.1), seconds(second, device, 0.1)) for _ in range(5)]
    return min(ours for ours, _ in rounds) / min(theirs for _, theirs in rounds)


def gain(policy: str, depth: int = 64, dim: int = 256) -> float:
    """Growth of a random vector through `depth` residual branches that keep the mean square.

    Independent branches of scale s grow it by (1 + s^2)^(depth / 2): to 1, sqrt(e) and 2^32 for
    s = 1 / L, 1 / sqrt(L) and 1 at 64 blocks.
    """
    generator = torch.Generator().manual_seed(5)
    scale = ScalePolicy.parse(policy).module(dim, depth)
    x = start = torch.randn(dim, generator=generator, dtype=torch.float64)
    for _ in range(depth):
        branch = torch.randn(dim, dim, generator=generator, dtype=torch.float64) / dim**0.5
        x = x + scale(branch @ x)
    return float(x.norm() / start.norm())
