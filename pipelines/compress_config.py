"""The options of `compress` and `decompress`, frozen, and which of them contradict each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from resattn.codec.header import TILE_STEP
from resattn.codec.network import LEVELS
from resattn.errors import UserError
from resattn.pipelines.compute_config import ComputeConfig
from resattn.pipelines.levels import parse_range
from resattn.tiling import Window

BEST: Final = 100
"""The highest ``--quality``."""


@dataclass(frozen=True, slots=True)
class CompressConfig(ComputeConfig):
    """Everything that decides what `compress` writes, as the command line names it.

    Attributes:
        quality: 0 (smallest) to 100 (best).
        target_bpp: Bits per pixel to stay below, instead of a quality; 0 for none.
        target_psnr: PSNR in decibel that every tile must reach, instead of a quality; 0 for none.
        lossless: Keep every bit; needs no network.
        weights: A listed name or a file; empty takes the default.
        range: Values that are black and white: auto, type, measured, 11bit or LOW,HIGH.
        score: Decode the file again and compare it with the input.
        baselines: Also show other formats at the same size.
        max_pixels: Most pixels an input may claim; 0 takes the limit of its format.
        precision: Its arithmetic; integers are exact in any.
        tile: Side of a tile, a multiple of 64; 0 chooses.
        overlap: Without effect: tiles are coded on their own.
        ram: Without effect: a tile has a fixed largest size.
        seed: Without effect: nothing here is random.
    """

    quality: int = 70
    target_bpp: float = 0.0
    target_psnr: float = 0.0
    lossless: bool = False
    weights: str = ""
    range: str = "auto"
    score: bool = False
    baselines: bool = False
    max_pixels: int = 0

    @property
    def level(self) -> int:
        """The network's quality level that `quality` stands for."""
        return round(self.quality * (LEVELS - 1) / BEST)

    def result_options(self) -> dict[str, Any]:
        """The options that can change a byte: what the provenance hash covers."""
        names = ("quality", "target_bpp", "target_psnr", "lossless", "range", "tile")
        return {name: getattr(self, name) for name in (*names, "device", "precision")}

    def check(self) -> None:
        """Refuses what cannot be meant.

        Raises:
            UserError: E208 if options exclude each other or a value is out of range.
        """
        parse_range(self.range)
        if sum(map(bool, (self.target_bpp, self.target_psnr, self.lossless))) > 1:
            raise UserError(
                "--target-bpp, --target-psnr and --lossless exclude each other",
                "give one of them",
                code="E208",
            )
        if not 0 <= self.quality <= BEST or self.target_bpp < 0 or self.target_psnr < 0:
            raise UserError(
                f"--quality {self.quality}, --target-bpp {self.target_bpp:g}, "
                f"--target-psnr {self.target_psnr:g}",
                f"give a quality of 0 to {BEST} and targets above 0",
                code="E208",
            )
        if self.tile % TILE_STEP:
            lower = self.tile // TILE_STEP * TILE_STEP
            raise UserError(
                f"--tile {self.tile} is no multiple of {TILE_STEP}",
                f"give {lower or TILE_STEP} or {lower + TILE_STEP}",
                code="E208",
            )


@dataclass(frozen=True, slots=True)
class DecompressConfig(ComputeConfig):
    """Everything that decides what `decompress` writes, as the command line names it.

    Attributes:
        window: Part of the image to decode, as ROW,COL,HEIGHT,WIDTH; empty for all of it.
        salvage: Write what is intact of a damaged file.
        weights: A file with the network, where it is not installed.
        tile: Without effect: the file says how it is cut.
        overlap: Without effect.
        ram: Without effect.
        seed: Without effect.
    """

    window: str = ""
    salvage: bool = False
    weights: str = ""

    def result_options(self) -> dict[str, Any]:
        """The options that can change a pixel: what the provenance hash covers."""
        names = ("window", "salvage", "device", "precision")
        return {name: getattr(self, name) for name in names}

    def check(self) -> None:
        """Refuses a window that is none.

        Raises:
            UserError: E208.
        """
        self.part()

    def part(self) -> Window | None:
        """The window, or None for the whole image.

        Raises:
            UserError: E208 if the text is no window.
        """
        if not self.window:
            return None
        numbers = re.fullmatch(r"(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})", self.window)
        row, col, height, width = map(int, numbers.groups()) if numbers else (0, 0, 0, 0)
        if not height or not width:
            raise UserError(
                f"--window {self.window!r} is no window",
                "write ROW,COL,HEIGHT,WIDTH in pixels, for example 0,0,512,512",
                code="E208",
            )
        return Window(row, col, height, width)
