"""Our enlargers and the peers on the standard test sets, with the bars beside them.

    RESATTN_SHARED=... python -m bench.super_resolve --set Set5 --scale 4 --json results.json

Every enlarger is given the same low-resolution pixels in one process on one thread; CPU seconds
are those of the enlargement, ours with reading and writing of the PNG files. Peers that are not
installed are listed as such.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bench.super_resolve_peers import NAMES, AbsentError, peer
from resattn.errors import WeightsError
from resattn.io.image import read_image, write_image
from resattn.metrics.luma import psnr_y, ssim_y
from resattn.pipelines.plan import Item
from resattn.pipelines.progress import Progress
from resattn.pipelines.super_resolve import SuperResolveConfig, work
from resattn.tiling import Window
from resattn.upscale.resize import BICUBIC, LANCZOS, Kernel, Resampler

Pixels = NDArray[np.uint8]
Enlarge = Callable[[Pixels], Pixels]
"""(3, h, w) to (3, s h, s w)."""

SETS = ("Set5", "Set14")
OURS = ("fast", "fast bf16", "fast ensemble", "quality", "quality ensemble")


@dataclass(frozen=True, slots=True)
class Bar:
    """A number to reach: PSNR of Y in dB at least, or CPU seconds per megapixel at most."""

    row: str
    scale: int
    set: str
    column: str
    limit: float
    must: bool


BARS = (
    Bar("fast", 4, "Set5", "psnr_y", 31.5, must=True),
    Bar("fast", 4, "Set14", "psnr_y", 28.2, must=True),
    Bar("fast", 4, "Set14", "cpu_s_per_mp", 2.0, must=True),
    Bar("fast", 2, "Set5", "psnr_y", 37.2, must=True),
    Bar("fast", 2, "Set14", "psnr_y", 32.8, must=True),
    Bar("fast", 4, "Set5", "over_lanczos", 2.6, must=True),
    Bar("fast bf16", 4, "Set5", "off_fp32", 0.02, must=True),
    Bar("fast", 4, "Set5", "psnr_y", 32.20, must=False),
    Bar("fast", 4, "Set14", "psnr_y", 28.65, must=False),
    Bar("quality", 4, "Set5", "psnr_y", 32.44, must=False),
    Bar("quality", 4, "Set14", "psnr_y", 28.80, must=False),
    Bar("quality", 4, "Set14", "cpu_s_per_mp", 8.0, must=False),
    Bar("quality ensemble", 4, "Set5", "psnr_y", 32.55, must=False),
    Bar("quality ensemble", 4, "Set14", "psnr_y", 28.90, must=False),
    Bar("quality", 2, "Set5", "psnr_y", 38.07, must=False),
    Bar("quality", 2, "Set14", "psnr_y", 33.70, must=False),
)

AT_MOST = ("cpu_s_per_mp", "off_fp32")

Row = dict[str, Any]
Table = dict[str, Row]


def main(arguments: Sequence[str] | None = None) -> int:
    """The report on stdout; 1 if a bar that must be met is missed."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    shared = Path(os.environ.get("RESATTN_SHARED", "../shared"))
    report: dict[str, Any] = {"machine": _machine(), "tables": {}, "bars": []}
    print(*(f"{key}: {value}" for key, value in report["machine"].items()), sep="\n")
    for name in options.set or SETS:
        for scale in options.scale or (4, 2):
            folder = shared / "data" / "sr_test" / name / f"image_SRF_{scale}"
            table = measure(list(pairs(folder, scale)), scale, options)
            report["tables"][f"{name} ×{scale}"] = table
            show(f"{name} ×{scale}", table)
            report["bars"] += list(judge(table, name, scale))
    print("\n| bar | value | |\n|---|---:|---|")
    for bar in report["bars"]:
        print(f"| {bar['text']} | {bar['value']} | {bar['word']} |")
    report["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(bar["word"] == "MISSED" for bar in report["bars"]) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--set", action="append", choices=SETS, help="may be repeated")
    parser.add_argument("--scale", action="append", type=int, help="may be repeated")
    parser.add_argument("--only", action="append", help="rows whose name starts so")
    parser.add_argument("--weights", default="", help="a file in place of the fast model")
    parser.add_argument("--json", type=Path, help="where to keep the numbers")
    return parser.parse_args(arguments)


def pairs(folder: Path, scale: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Low-resolution image and truth, both (3, H, W), grey ones with three equal bands."""
    for path in sorted(folder.glob("*_LR.png")):
        low = _colour(read_image(path).pixels)
        truth = _colour(read_image(path.with_name(path.name.replace("_LR", "_HR"))).pixels)
        yield low, truth[:, : low.shape[1] * scale, : low.shape[2] * scale]


def _colour(pixels: NDArray[np.generic]) -> Pixels:
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])), np.uint8)


def measure(
    images: Sequence[tuple[Pixels, Pixels]], scale: int, options: argparse.Namespace
) -> Table:
    """A row per enlarger: mean scores, CPU seconds per output megapixel, or why it is absent."""
    table: Table = {}
    wanted: Iterable[str] = ("bicubic", "lanczos", *NAMES, *OURS)
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            if options.only and not any(name.startswith(start) for start in options.only):
                continue
            try:
                enlarge = _enlarger(name, scale, options.weights, Path(folder))
            except (AbsentError, WeightsError) as error:
                table[name] = {"problem": str(error).split(" (")[0]}
                continue
            table[name] = _scores(enlarge, images, scale)
    return table


def _enlarger(name: str, scale: int, weights: str, folder: Path) -> Enlarge:
    kernels = {kernel.name: kernel for kernel in (BICUBIC, LANCZOS)}
    if name in kernels:
        return _interpolator(kernels[name], scale)
    if name in NAMES:
        other = peer(name, scale)
        return lambda low: np.ascontiguousarray(
            other(np.ascontiguousarray(low.transpose(1, 2, 0))).transpose(2, 0, 1)
        )
    model, _, variant = name.partition(" ")
    config = SuperResolveConfig(
        scale=scale,
        model=model,
        weights=weights if model == "fast" else "",
        ensemble=variant == "ensemble",
        precision="bf16" if variant == "bf16" else "fp32",
        device="cpu",
        overwrite=True,
        threads=1,
    )
    return _product(config, folder)


def _interpolator(kernel: Kernel, scale: int) -> Enlarge:
    def enlarge(low: Pixels) -> Pixels:
        size = (low.shape[1] * scale, low.shape[2] * scale)
        resampler, whole = Resampler(low.shape[1:], size, kernel), Window(0, 0, *size)
        pixels = resampler.apply(low.astype(np.float32), whole)
        return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)

    return enlarge


def _product(config: SuperResolveConfig, folder: Path) -> Enlarge:
    """The whole verb, file to file."""
    enlarge_item = work(config)
    source, output = folder / "low.png", folder / "high.png"

    def enlarge(low: Pixels) -> Pixels:
        write_image(source, low, overwrite=True)
        enlarge_item(Item("low", (source,), output), Progress(enabled=False))
        return _colour(read_image(output).pixels)

    return enlarge


def _scores(enlarge: Enlarge, images: Sequence[tuple[Pixels, Pixels]], scale: int) -> Row:
    psnr, ssim, cpu, pixels = [], [], 0.0, 0
    enlarge(images[0][0])  # what a library sets up at its first call is not counted
    for low, truth in images:
        start = time.process_time()
        estimate = enlarge(low)
        cpu += time.process_time() - start
        pixels += estimate.shape[1] * estimate.shape[2]
        psnr.append(psnr_y(estimate, truth, border=scale))
        ssim.append(ssim_y(estimate, truth, border=scale))
    return {
        "psnr_y": float(np.mean(psnr)),
        "ssim_y": float(np.mean(ssim)),
        "cpu_s_per_mp": cpu / (pixels / 1e6),
    }


def show(title: str, table: Table) -> None:
    """One table in Markdown."""
    print(f"\n## {title}\n\n| enlarger | PSNR-Y dB | SSIM-Y | CPU s / MP |\n|---|---:|---:|---:|")
    for name, row in table.items():
        if "problem" in row:
            print(f"| {name} | {row['problem']} |")
        else:
            print(f"| {name} | {row['psnr_y']:.3f} | {row['ssim_y']:.4f} "
                  f"| {row['cpu_s_per_mp']:.3f} |", flush=True)  # fmt: skip


def judge(table: Table, set_name: str, scale: int) -> Iterator[dict[str, Any]]:
    """Each bar of this table with its value and ``pass``, ``reached``, ``MISSED`` or ``open``."""
    for bar in BARS:
        if (bar.set, bar.scale) != (set_name, scale):
            continue
        value = _value(table, bar)
        sign = "<=" if bar.column in AT_MOST else ">="
        kind = "must" if bar.must else "reach"
        text = f"{kind}: {bar.row} {set_name} ×{scale} {bar.column} {sign} {bar.limit:g}"
        if value is None:
            word = "not measured"
        elif (value <= bar.limit) if bar.column in AT_MOST else (value >= bar.limit):
            word = "pass" if bar.must else "reached"
        else:
            word = "MISSED" if bar.must else "open"
        shown = "-" if value is None else f"{value:.3f}"
        yield asdict(bar) | {"text": text, "value": shown, "word": word}


def _value(table: Table, bar: Bar) -> float | None:
    row = table.get(bar.row, {})
    if "psnr_y" not in row:
        return None
    other = {"over_lanczos": "cv2 lanczos4", "off_fp32": "fast"}.get(bar.column)
    if other is None:
        return float(row[bar.column])
    if "psnr_y" not in table.get(other, {}):
        return None
    difference = row["psnr_y"] - table[other]["psnr_y"]
    return float(abs(difference) if bar.column == "off_fp32" else difference)


def _machine() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip() or "unknown",
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
    }


if __name__ == "__main__":
    raise SystemExit(main())
