"""Pansharpening tools as commands, timed by what the kernel says they used.

Ours and the peers are run alike: files in, file out, a fresh process each. CPU seconds and peak
memory come from the kernel, so they hold on a shared machine and include child processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

Array = NDArray[np.float64]

CLASSICAL = (
    "exp",
    "brovey",
    "gsa",
    "mtf-glp",
    "mtf-glp-fs",
    "mtf-glp-hpm",
    "mtf-glp-reg",
    "bdsd",
)
ADAPTED = ("auto", "lambda-pnn")
# Peak memory of a process starts at that of its parent, across fork and exec; so a bare
# interpreter stands between the harness, which holds scenes, and the command it measures.
_LAUNCHER = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024], file)
sys.exit(code)
"""

UNREGISTERED = "auto unregistered"
"""Our default without the correction of residual shifts: what it makes of the georeference."""
GDAL = "gdal_pansharpen"
OTB = ("otb rcs", "otb lmvm", "otb bayes")
PEERS = (GDAL, *OTB)


@dataclass(frozen=True, slots=True)
class Files:
    """What a tool is given."""

    pan: Path
    ms: Path
    sensor: str


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one command: its output file, or why there is none."""

    output: Path | None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0
    problem: str = ""


def command(method: str, files: Files, output: Path, threads: int) -> list[str]:
    """The shell words that run `method`."""
    if method == GDAL:
        words = ["gdal_pansharpen.py", str(files.pan), str(files.ms), str(output)]
        return [*words, "-r", "cubic", "-threads", str(threads), "-q"]
    if method in OTB:
        return [
            "otbcli_BundleToPerfectSensor",
            *("-inp", str(files.pan), "-inxs", str(files.ms), "-out", str(output), "float"),
            *("-method", method.split()[1], "-progress", "0"),
        ]
    name, _, unregistered = method.partition(" ")
    return [
        *(sys.executable, "-m", "resattn", "pansharpen", str(files.pan), str(files.ms)),
        *("-o", str(output), "--method", name, "--sensor", files.sensor),
        *("--threads", str(threads), "--no-metrics", "--overwrite", "--quiet"),
        *(["--no-registration"] if unregistered else []),
    ]


def run(method: str, files: Files, folder: Path, threads: int = 2) -> Run:
    """One method on one scene, in a process of its own."""
    output = folder / f"{method.replace(' ', '_')}.tif"
    words = command(method, files, output, threads)
    if shutil.which(words[0]) is None:
        return Run(None, problem="not installed")
    limits = {"OMP_NUM_THREADS": str(threads), "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(threads)}
    return measured(words, output, limits)


def measured(words: Sequence[str], output: Path, environment: Mapping[str, str]) -> Run:
    """A command with its CPU time, wall time and peak memory."""
    log, usage = output.with_suffix(".log"), output.with_suffix(".usage")
    start = time.perf_counter()
    with log.open("wb") as sink:
        code = subprocess.call(
            [sys.executable, "-S", "-c", _LAUNCHER, str(usage), *words],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    wall = time.perf_counter() - start
    if code or not output.exists():
        lines = log.read_text(errors="replace").strip().splitlines() or ["no message"]
        return Run(None, problem=f"exit {code}: {lines[-1][:200]}")
    cpu, peak = json.loads(usage.read_text())
    return Run(output, cpu, wall, peak)


def write(path: Path, image: Array, pixel: float) -> Path:
    """An image as GeoTIFF with a made-up georeference: upper left corner 0, 0, square pixels.

    Whole numbers become uint16, others float32: what the tools are used to.
    """
    whole = bool((image == np.rint(image)).all() and image.min() >= 0 and image.max() <= 65535)
    data = image.astype(np.uint16 if whole else np.float32)
    count, height, width = data.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=data.dtype,
        crs="EPSG:32631",
        transform=Affine(pixel, 0, 0, 0, -pixel, 0),
    ) as file:
        file.write(data)
    return path


def read_on(pan: Path, fused: Path) -> tuple[Array, NDArray[np.bool_]]:
    """A fused file on PAN's grid, and where it has values: tools may widen or cut the extent."""
    with rasterio.open(pan) as grid, rasterio.open(fused) as file:
        top = round((file.transform.f - grid.transform.f) / grid.transform.e)
        left = round((file.transform.c - grid.transform.c) / grid.transform.a)
        data = file.read().astype(np.float64)
        valid = (file.dataset_mask() > 0) & np.isfinite(data).all(axis=0)
        image = np.zeros((file.count, grid.height, grid.width))
        known = np.zeros((grid.height, grid.width), dtype=np.bool_)
    bottom = min(top + data.shape[1], image.shape[1])
    right = min(left + data.shape[2], image.shape[2])
    there = slice(max(top, 0), bottom), slice(max(left, 0), right)
    here = slice(max(-top, 0), bottom - top), slice(max(-left, 0), right - left)
    image[:, *there] = data[:, *here]
    known[there] = valid[here]
    return image, known
