"""A network ready to run on arrays, and several of them one behind the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from resattn.device import Precision, autocast
from resattn.fusion.taps import Image
from resattn.models.descriptor import ModelDescriptor

UNBOUNDED_HALO = 32
"""Context given to a model that sees the whole image; beyond it, cells see themselves only."""


class Network:
    """A model that enlarges RGB images by a whole factor, with its device and precision.

    Args:
        module: Maps (B, 3, H, W) of 0..1 to (B, 3, sH, sW).
        descriptor: Its scale, reach and alignment.
        device: Where it runs.
        precision: Its arithmetic.
    """

    def __init__(
        self,
        module: nn.Module,
        descriptor: ModelDescriptor,
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        self.descriptor = descriptor
        self._device = device
        self._precision = precision
        # `to` moves the module in place; its stubs know only one of the two at a time.
        self._module = module.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs

    @property
    def scale(self) -> int:
        """Output pixels per input pixel along a side."""
        return self.descriptor.scale

    @property
    def halo(self) -> int:
        """Context in input pixels that a tile needs."""
        radius = self.descriptor.radius
        return UNBOUNDED_HALO if radius is None else radius

    @property
    def step(self) -> int:
        """Tiles start at multiples of it."""
        return math.lcm(self.descriptor.multiple, *self.descriptor.grid)

    def __call__(self, image: Image) -> Image:
        """The image (3, sH, sW) enlarged from (3, H, W), both float32."""
        height, width = image.shape[-2:]
        tall, wide = (
            -(-length // self.descriptor.multiple) * self.descriptor.multiple
            for length in (height, width)
        )
        padded = np.pad(image, ((0, 0), (0, tall - height), (0, wide - width)), mode="symmetric")
        batch = torch.from_numpy(padded)[None].to(self._device, memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(self._device, self._precision):
            enlarged = self._module(batch)[0, :, : height * self.scale, : width * self.scale]
        result: NDArray[np.float32] = enlarged.float().cpu().contiguous().numpy()
        return result


@dataclass(frozen=True, slots=True)
class Cascade:
    """Networks applied one after the other."""

    networks: tuple[Network, ...]

    @property
    def scale(self) -> int:
        """The product of their factors."""
        return math.prod(network.scale for network in self.networks)

    @property
    def halo(self) -> int:
        """Context, in pixels of the first input, that a tile needs."""
        total, factor = 0, 1
        for network in self.networks:
            total += -(-network.halo // factor)
            factor *= network.scale
        return total

    @property
    def step(self) -> int:
        """Tiles start at multiples of it, in pixels of the first input."""
        step, factor = 1, 1
        for network in self.networks:
            step = math.lcm(step, network.step // math.gcd(network.step, factor))
            factor *= network.scale
        return step

    def __call__(self, image: Image) -> Image:
        """The image (3, sH, sW) enlarged from (3, H, W), both float32."""
        for network in self.networks:
            image = network(image)
        return image


def factors(scale: float, available: Sequence[int]) -> tuple[int, ...]:
    """The network scales to apply for `scale`: the least product that suffices, at most two.

    Where a single network suffices no two are taken. The larger factor comes first: the second
    network then has less to guess.

    Raises:
        ValueError: No network is available, or no two reach the scale.

    Example:
        >>> factors(3.0, [2, 4]), factors(6.0, [2, 3, 4]), factors(8.0, [4])
        ((4,), (3, 2), (4, 4))
    """
    single = [(factor,) for factor in available if factor >= scale]
    if single:
        return min(single)
    pairs = [
        pair
        for pair in itertools.combinations_with_replacement(sorted(available, reverse=True), 2)
        if math.prod(pair) >= scale
    ]
    if not pairs:
        raise ValueError(f"no two networks of scales {sorted(available)} reach ×{scale:g}")
    return min(pairs, key=lambda pair: (math.prod(pair), pair))
