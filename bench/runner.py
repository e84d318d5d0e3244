"""What the runner costs: overhead, journal, a hundred thousand files, two processes.

    python -m bench.runner                the four bars of docs/folders.md
    python -m bench.runner --only crowd   one of overhead, journal, crowd, pair

Costs are CPU times, which a busy machine hardly changes; the gain of a second process needs an idle
one, so the load is printed beside it.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from resattn.io.image import encode_image
from resattn.pipelines import batch as batching
from resattn.pipelines import super_resolve
from resattn.pipelines.attempt import Made
from resattn.pipelines.batch import Order
from resattn.pipelines.journal import Head, Journal
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.run import execute

MOST_OVERHEAD = 0.03
MOST_JOURNAL_MS = 1.0
MOST_FIRST_S = 5.0
MOST_GROWTH_MB = 200.0
LEAST_GAIN = 1.7

FILES, SIDE = 100, 64
PAIR_S, PAIR_SIDE = 60.0, 256
CROWD = 100_000
QUIET = Progress(enabled=False)


def run(plan: Plan, work: Work, order: Order) -> list[Result]:
    """A whole run as `conduct` makes it."""
    share = batching.share(plan, order)
    with batching.opened(share, order, lambda: False) as batch:
        return list(execute(share.plan, work, QUIET, batch))


def overhead(folder: Path) -> bool:
    """CPU time outside of the work, over that inside, for 100 photographs enlarged ×4."""
    photographs(folder / "in", FILES, SIDE)
    config = super_resolve.SuperResolveConfig()
    work, inside = super_resolve.work(config), 0.0

    def timed(item: Item, progress: Progress) -> Result:
        nonlocal inside
        begun = time.process_time()
        try:
            return work(item, progress)
        finally:
            inside += time.process_time() - begun

    begun = time.process_time()
    plan = super_resolve.plan([str(folder / "in")], folder / "out", scale=config.scale)
    results = run(plan, timed, Order("super-resolve", asdict(config), folder / "out"))
    outside = time.process_time() - begun - inside
    if any(result.status != "ok" for result in results):
        raise RuntimeError("an item failed")
    each = f"{1e3 * outside / FILES:.1f} of {1e3 * inside / FILES:.0f} ms CPU per file"
    return say(
        f"overhead on {FILES} files of {SIDE}²", outside / inside, MOST_OVERHEAD, ".2%", each
    )


def journal(folder: Path) -> bool:
    """CPU time of the two lines that an item costs, with a result as a verb gives it."""
    count = 10_000
    head = Head("copy", "0" * 64, "0" * 64, count, "1/1", time.time(), (), {})
    scores = dict.fromkeys(("psnr", "ssim", "sam", "ergas", "q", "scc"), 0.123456789)
    baselines = dict.fromkeys(("bicubic", "lanczos"), scores)
    path = folder / "in" / "image.tif"
    made = Made("0" * 64, Result("image", "ok", (path,), scores, baselines, {"size": "64×64"}))
    begun, wall = time.process_time(), time.perf_counter()
    with Journal(folder, head) as lines:
        for number in range(count):
            item = Item(f"{number}", (path,), folder / f"{number}.tif")
            lines.start(item)
            lines.finish(item, number, made)
    cpu, wall = time.process_time() - begun, time.perf_counter() - wall
    note = f"{1e3 * wall / count:.3f} ms wall"
    return say("journal per item, ms CPU", 1e3 * cpu / count, MOST_JOURNAL_MS, ".3f", note)


def crowd(folder: Path) -> bool:
    """A folder of 100,000 files in a process of its own: start to first result, and memory."""
    (folder / "in").mkdir()
    for number in range(CROWD):
        (folder / "in" / f"{number:06}.png").touch()
    command = [sys.executable, "-m", "bench.runner", "--crowd-of", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu, wall, growth, total = map(float, done.stdout.split())
    first = f"{wall:.1f} s wall"
    passed = say(f"first of {CROWD:,} results, s CPU", cpu, MOST_FIRST_S, ".2f", first)
    memory = f"all of them in {total:.0f} s CPU"
    return say("growth of memory meanwhile, MB", growth, MOST_GROWTH_MB, ".0f", memory) and passed


def crowd_of(folder: Path) -> None:
    """CPU and wall time until the first result, MB that the run added, CPU time of all."""
    wall = time.perf_counter()
    before = peak_mb()
    plan = super_resolve.plan([str(folder / "in")], folder / "out", scale=4)
    share = batching.share(plan, order := Order("copy", {}, folder / "out"))
    results, first = [], (0.0, 0.0)
    with batching.opened(share, order, lambda: False) as batch:
        for result in execute(share.plan, nothing(None), QUIET, batch):
            if not results:
                first = (time.process_time(), time.perf_counter() - wall)
            results.append(result)
    print(*first, peak_mb() - before, time.process_time())


def peak_mb() -> float:
    """Most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pair(folder: Path) -> bool:
    """Wall time of one single-thread process over that of two, start-up and all: a minute's work.

    Start-up is the time for two photographs of a few pixels; torch is imported by every process.
    """
    photographs(folder / "few", 2, 8)
    photographs(folder / "pilot", 8, PAIR_SIDE)
    started = [enlarging(folder / "few", workers) for workers in (1, 2)]
    each = (enlarging(folder / "pilot", 1) - started[0]) / 8
    count = math.ceil(PAIR_S / each)
    photographs(folder / "in", count, PAIR_SIDE)
    one, two = (enlarging(folder / "in", workers) for workers in (1, 2))
    note = (
        f"{count} files of {PAIR_SIDE}² in {one:.0f} and {two:.0f} s, start-up {started[0]:.1f} "
        f"and {started[1]:.1f} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    )
    return say("gain of a second process", one / two, LEAST_GAIN, ".2f", note, least=True)


def enlarging(source: Path, workers: int) -> float:
    """Wall seconds of `resattn super-resolve`, one thread in each of its processes."""
    out = source.with_name(f"{source.name}-by-{workers}")
    command = [sys.executable, "-m", "resattn", "super-resolve", str(source), "-o", str(out)]
    options = ["--workers", str(workers), "--threads", "1", "--quiet"]
    begun = time.perf_counter()
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def photographs(folder: Path, count: int, side: int) -> None:
    """A folder of square PNGs full of noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (3, side, side), np.uint8)
        (folder / f"{number:04}.png").write_bytes(encode_image(pixels, format="png"))


@portable
def nothing(_config: None) -> Work:
    """Work that does none."""
    return lambda item, _: Result(item.name, "ok", (item.output,))


def say(name: str, value: float, bar: float, form: str, note: str, *, least: bool = False) -> bool:
    """Prints a line; whether the bar is met."""
    met = value >= bar if least else value <= bar
    sign = ">=" if least else "<="
    verdict = "ok" if met else "MISSED"
    print(f"{name:36} {value:>8{form}}  {sign} {bar:{form}}  {verdict:7} {note}", flush=True)
    return met


PARTS: dict[str, Callable[[Path], bool]] = {
    "overhead": overhead, "journal": journal, "crowd": crowd, "pair": pair,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The table on stdout; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--crowd-of", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.crowd_of:
        crowd_of(chosen.crowd_of)
        return 0
    met = []
    for name, part in PARTS.items():
        if chosen.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                met.append(part(Path(folder)))
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
