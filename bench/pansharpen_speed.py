"""Speed, memory and independence of the tile size, ours beside the peers, on a made scene.

    python -m bench.pansharpen_speed                  4096² × 8 bands
    python -m bench.pansharpen_speed --side 20000 --method brovey --method mtf-glp-hpm
                                                      the size that the memory bar is set on: about
                                                      ten minutes of two cores and 15 GB of disk
    python -m bench.pansharpen_speed --network        the network alone, 512² × 8 bands

Wall time holds for an idle machine; on a shared one the megapixels per CPU second say more. The
load while measuring is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from bench.peers import GDAL, Files, Run, command, measured, run

BANDS, RATIO = 8, 4
LEAST_SPEED = {"brovey": 5.0, "mtf-glp-hpm": 2.5}
"""Megapixels a second that our methods must reach on two cores."""
LEAST_NETWORK, REACH_NETWORK = 0.2, 0.3
"""Megapixels a second of the network alone, in its faster precision."""
MOST_MEMORY = 2 * 2**30
MOST_CHANGE = 1.0
_STRIP = 512


@dataclass(frozen=True, slots=True)
class Speed:
    """One method on the made scene."""

    method: str
    megapixels_per_s: float
    megapixels_per_cpu_s: float
    peak_mb: float
    verdict: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The table on stdout; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--side", type=int, default=4096, help="PAN pixels, a multiple of 4")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--method", action="append")
    parser.add_argument("--network", action="store_true", help="measure the network alone")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.network:
        return network(options.threads)
    methods = options.method or [*LEAST_SPEED, GDAL, "otb rcs"]
    print(
        f"{options.side}² × {BANDS} bands, {options.threads} threads, load {os.getloadavg()[0]:.1f}"
    )
    print("\n| method | MP/s | MP/CPU s | MB | |\n|---|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        files = made_scene(Path(folder), options.side)
        rows = []
        for method in methods:
            outcome = run(method, files, Path(folder), options.threads)
            rows.append(_speed(method, outcome, options.side))
            _print(rows[-1])
            if outcome.output:
                outcome.output.unlink()
        change = tile_change(files, Path(folder), options.threads)
    print(f"\nlargest change between --tile 512 and --tile 1024: {change:g} DN")
    if options.json:
        report = {"side": options.side, "tile_change": change, "rows": [asdict(r) for r in rows]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(change > MOST_CHANGE or any(row.verdict.startswith("MISSED") for row in rows))


def network(threads: int, side: int = 512) -> int:
    """The table of passes of an adapted network over a tile on stdout; 1 if the bar is missed."""
    import torch

    from resattn.device import autocast
    from resattn.models.lambda_pnn import LambdaPnn, LambdaPnnConfig

    torch.set_num_threads(threads)
    print(f"network, {side}² × {BANDS} bands, {threads} threads, load {os.getloadavg()[0]:.1f}")
    print("\n| network | precision | MP/s | MP/CPU s |\n|---|---|---:|---:|")
    fastest = 0.0
    for name, config in (("ours", LambdaPnnConfig(BANDS)), ("paper", LambdaPnnConfig.paper(BANDS))):
        model = LambdaPnn(config).eval().to(memory_format=torch.channels_last)
        tile = torch.randn(1, config.inputs, side, side).to(memory_format=torch.channels_last)
        for precision in ("fp32", "bf16"):
            with torch.inference_mode(), autocast(torch.device("cpu"), precision):
                times = [_timed(lambda net=model, x=tile: net(x)) for _ in range(4)]
            wall, cpu = (side * side / 1e6 / min(spent) for spent in zip(*times, strict=True))
            print(f"| {name} | {precision} | {wall:.2f} | {cpu:.2f} |")
            fastest = max(fastest, wall) if name == "ours" else fastest
    print(f"\nours: {fastest:.2f} MP/s, bar {LEAST_NETWORK} / {REACH_NETWORK}")
    return int(fastest < LEAST_NETWORK)


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def made_scene(folder: Path, side: int) -> Files:
    """A PAN and MS pair of soft shapes and noise, 11 bits, written strip by strip."""
    pan = _write(folder / "pan.tif", 1, side, 1.0)
    ms = _write(folder / "ms.tif", BANDS, side // RATIO, float(RATIO))
    return Files(pan, ms, "worldview-3")


def tile_change(files: Files, folder: Path, threads: int) -> float:
    """Largest difference anywhere between two tile sizes; infinite if a run failed."""
    outputs = []
    for tile in (512, 1024):
        output = folder / f"tile{tile}.tif"
        words = [*command("mtf-glp-hpm", files, output, threads), "--tile", str(tile)]
        outputs.append(measured(words, output, {}).output)
    if None in outputs:
        return float("inf")
    with rasterio.open(outputs[0]) as first, rasterio.open(outputs[1]) as second:
        return max(
            float(np.abs(first.read(window=w) - second.read(window=w).astype(np.float64)).max())
            for w in _strips(first.height, first.width)
        )


def _write(path: Path, bands: int, side: int, pixel: float) -> Path:
    profile = {
        **{"driver": "GTiff", "dtype": "uint16", "crs": "EPSG:32631", "bigtiff": "if_safer"},
        **{"count": bands, "height": side, "width": side},
        **{"tiled": True, "blockxsize": 256, "blockysize": 256},
    }
    x = np.arange(side) * pixel
    with rasterio.open(path, "w", transform=Affine(pixel, 0, 0, 0, -pixel, 0), **profile) as file:
        for window in _strips(side, side):
            y = np.arange(window.row_off, window.row_off + window.height) * pixel
            shapes = np.sin(y[:, None] / 37) * np.cos(x / 53) + np.sin((y[:, None] + x) / 11)
            rng = np.random.default_rng((bands, window.row_off))
            noise = rng.normal(0, 40, (bands, window.height, side))
            gains = np.linspace(0.6, 1.4, bands)[:, None, None]
            file.write(
                np.clip(700 + 200 * gains * shapes + noise, 1, 2047).astype(np.uint16),
                window=window,
            )
    return path


def _strips(height: int, width: int) -> Iterator[Window]:
    for row in range(0, height, _STRIP):
        yield Window(0, row, width, min(_STRIP, height - row))


def _speed(method: str, outcome: Run, side: int) -> Speed:
    if outcome.output is None:
        return Speed(
            method,
            0,
            0,
            0,
            f"MISSED: {outcome.problem}" if method in LEAST_SPEED else outcome.problem,
        )
    size = side * side / 1e6
    speed, memory = size / outcome.wall_s, outcome.peak_bytes
    verdict = ""
    if method in LEAST_SPEED:
        kept = speed >= LEAST_SPEED[method] and memory <= MOST_MEMORY
        verdict = "pass" if kept else f"MISSED: {LEAST_SPEED[method]} MP/s in 2 GiB"
    return Speed(method, speed, size / outcome.cpu_s, memory / 2**20, verdict)


def _print(row: Speed) -> None:
    numbers = f"{row.megapixels_per_s:.2f} | {row.megapixels_per_cpu_s:.2f} | {row.peak_mb:.0f}"
    print(f"| {row.method} | {numbers} | {row.verdict} |")


if __name__ == "__main__":
    raise SystemExit(main())
