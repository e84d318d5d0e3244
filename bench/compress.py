"""The codec on Kodak by files on disk, beside stored anchors, with the bars of the product.

    RESATTN_SHARED=... python -m bench.compress --json results.json
    ... --weights run/mine.safetensors --images 4        # a first look at a training run
    ... --weights compress.base --size base              # the larger network, by its own bars
    ... --work FOLDER                                    # can be stopped, and goes on
    ... --large                                          # memory at 100 megapixels
    ... --images 1 --qualities 58 --large 4096           # what one tile of a large file costs

With --work each quality leaves a line in FOLDER, and a second run with the same weights and number
of images goes on where the first stopped. Exactness has a command of its own, bench.compress_exact.
Bits are those of whole files; pictures are decoded by a process of its own and read back from PNG.
CPU seconds are the kernel's, one thread, less those of the same command on an image of 64 × 64.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import bjontegaard
import numpy as np

from bench.compress_exact import QUALITIES
from bench.peers import Run, measured
from resattn.io.image import read_image, write_image
from resattn.metrics.error import psnr
from resattn.metrics.ms_ssim import ms_ssim

ANCHORS = (
    "jpeg420-prog", "webp-m6", "jpeg2000", "jxl-e7", "avif420-s6-default", "avif444-s6-psnr",
    "heic-x265-444-slow", "vvenc-fast-420-10b",
)  # fmt: skip
RATES = (0.05, 2.0)
"""Bits per pixel over which curves are compared, as in the stored tables."""

_LARGE = 10_000
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """A number that a measurement must stay below or reach."""

    name: str
    limit: float
    must: bool


SIZES = {
    "light": (
        Bar("bd_psnr jpeg420-prog", -20.0, must=True),
        Bar("bd_psnr avif444-s6-psnr", 0.0, must=False),
        Bar("decode_cpu_s_per_mp", 0.4, must=True),
    ),
    "base": (
        Bar("bd_psnr avif444-s6-psnr", -12.0, must=False),
        Bar("bd_psnr jxl-e7", -38.0, must=False),
        Bar("decode_cpu_s_per_mp", 2.5, must=True),
    ),
}
BARS = (
    Bar("encode_over_decode", 1.2, must=True),
    Bar("large_compress_peak_gb", 1.5, must=True),
    Bar("large_decompress_peak_gb", 1.5, must=True),
    Bar("large_window_cpu_s", 1.0, must=True),
)


@dataclass(frozen=True, slots=True)
class Point:
    """Means over the images at one quality; CPU seconds per megapixel."""

    quality: int
    bpp: float
    psnr: float
    ms_ssim: float
    encode_s: float
    decode_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and returns how many bars that must hold do not."""
    options = _parser().parse_args(arguments)
    kodak = Path(options.shared) / "data" / "kodak"
    images = sorted(kodak.glob("kodim*.png"))[: options.images]
    network = ["--weights", _named(options.weights)] if options.weights else []
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = Path(options.work or folder) / f"{_stem(options.weights)}-{len(images)}.jsonl"
        points = _points(images, options.qualities, network, kept)
        _print_points(points)
        found |= _compared(points, kodak / "anchors_kodak.csv", [i.stem for i in images])
        found["decode_cpu_s_per_mp"] = _mean(p.decode_s for p in points)
        found["encode_over_decode"] = _mean(p.encode_s for p in points) / max(
            found["decode_cpu_s_per_mp"], 1e-9
        )
        if options.large:
            found |= _large(network, folder, options.large)
    missed = _verdict(found, (*SIZES[options.size], *BARS))
    if options.json:
        report = {
            "machine": _machine(),
            "images": [image.stem for image in images],
            "points": [asdict(point) for point in points],
            "found": found,
        }
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return missed


def _named(weights: str) -> str:
    """A listed name as it is, a file by its whole path: commands may run elsewhere."""
    return str(Path(weights).resolve()) if weights.endswith(".safetensors") else weights


def bd_rate(anchor: Sequence[tuple[float, float]], ours: Sequence[tuple[float, float]]) -> float:
    """Mean difference in bits at equal quality, in percent; points are (bits per pixel, quality).

    Akima interpolation of both curves over the quality they share, within `RATES`; NaN where they
    share less than half, or a curve has fewer than four points.
    """
    curves = []
    for curve in (anchor, ours):
        inside = sorted(p for p in curve if RATES[0] <= p[0] <= RATES[1])
        if len(inside) < 4:
            return math.nan
        curves += [[p[0] for p in inside], [p[1] for p in inside]]
    low = max(curves[1][0], curves[3][0])
    high = min(curves[1][-1], curves[3][-1])
    if high - low < 0.5 * (curves[1][-1] - curves[1][0]):
        return math.nan
    value = bjontegaard.bd_rate(
        *curves, method="akima", require_matching_points=False, min_overlap=0
    )
    return float(value)


def _stem(weights: str) -> str:
    return Path(weights).name or "default"


def _points(
    images: Sequence[Path], qualities: Sequence[int], network: Sequence[str], kept: Path
) -> list[Point]:
    """Of all qualities; those already in `kept` are not measured again."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    known = {point.quality: point for point in _read(kept)}
    left = [quality for quality in qualities if quality not in known]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = _start(network, images[0], folder / "start") if left else Start(0, 0)
        for quality in left:
            point = known[quality] = _point(images, quality, network, start, folder)
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(point)) + "\n")
    return [known[quality] for quality in qualities]


def _read(path: Path) -> list[Point]:
    if not path.exists():
        return []
    return [Point(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Start:
    """CPU seconds to start each command and load the network."""

    compress: float
    decompress: float


def _start(network: Sequence[str], image: Path, folder: Path) -> Start:
    """Of 64 × 64 pixels out of the middle of `image`: what has no texture needs no network."""
    folder.mkdir()
    small = folder / "small.png"
    pixels = read_image(image).pixels
    row, column = (side // 2 - 32 for side in pixels.shape[1:])
    write_image(small, np.ascontiguousarray(pixels[:, row : row + 64, column : column + 64]))
    there = _run("compress", [small], folder / "small.rac", network)
    back = _run("decompress", [folder / "small.rac"], folder / "back.png", network)
    return Start(there.cpu_s, back.cpu_s)


def _point(
    images: Sequence[Path], quality: int, network: Sequence[str], start: Start, folder: Path
) -> Point:
    coded, back = folder / f"q{quality}", folder / f"q{quality}-png"
    there = _run("compress", images, coded, [*network, "--quality", str(quality)])
    encode = max(there.cpu_s - start.compress, 0.0)
    decode = max(_run("decompress", [coded], back, network).cpu_s - start.decompress, 0.0)
    rows, pixels = [], 0
    for image in images:
        original, decoded = read_image(image).pixels, read_image(back / image.name).pixels
        area = original.shape[1] * original.shape[2]
        pixels += area
        rows.append((
            8 * (coded / f"{image.stem}.rac").stat().st_size / area,
            psnr(decoded, original, peak=255),
            ms_ssim(decoded, original, peak=255),
        ))  # fmt: skip
    shutil.rmtree(back)
    bpp, quality_db, similarity = np.mean(rows, axis=0)
    per_mp = 1e6 / pixels
    return Point(
        quality, float(bpp), float(quality_db), float(similarity), encode * per_mp, decode * per_mp
    )


def _run(verb: str, inputs: Sequence[Path], out: Path, options: Sequence[str]) -> Run:
    words = [sys.executable, "-m", "resattn", verb, *map(str, inputs), "-o", str(out)]
    run = measured([*words, *options, "--threads", "1"], out, {"OMP_NUM_THREADS": "1"})
    if run.output is None:
        raise SystemExit(f"{verb}: {run.problem}")
    return run


def _compared(points: Sequence[Point], anchors: Path, images: Sequence[str]) -> dict[str, float]:
    """BD-rates of our means against those of each anchor over the same images."""
    with anchors.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["image"].split(".")[0] in images]
    found = {}
    for codec in ANCHORS:
        settings = sorted({row["setting"] for row in rows if row["codec"] == codec})
        curve = [
            [_mean(float(row[key]) for row in rows
                   if row["codec"] == codec and row["setting"] == setting)
             for key in ("bpp", "psnr_rgb", "ms_ssim")]
            for setting in settings
        ]  # fmt: skip
        found[f"bd_psnr {codec}"] = bd_rate(
            [(c[0], c[1]) for c in curve], [(p.bpp, p.psnr) for p in points]
        )
        found[f"bd_ms_ssim {codec}"] = bd_rate(
            [(c[0], _decibel(c[2])) for c in curve], [(p.bpp, _decibel(p.ms_ssim)) for p in points]
        )
    return found


def _decibel(similarity: float) -> float:
    return -10 * math.log10(max(1 - similarity, 1e-12))


def _large(network: Sequence[str], folder: Path, side: int) -> dict[str, float]:
    """Memory and time of a large raster, and the time that one tile of it takes."""
    source, coded = folder / "large.tif", folder / "large.rac"
    _write_large(source, side)
    there = _run("compress", [source], coded, network)
    back = _run("decompress", [coded], folder / "large-back.tif", network)
    corner = ["--window", "2048,2048,1024,1024", "--overwrite"]
    window = min(
        _run("decompress", [coded], folder / "window.tif", [*network, *corner]).cpu_s
        for _ in range(_TIMES)
    )
    torch = min(_bare(folder / "bare") for _ in range(_TIMES))
    return {
        "large_compress_peak_gb": there.peak_bytes / 1e9,
        "large_compress_cpu_s": there.cpu_s,
        "large_decompress_peak_gb": back.peak_bytes / 1e9,
        "large_decompress_cpu_s": back.cpu_s,
        "large_window_cpu_s": window - torch,
        "large_window_whole_cpu_s": window,
        "import_torch_cpu_s": torch,
    }


def _bare(out: Path) -> float:
    """CPU seconds of a process that imports torch and ends."""
    words = [sys.executable, "-c", "import sys, torch; open(sys.argv[1], 'w').close()", str(out)]
    return measured(words, out, {"OMP_NUM_THREADS": "1"}).cpu_s


def _write_large(path: Path, side: int) -> None:
    """A georeferenced RGB raster with structure at every scale, written by strips."""
    import rasterio

    profile = {
        "driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint8",
        "tiled": True, "compress": "deflate", "zlevel": 1,
    }  # fmt: skip
    cols = np.arange(side)
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, side, 512):
            rows = np.arange(row, min(row + 512, side))[:, None]
            rng = np.random.default_rng(row)
            smooth = [np.sin(rows / (40 + 9 * b)) * np.cos(cols / (60 + 7 * b)) for b in range(3)]
            noise = rng.normal(0, 4, (3, len(rows), side))
            block = np.clip(128 + 100 * np.stack(smooth) + noise, 0, 255).astype(np.uint8)
            dataset.write(block, window=((row, row + len(rows)), (0, side)))


def _verdict(found: Mapping[str, float], bars: Sequence[Bar]) -> int:
    missed = 0
    for name, value in found.items():
        bar = next((b for b in bars if b.name == name), None)
        note = ""
        if bar is not None:
            held = value <= bar.limit
            note = (
                f"  {'must' if bar.must else 'reach'} <= {bar.limit:g}: {'yes' if held else 'no'}"
            )
            missed += bar.must and not held
        print(f"{name:32}{value:10.4g}{note}")
    return missed


def _print_points(points: Sequence[Point]) -> None:
    print("quality     bpp    PSNR  MS-SSIM  enc s/MP  dec s/MP")
    for p in points:
        print(
            f"{p.quality:7}{p.bpp:8.4f}{p.psnr:8.3f}{p.ms_ssim:9.5f}"
            f"{p.encode_s:10.3f}{p.decode_s:10.3f}"
        )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip() or "unknown",
        "processor": platform.processor() or platform.machine(),
        "load": os.getloadavg()[0],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=os.environ.get("RESATTN_SHARED", "../shared"))
    parser.add_argument("--weights", default="", help="a file; by default the installed network")
    parser.add_argument("--size", choices=SIZES, default="light", help="whose bars to hold it to")
    parser.add_argument("--images", type=int, default=24, help="how many of the 24")
    parser.add_argument("--qualities", type=int, nargs="+", default=list(QUALITIES))
    parser.add_argument(
        "--large", type=int, nargs="?", const=_LARGE, default=0, metavar="SIDE",
        help="also a raster of 100 megapixels, or of that side, at least 3072",
    )  # fmt: skip
    parser.add_argument("--work", default="", help="folder in which finished qualities are kept")
    parser.add_argument("--json", default="", help="write all numbers there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
