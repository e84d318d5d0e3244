"""What every job can be told about how it runs, once for all their configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class ComputeConfig:
    """The fields that the configuration of every job inherits.

    A job for which one is without effect says so in its own docstring.

    Attributes:
        overwrite: Replace existing outputs.
        device: Where networks run.
        precision: Their arithmetic.
        tile: Pixels per side taken at once; 0 chooses. It never changes a pixel of an image.
        overlap: Context beyond what the networks need, in pixels.
        ram: Memory to stay below, in words such as ``2GB``.
        threads: CPU threads; 0 takes all.
        seed: Of whatever is random.
    """

    overwrite: bool = False
    device: str = "auto"
    precision: Precision = "fp32"
    tile: int = 0
    overlap: int = 0
    ram: str = "2GB"
    threads: int = 0
    seed: int = 0
