"""What the decoder expects the latents to be, from all it has decoded so far.

Latents are decoded in slices of channels, and each slice in the two colours of a checkerboard
(the order of S2LIC's adaptive channel and global-inter context). Only residuals from this
expectation are coded, with tables centred on zero: it may differ in the last bits from machine to
machine without disturbing the decoder, so it is free to use floating point and attention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from resattn.config import Config
from resattn.mixers.base import positive
from resattn.mixers.deformable import DeformableConfig
from resattn.mixers.transposed import TransposedConfig
from resattn.mixers.window import WindowConfig
from resattn.models.compress_levels import LevelScale
from resattn.models.super_resolve import at_most
from resattn.residual import ResidualAttention

MAX_WIDTH, MAX_SLICES = 1024, 16

Decode = Callable[[slice, Tensor, Tensor], Tensor]
"""From channels, expected latents and the mask of one colour to the latents there, 0 elsewhere."""


@dataclass(frozen=True)
class ContextConfig(Config):
    """Shape of the expectation.

    Attributes:
        hidden: Channels of the state that gathers what is known.
        slices: Channels of each slice but the last, which takes the rest.
        channel_heads: Heads of channel attention over the state before each slice, 0 for none.
        window_heads: Heads of window attention over it, 0 for none.
        deformable_heads: Heads of deformable attention to the decoded slices, 0 for none.
        step: Pixels between the points of that attention.
    """

    hidden: int = 128
    slices: tuple[int, ...] = (32, 64)
    channel_heads: int = 0
    window_heads: int = 0
    deformable_heads: int = 0
    step: int = 4

    def __post_init__(self) -> None:
        positive(hidden=self.hidden, step=self.step, width=min(self.slices, default=1))
        at_most(MAX_WIDTH, hidden=self.hidden)
        at_most(MAX_SLICES, slices=len(self.slices))


class Context(nn.Module):
    """Expected latents, slice by slice, colour by colour.

    Args:
        config: Shape.
        dim: Channels of the latents.
        z_dim: Channels of z.
    """

    def __init__(self, config: ContextConfig, dim: int, z_dim: int) -> None:
        super().__init__()
        hidden = config.hidden
        edges = [0]
        for width in config.slices:
            edges.append(edges[-1] + width)
        if edges[-1] >= dim:
            raise ValueError(f"slices {config.slices} leave nothing of {dim} channels for the last")
        self.ranges = [slice(a, b) for a, b in zip(edges, [*edges[1:], dim], strict=True)]
        self.enter = nn.Sequential(
            nn.Conv2d(z_dim, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, 4 * hidden, 1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            nn.Conv2d(hidden, 4 * hidden, 1),
            nn.PixelShuffle(2),
        )
        lively(self.enter)
        self.level = LevelScale(hidden)
        self.slices = nn.ModuleList(
            Slice(config, part.start, part.stop - part.start) for part in self.ranges
        )

    def forward(self, z: Tensor, levels: Tensor, unit: Tensor, decode: Decode) -> Tensor:
        """The latents (B, C, 4h, 4w), on the way asking `decode` for each slice and colour.

        Args:
            z: (B, Cz, h, w), whole numbers as float32.
            levels: (B).
            unit: What one step of the quantiser is worth, (B, C, 1, 1).
            decode: Gives the latents of one slice where its mask is 1, from their expectation.
        """
        state = self.enter(z)
        state = state * self.level(levels).to(state.dtype)
        mask = checkerboard(state)
        known: list[Tensor] = []
        for part, step in zip(self.ranges, self.slices, strict=True):
            state, found, rest = step(state, known, mask, partial(decode, part))
            known.append(found + unit[:, part] * rest)
        return torch.cat(known, 1)


class Slice(nn.Module):
    """One slice of channels, decoded in two colours.

    Args:
        config: Shape of the whole.
        before: Channels of earlier slices.
        dim: Channels of this one.
    """

    def __init__(self, config: ContextConfig, before: int, dim: int) -> None:
        super().__init__()
        hidden = config.hidden
        self.attention = nn.ModuleDict(_attention(config, before))
        self.expect = nn.ModuleList(Expect(hidden, dim) for _ in range(2))
        # The second colour's neighbours all have the first, so it adds only where it stands.
        self.learn = nn.ModuleList(
            nn.Conv2d(dim, hidden, size, padding=size // 2) for size in (3, 1)
        )
        self.mend = Expect(hidden, dim)

    def forward(
        self,
        state: Tensor,
        known: list[Tensor],
        mask: Tensor,
        decode: Callable[[Tensor, Tensor], Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The state that knows this slice, the slice, and what rounding took from it in steps."""
        for name, attend in self.attention.items():
            state = attend(state, torch.cat(known, 1) if name == "deformable" else state)
        found = torch.zeros((), device=state.device)
        for colour, expect, learn in zip((mask, 1 - mask), self.expect, self.learn, strict=True):
            latents = decode(expect(state).float(), colour)
            found = found + latents
            state = state + learn(latents)
        return state, found, self.mend(state).float()


class Expect(nn.Sequential):
    """From the state to values for a slice, zero in a fresh model."""

    def __init__(self, hidden: int, dim: int) -> None:
        last = nn.Conv2d(hidden, dim, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]  # it has one
        super().__init__(nn.ReLU(), nn.Conv2d(hidden, hidden, 1), nn.ReLU(), last)


def lively(layers: nn.Sequential) -> None:
    """Starts convolutions so that activations keep their size through rectifiers (He).

    With torch's own start z would round to zero everywhere, and nothing behind it would learn.
    """
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)


def checkerboard(like: Tensor) -> Tensor:
    """1 where row and column add up to an even number, else 0: (1, 1, H, W) float32."""
    rows, columns = (torch.arange(n, device=like.device) for n in like.shape[-2:])
    return ((rows[:, None] + columns + 1) % 2).float()[None, None]


def _attention(config: ContextConfig, before: int) -> dict[str, nn.Module]:
    """The core's mixers that look at the state before a slice is expected."""
    dim = config.hidden
    blocks: dict[str, nn.Module] = {}
    if config.channel_heads and before:
        mixer = TransposedConfig(dim=dim, heads=config.channel_heads)
        blocks["channel"] = ResidualAttention(dim, mixer, policy="layerscale:0.1")
    if config.window_heads:
        window = WindowConfig(dim=dim, heads=config.window_heads, cosine=True, bias="logmlp")
        blocks["window"] = ResidualAttention(dim, window, policy="layerscale:0.1")
    if config.deformable_heads and before:
        points = DeformableConfig(
            dim=dim, context_dim=before, heads=config.deformable_heads, step=config.step
        )
        blocks["deformable"] = ResidualAttention(dim, points, policy="layerscale:0.1")
    return blocks
