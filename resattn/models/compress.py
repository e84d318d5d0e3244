"""The learned codec's network: an image to integers, integers to an image, at 64 qualities.

What the entropy coder needs is a function of integers alone (`scale_index` and the tables); what
needs floating point (the expectation of the latents, the picture) never reaches the coder, so a
file decodes to the same integers everywhere and to the same picture within rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from resattn.config import Config
from resattn.mixers.base import positive
from resattn.models.compress_context import Context, ContextConfig, lively
from resattn.models.compress_integer import INDICES, Z_PEAK, Engine, IntScale, straight
from resattn.models.compress_levels import LEVELS, LevelScale, knot_levels, quantiser_steps
from resattn.models.compress_tables import (
    Q_PEAK,
    bits,
    dead_zones,
    index_of,
    laplace_counts,
    laplace_mass,
    learned,
    logistic_counts,
    logistic_mass,
)
from resattn.models.compress_transforms import (
    Analysis,
    Synthesis,
    TransformConfig,
    cosine_deviations,
)
from resattn.models.descriptor import ModelDescriptor

STRIDE: Final = 64
SKIP: Final = 4
"""Below this scale index (a deviation of 0.137) all but one residual in 170 are zero."""


@dataclass(frozen=True)
class CompressConfig(Config):
    """Shape of the network; the defaults are the `light` one.

    Attributes:
        dim: Channels of the latents at 1/16.
        z_dim: Channels of the side information at 1/64.
        hyper: Channels of the networks between the two.
        transforms: Shape of the networks at 1/8 and 1/16.
        context: Shape of the expectation.
    """

    dim: int = 320
    z_dim: int = 64
    hyper: int = 64
    transforms: TransformConfig = field(default_factory=TransformConfig)
    context: ContextConfig = field(default_factory=ContextConfig)

    def __post_init__(self) -> None:
        positive(dim=self.dim, z_dim=self.z_dim, hyper=self.hyper)


BASE: Final = CompressConfig(
    hyper=96,
    transforms=TransformConfig(fine=160, analysis=(4, 3), synthesis=(5, 8)),
    context=ContextConfig(hidden=192, channel_heads=6, window_heads=6, deformable_heads=6),
)
"""The larger size, out of which no channel of `light` has been left: it can grow out of it."""


@dataclass(frozen=True)
class Latents:
    """The integers of an image, all that a file has to hold of it.

    Attributes:
        z: Side information (B, Cz, H/64, W/64), int64 in -63..63.
        q: Residuals of the latents from their expectation (B, C, H/16, W/16), int64 in -255..255,
            zero where the scale index is below `CompressNet.skip`.
    """

    z: Tensor
    q: Tensor


class Relaxed(NamedTuple):
    """What training asks of the network.

    Attributes:
        image: (B, 3, H, W) float32, not clamped.
        bits: Of each sample (B), estimated from the tables' distributions.
    """

    image: Tensor
    bits: Tensor


class CompressNet(nn.Module):
    """A variable-rate image codec without its entropy coder.

    Call `freeze` after training, before `analyse`, `synthesise` and `scale_index`; weights that
    were exported are frozen.
    """

    z_table: Tensor
    q_table: Tensor
    dead: Tensor
    skip: int = SKIP

    def __init__(self, config: CompressConfig) -> None:
        super().__init__()
        self.config = config
        steps = quantiser_steps(knot_levels())
        self.analysis = Analysis(config.transforms, config.dim)
        self.synthesis = Synthesis(config.transforms, config.dim)
        self.gain = LevelScale(config.dim, 1 / steps)
        self.unit = LevelScale(config.dim, steps)
        self.hyper = nn.Sequential(
            nn.Conv2d(config.dim, config.hyper, 1),
            nn.ReLU(),
            nn.Conv2d(config.hyper, config.hyper, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(config.hyper, config.z_dim, 3, stride=2, padding=1),
        )
        lively(self.hyper)
        self.z_gain = LevelScale(config.z_dim, torch.full_like(steps, 1.5))
        self.context = Context(config.context, config.dim, config.z_dim)
        start = index_of(cosine_deviations(config.dim) / steps[:, None])
        self.scale = IntScale(config.z_dim, config.hyper, start)
        self.z_location = nn.Parameter(torch.zeros(config.z_dim))
        self.z_log_scale = nn.Parameter(torch.zeros(config.z_dim))
        shapes = {"z_table": (config.z_dim, 2 * Z_PEAK + 1), "q_table": (INDICES, 2 * Q_PEAK + 1)}
        self.register_buffer("dead", dead_zones(), persistent=False)  # an encoder's own affair
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int32))

    @property
    def descriptor(self) -> ModelDescriptor:
        """Facts that tiling depends on: a tile is coded on its own."""
        return ModelDescriptor("compress", 3, 3, multiple=STRIDE, tiling="per-tile")

    @property
    def z_counts(self) -> Tensor:
        """Counts of -63..63 for each channel of z: (Cz, 127) int64, rows of sum 2^24 - 127."""
        return self.z_table.long()

    @property
    def q_counts(self) -> Tensor:
        """Counts of -255..255 for each scale index: (64, 511) int64, rows of sum 2^24 - 511."""
        return self.q_table.long()

    @torch.no_grad()
    def freeze(self) -> None:
        """Fixes all that the entropy coder depends on: integer network, tables, checksum.

        Raises:
            WeightsError: The integer network breaks its bound (E605).
        """
        self.scale.freeze()
        self.z_table.copy_(logistic_counts(self.z_location, self.z_log_scale))
        self.q_table.copy_(laplace_counts())

    @torch.no_grad()
    def refine(self, z_seen: Tensor, q_seen: Tensor) -> None:
        """Moves the tables of a frozen network from assumed shapes to what occurs.

        Args:
            z_seen: How often each value of each channel of z occurred, (Cz, 127).
            q_seen: How often each residual occurred at each scale index, (64, 511); its two sides
                are averaged.
        """
        both = (q_seen + q_seen.flip(1)) / 2
        self.z_table.copy_(learned(self.z_counts, z_seen))
        self.q_table.copy_(learned(self.q_counts, both))

    def known_answer(self) -> Engine:
        """The engine that computes scale indices on this machine, proven on a stored example.

        Raises:
            WeightsError: No engine gives the stored checksum (E605).
        """
        return self.scale.known_answer()

    @torch.inference_mode()
    def analyse(self, image: Tensor, level: int) -> Latents:
        """The integers of `image` (B, 3, H, W) float32 in 0..1, sides multiples of 64.

        Raises:
            ValueError: A side is no multiple of 64, or there is no such level.
        """
        if image.ndim != 4 or image.shape[1] != 3 or any(n % STRIDE for n in image.shape[2:]):
            raise ValueError(f"need (B, 3, H, W) in multiples of {STRIDE}, got {image.shape}")
        levels = self._levels(level, len(image), image.device)
        y: Tensor = self.analysis(_channels_last(image), levels).float()
        gain: Tensor = self.gain(levels)
        unit: Tensor = self.unit(levels)
        z = self._side(y * gain, levels).round().clamp(-Z_PEAK, Z_PEAK)
        index = self.scale.exact(z.long(), levels)
        coded = index >= self.skip
        dead = self.dead[index]
        q = torch.zeros_like(y)

        def quantise(part: slice, expected: Tensor, mask: Tensor) -> Tensor:
            steps = _rounded((y[:, part] - expected) * gain[:, part], dead[:, part])
            steps = steps * mask * coded[:, part]
            q[:, part] += steps
            return expected * mask + steps * unit[:, part]

        self.context(z, levels, unit, quantise)
        return Latents(z.long(), q.long())

    @torch.inference_mode()
    def synthesise(self, latents: Latents, level: int) -> Tensor:
        """The image (B, 3, 64 h, 64 w) float32 in 0..1 of integers z (B, Cz, h, w) and q.

        Raises:
            ValueError: The shapes do not fit, or there is no such level.
        """
        z, q = latents.z, latents.q
        height, width = (4 * n for n in z.shape[2:])
        if q.shape != (len(z), self.config.dim, height, width):
            raise ValueError(f"z {tuple(z.shape)} and q {tuple(q.shape)} are of different images")
        levels = self._levels(level, len(z), z.device)
        unit: Tensor = self.unit(levels)
        steps = q.float()

        def decode(part: slice, expected: Tensor, mask: Tensor) -> Tensor:
            return (expected + steps[:, part] * unit[:, part]) * mask

        y = self.context(z.float(), levels, unit, decode)
        image: Tensor = self.synthesis(_channels_last(y), levels).float()
        return image.clamp(0, 1)

    def scale_index(self, z: Tensor, level: int) -> Tensor:
        """Which row of `q_counts` codes each residual: (B, C, H/16, W/16) int64, exact.

        Args:
            z: (B, Cz, H/64, W/64), any integer type.
            level: Quality level.
        """
        return self.scale.exact(z, self._levels(level, len(z), z.device))

    def relaxed(
        self, image: Tensor, levels: Tensor, noise: tuple[Tensor, Tensor] | None
    ) -> Relaxed:
        """The decoded image and its bits, with gradients: `analyse` and `synthesise` in one.

        Where the decoder sees rounded values, gradients pass straight through the rounding; where
        bits are counted, noise stands for it.

        Args:
            image: (B, 3, H, W) float32 in 0..1.
            levels: (B) int64.
            noise: Uniform in -0.5..0.5, of the latents' and of z's shape; None to count the bits
                of the rounded values instead, those that a file would hold.
        """
        y: Tensor = self.analysis(image, levels).float()
        gain: Tensor = self.gain(levels)
        unit: Tensor = self.unit(levels)
        side = self._side(y * gain, levels)
        z = straight(side, side.round().clamp(-Z_PEAK, Z_PEAK))
        index = self.scale.relaxed(z, levels)
        coded = (index >= self.skip).float()
        dead = self.dead[index.long()]
        parts: list[Tensor] = []

        def quantise(part: slice, expected: Tensor, mask: Tensor) -> Tensor:
            exact = (y[:, part] - expected) * gain[:, part] * mask
            steps = straight(exact, _rounded(exact, dead[:, part])) * coded[:, part]
            parts.append(steps if noise is None else exact)
            return expected * mask + steps * unit[:, part]

        latents = self.context(z, levels, unit, quantise)
        q = torch.cat([a + b for a, b in zip(parts[::2], parts[1::2], strict=True)], 1)
        if noise is not None:
            q, z = q + noise[0], side + noise[1]
        q_bits = bits(laplace_mass(q, index), 2 * Q_PEAK + 1)
        if noise is None:
            q_bits = q_bits * coded
        z_bits = bits(self._z_mass(z), 2 * Z_PEAK + 1)
        decoded = self.synthesis(latents, levels).float()
        return Relaxed(decoded, q_bits.flatten(1).sum(1) + z_bits.flatten(1).sum(1))

    def _side(self, scaled: Tensor, levels: Tensor) -> Tensor:
        """Side information before rounding, from the logarithms of magnitudes, signs kept."""
        z: Tensor = self.hyper(torch.copysign(scaled.abs().log1p(), scaled)).float()
        gain: Tensor = self.z_gain(levels)
        return z * gain

    def _z_mass(self, z: Tensor) -> Tensor:
        shape = (-1, 1, 1)
        return logistic_mass(z, self.z_location.view(shape), self.z_log_scale.view(shape))

    def _levels(self, level: int, count: int, device: torch.device) -> Tensor:
        if not 0 <= level < LEVELS:
            raise ValueError(f"quality level {level} is not in 0..{LEVELS - 1}")
        return torch.full((count,), level, device=device)


def _rounded(exact: Tensor, dead: Tensor) -> Tensor:
    """Residuals as whole steps, zero below the thresholds `dead`."""
    return exact.round().clamp(-Q_PEAK, Q_PEAK) * (exact.abs() >= dead)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
