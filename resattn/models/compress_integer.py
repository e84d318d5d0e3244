"""The only network the entropy decoder depends on, in integers: from z to scale indices.

Weights, activations and sums are integers below 2^24, so float32 holds every product and every
partial sum exactly and the order of summation cannot matter: all devices, layouts and thread
counts give the same indices. `certify` proves the bound for the weights at hand; `IntScale.exact`
runs in float32, float64 or int64, which must agree and are compared with a stored checksum.

Training runs the same arithmetic on rounded float parameters with gradients passed straight
through the rounding, so what is exported is the function that was trained.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.errors import WeightsError
from resattn.models.compress_levels import KNOT_STEP, KNOTS, LEVELS, at_knots
from resattn.models.super_resolve import at_most

_logger = logging.getLogger(__name__)

Engine = Literal["fp32", "fp64", "int64"]
ENGINES: Final[dict[Engine, torch.dtype]] = {
    "fp32": torch.float32,
    "fp64": torch.float64,
    "int64": torch.int64,
}
INDICES: Final = 64
Z_PEAK: Final = 63
MAX_WIDTH: Final = 108
MAX_Z: Final = 216
"""With these many channels even the largest weights and biases that rounding lets through keep
every sum below 2^24, so no training can break the bound."""
_PEAK = 127
_EXACT = 1 << 24
_BIAS_PEAK = 1 << 20
_KNOT_BITS = KNOT_STEP.bit_length() - 1


@dataclass(frozen=True)
class Stage:
    """One integer layer: out = clamp((weights · in + bias + half) >> shift).

    Attributes:
        inputs: Channels in.
        outputs: Channels out, before `grow`.
        kernel: 1, or 3 for the 3 x 3 neighbourhood, zero outside the image.
        grow: Whether four channels become one of twice the height and width.
        levels: Whether the bias depends on the quality level.
        weight_bits: Fraction bits of the weights.
        bits: Fraction bits of input and output.
        peaks: Largest magnitude of input and output.
    """

    inputs: int
    outputs: int
    kernel: int = 1
    grow: bool = False
    levels: bool = False
    weight_bits: int = 7
    bits: tuple[int, int] = (4, 4)
    peaks: tuple[int, int] = (_PEAK, _PEAK)

    @property
    def shift(self) -> int:
        """Bits dropped from the sum."""
        return self.weight_bits + self.bits[0] - self.bits[1]

    @property
    def half(self) -> int:
        """Added to the sum, so that dropping bits rounds to nearest."""
        return 1 << (self.shift - 1)


class IntLayer(nn.Module):
    """A layer with float parameters to train and integer buffers to decode with."""

    weight_int: Tensor
    bias_int: Tensor

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        fan_in = stage.inputs * stage.kernel**2
        rows = KNOTS if stage.levels else 1
        self.weight = nn.Parameter(torch.randn(stage.outputs, fan_in) * (2 / fan_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(rows, stage.outputs))
        shape = (stage.outputs, fan_in)
        self.register_buffer("weight_int", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("bias_int", torch.zeros((rows, stage.outputs), dtype=torch.int32))

    def relaxed(self, x: Tensor, levels: Tensor) -> Tensor:
        """`exact` on the rounded parameters, with gradients; float32 integers in and out."""
        weight, bias = self._rounded()
        return self._run(x, levels, weight, bias)

    def exact(self, x: Tensor, levels: Tensor) -> Tensor:
        """Integers (B, C', H', W') of `x` (B, C, H, W), both of one of the `ENGINES`' types."""
        return self._run(x, levels, self.weight_int.to(x), self.bias_int.to(x))

    @torch.no_grad()
    def freeze(self) -> None:
        """Writes the rounded parameters to the integer buffers."""
        weight, bias = self._rounded()
        self.weight_int.copy_(weight)
        self.bias_int.copy_(bias)

    def bound(self) -> int:
        """The largest magnitude any sum of the integer buffers can reach."""
        weights = self.weight_int.long().abs().sum(1) * self.stage.peaks[0]
        biases = self.bias_int.long().abs().amax(0)
        # Interpolating between knots sums eight of them before it divides.
        knots = int(biases.max()) * (KNOT_STEP if self.stage.levels else 1)
        return max(int((weights + biases).max()) + self.stage.half, knots)

    def _rounded(self) -> tuple[Tensor, Tensor]:
        stage = self.stage
        weight = bounded(self.weight * 2**stage.weight_bits, -_PEAK, _PEAK)
        bias = bounded(self.bias * 2 ** (stage.shift + stage.bits[1]), -_BIAS_PEAK, _BIAS_PEAK)
        return straight(weight, torch.round(weight)), straight(bias, torch.round(bias))

    def _run(self, x: Tensor, levels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        stage = self.stage
        size = x.shape[-2:]
        if stage.kernel == 3:
            x = _neighbours(x)
        sums = torch.matmul(weight, x.flatten(2)) + self._bias_at(levels, bias)[:, :, None]
        y = bounded(_dropped(sums + stage.half, stage.shift), 0, stage.peaks[1])
        y = y.unflatten(2, size)
        return F.pixel_shuffle(y, 2) if stage.grow else y

    def _bias_at(self, levels: Tensor, bias: Tensor) -> Tensor:
        """(B, C') interpolated between knots in whole numbers; (1, C') without levels."""
        if not self.stage.levels:
            return bias
        below, above = at_knots(levels)
        share = above[:, None].to(bias.dtype)
        return _dropped(bias[below] * (KNOT_STEP - share) + bias[below + 1] * share, _KNOT_BITS)


class IntScale(nn.Module):
    """Scale indices of the latents from the integers z, 1/64 to 1/16 of the image's size.

    Args:
        z_dim: Channels of z.
        width: Channels of the hidden layers.
        start: Index to expect of each channel at each knot before anything is learned, (9, C).

    Raises:
        ValueError: More channels than the bound on sums allows.
    """

    checksum: Tensor

    def __init__(self, z_dim: int, width: int, start: Tensor) -> None:
        super().__init__()
        at_most(MAX_WIDTH, width=width)
        at_most(MAX_Z, z_dim=z_dim)
        dim = start.shape[1]
        wide = Stage(width, width, kernel=3, weight_bits=8)
        enter = replace(wide, inputs=z_dim, levels=True, bits=(0, 4), peaks=(Z_PEAK, _PEAK))
        self.layers = nn.ModuleList(
            IntLayer(stage)
            for stage in (
                enter,
                Stage(width, 4 * width, grow=True),
                wide,
                Stage(width, 4 * width, grow=True),
                wide,
                Stage(width, dim, levels=True, bits=(4, 3), peaks=(_PEAK, INDICES - 1)),
            )
        )
        last = self._layers()[-1]
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.copy_(start.clamp(0, INDICES - 1) / 2 ** last.stage.bits[1])
        self.register_buffer("checksum", torch.full((), -1, dtype=torch.int64))
        self._engines: dict[torch.device, Engine] = {}

    def relaxed(self, z: Tensor, levels: Tensor) -> Tensor:
        """Indices as float32 integers with gradients, of `z` float32 integers and levels (B)."""
        with torch.autocast(z.device.type, enabled=False):
            x = bounded(z.float(), -Z_PEAK, Z_PEAK)
            for layer in self._layers():
                x = layer.relaxed(x, levels)
        return x

    @torch.no_grad()
    def exact(self, z: Tensor, levels: Tensor, engine: Engine | None = None) -> Tensor:
        """Indices (B, C, 4h, 4w) int64 in 0..63 of the integers `z` (B, Cz, h, w), levels (B).

        Args:
            z: Any integer type, magnitudes up to 63.
            levels: int64.
            engine: How to compute; by default the first that gives the stored checksum.
        """
        engine = engine or self.known_answer(z.device)
        # Not every accelerator has float64, none integer matrix products: fall back to the CPU.
        place = z.device if engine == "fp32" else torch.device("cpu")
        x, at = z.to(place, ENGINES[engine]), levels.to(place)
        with torch.autocast(place.type, enabled=False):
            for layer in self._layers():
                x = layer.exact(x, at)
        return x.to(z.device, torch.int64)

    def freeze(self) -> None:
        """Fixes the function: integers from the trained parameters, its bound, its checksum.

        Raises:
            WeightsError: The integers break the bound (E605).
        """
        for layer in self._layers():
            layer.freeze()
        self.certify()
        self._engines.clear()
        self.checksum.fill_(self._answer(self.checksum.device, "int64"))

    def certify(self) -> None:
        """Proves that every sum stays below 2^24 whatever the input.

        Raises:
            WeightsError: Some sum could reach it (E605).
        """
        for number, layer in enumerate(self._layers()):
            bound = layer.bound()
            if bound >= _EXACT:
                raise WeightsError(
                    f"layer {number} of the scale network can reach {bound}, the limit is {_EXACT}",
                    "the weights are damaged or were not made by resattn train: use another file",
                    code="E605",
                )

    def known_answer(self, device: torch.device | None = None) -> Engine:
        """The first engine that reproduces the stored checksum on `device`, tried once.

        Raises:
            WeightsError: None does, or the integers break their bound (E605).
        """
        device = device or self.checksum.device
        if device not in self._engines:
            self.certify()
            stored = int(self.checksum)
            for engine in ENGINES:
                if self._answer(device, engine) == stored:
                    self._engines[device] = engine
                    break
                _logger.warning("%s integers are not exact on %s", engine, device)
            else:
                raise WeightsError(
                    f"the scale network does not give its known answer {stored:#x} on {device}",
                    "the weights are damaged, or were never frozen: use another file",
                    code="E605",
                )
        return self._engines[device]

    def _layers(self) -> list[IntLayer]:
        return [cast(IntLayer, layer) for layer in self.layers]

    def _answer(self, device: torch.device, engine: Engine) -> int:
        """CRC-32 of the indices of fixed pseudo-random integers at three levels."""
        levels = torch.tensor([0, LEVELS // 3, LEVELS - 1], device=device)
        inputs = self._layers()[0].stage.inputs
        count = len(levels) * inputs * 16
        z = torch.arange(1, count + 1) * 48271 % 65537 % (2 * Z_PEAK + 1) - Z_PEAK
        index = self.exact(z.view(-1, inputs, 4, 4).to(device), levels, engine)
        return zlib.crc32(index.to(torch.uint8).cpu().numpy().tobytes())


def straight(x: Tensor, value: Tensor) -> Tensor:
    """`value` to the bit, with the gradient of `x`."""
    y: Tensor = _Straight.apply(x, value) if x.requires_grad else value  # type: ignore[no-untyped-call]
    return y


def bounded(x: Tensor, low: float, high: float) -> Tensor:
    """`x` clamped; outside, only gradients that lead back inside pass."""
    y: Tensor = _Bounded.apply(x, low, high) if x.requires_grad else x.clamp(low, high)  # type: ignore[no-untyped-call]
    return y


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        del ctx, x
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        del ctx
        return grads[0], None


class _Bounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.limits = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,), (low, high), (grad,) = ctx.saved_tensors, ctx.limits, grads
        blocked = ((x < low) & (grad > 0)) | ((x > high) & (grad < 0))
        return grad.masked_fill(blocked, 0), None, None


def _dropped(x: Tensor, bits: int) -> Tensor:
    """floor(x / 2^bits); exact in floating point because the divisor is a power of two."""
    if not x.is_floating_point():
        return x >> bits
    scaled = x * 2.0**-bits
    return straight(scaled, scaled.floor())


def _neighbours(x: Tensor) -> Tensor:
    """Each pixel's 3 x 3 neighbourhood as channels: (B, 9 C, H, W), offset first."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (1, 1, 1, 1))
    return torch.cat(
        [padded[..., r : r + height, c : c + width] for r in range(3) for c in range(3)], 1
    )
