"""What a caller must know of a model to run it on an image of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from resattn.config import Config

Tiling = Literal["exact", "statistics", "per-tile"]


@dataclass(frozen=True)
class ModelDescriptor(Config):
    """Facts of a model that tiling, padding and file output depend on.

    Attributes:
        name: Architecture and variant, such as ``craft.x4``.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        scale: Output pixels per input pixel along a side.
        multiple: Sides of the input must be multiples of it; the caller pads.
        radius: Distance in input pixels beyond which nothing changes an output pixel, image-wide
            statistics aside; None if there is no such distance.
        grid: Tiles must start at multiples of these rows and columns.
        tiling: "exact" if tiles with a halo give the image's own result bit for bit,
            "statistics" if they do once `resattn.mixers.sweep` has measured the image, "per-tile"
            if the result depends on the tiles.
    """

    name: str
    in_channels: int
    out_channels: int
    scale: int = 1
    multiple: int = 1
    radius: int | None = None
    grid: tuple[int, int] = (1, 1)
    tiling: Tiling = "per-tile"

    def __post_init__(self) -> None:
        if self.tiling != "per-tile" and self.radius is None:
            raise ValueError(f"{self.name}: tiling {self.tiling!r} needs a receptive radius")

    def halo(self) -> tuple[int, int]:
        """Rows and columns to read around a tile: the radius, up to the grid and the multiple.

        Raises:
            ValueError: The model has no finite radius.
        """
        if self.radius is None:
            raise ValueError(f"{self.name} sees the whole image: no halo makes its tiles exact")
        steps = (math.lcm(step, self.multiple) for step in self.grid)
        rows, columns = (-(-self.radius // step) * step for step in steps)
        return rows, columns
