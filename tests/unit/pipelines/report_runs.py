"""Runs with real files, for tests of reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resattn.io.image import encode_image
from resattn.pipelines.report import Run
from resattn.pipelines.result import Result


def picture(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(pixels))
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def run_of(folder: Path, count: int, *, side: int = 24, name: str = "item") -> Run:
    """`count` items with the files of three, metric psnr = 20 + place and a baseline 1 dB below."""
    files = [
        (
            picture(folder / f"in{i}.png", noise(3, side // 2, side // 2, seed=i)),
            picture(folder / f"out{i}.png", noise(3, side, side, seed=10 + i)),
            picture(folder / f"ref{i}.png", noise(3, side, side, seed=20 + i)),
        )
        for i in range(min(3, count))
    ]
    results = []
    for place in range(count):
        source, output, reference = files[place % 3]
        results.append(
            Result(
                f"{name}-{place:03}", "ok", (output,), {"psnr": 20.0 + place, "sam": 3.0},
                {"bicubic": {"psnr": 19.0 + place}}, inputs=(source,), reference=reference,
            )
        )  # fmt: skip
    return Run("super-resolve", {"scale": 2.0}, results)
