"""Every pansharpening method, ours and the peers', on every scene, with every bar beside it.

    RESATTN_SHARED=... python -m bench.pansharpen --json results.json

All methods run as commands on the same files. A peer that is absent is listed as such.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from bench.colour import colour_shift
from bench.pansharpen_bars import Verdict, colour_verdict, verdicts
from bench.pansharpen_scenes import Full, Scene, scenes
from bench.peers import ADAPTED, CLASSICAL, PEERS, UNREGISTERED, Run, read_on, run
from resattn.metrics.table import METRICS

FULL = ("r_ergas", "r_sam", "r_q2n", "d_rho", "d_lambda_k", "d_s", "hqnr")
REDUCED = ("ergas", "sam", "q2n", "q2n_padded", "scc", "psnr", "ssim")


def main(arguments: Sequence[str] | None = None) -> int:
    """The report on stdout; 1 if a bar is missed."""
    options = _parse(arguments)
    shared = Path(os.environ.get("RESATTN_SHARED", "../shared"))
    report: dict[str, Any] = {"machine": _machine(), "scenes": {}, "bars": []}
    print(*(f"{key}: {value}" for key, value in report["machine"].items()), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        data = shared / "data" / "pansharpen"
        for scene in scenes(data, Path(folder), options.scene or ()):
            rows = _measure(scene, options.method, Path(folder) / scene.name, options.threads)
            report["scenes"][scene.name] = rows
            table = {name: row["scores"] for name, row in rows.items() if row["scores"]}
            judged = list(verdicts(scene.name, table))
            shifts = {name: row["colour_shift"] for name, row in rows.items()}
            judged += filter(None, [colour_verdict(scene.name, shifts)])
            report["bars"] += [asdict(verdict) for verdict in judged]
            _print_scene(scene, rows)
            _print_verdicts(judged)
    missed = [bar for bar in report["bars"] if not bar["passed"]]
    print(f"\n{len(report['bars']) - len(missed)} of {len(report['bars'])} bars passed")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if missed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scene", action="append", help="only this one; may be repeated")
    parser.add_argument(
        "--method", action="append", help="only this one; may be repeated", default=None
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to keep the numbers")
    return parser.parse_args(arguments)


def _measure(
    scene: Scene, methods: Iterable[str] | None, folder: Path, threads: int
) -> dict[str, dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    known = (UNREGISTERED,) if _georeferenced(scene) else ()
    for method in methods or (*CLASSICAL, *ADAPTED, *known, *PEERS):
        outcome = run(method, scene.files, folder, threads)
        rows[method] = {
            "scores": scene.score(outcome.output) if outcome.output else {},
            "colour_shift": _colour(scene, outcome),
            "cpu_s": outcome.cpu_s,
            "wall_s": outcome.wall_s,
            "peak_mb": outcome.peak_bytes / 2**20,
            "problem": outcome.problem,
        }
    return rows


def _colour(scene: Scene, outcome: Run) -> tuple[float, float] | None:
    """Colour shift on georeferenced scenes, whose geometry is known."""
    if outcome.output is None or not isinstance(scene, Full) or not _georeferenced(scene):
        return None
    return colour_shift(*read_on(scene.files.pan, outcome.output), scene)


def _georeferenced(scene: Scene) -> bool:
    return isinstance(scene, Full) and scene.observer.grid.source == "georeference"


def _print_scene(scene: Scene, rows: Mapping[str, Mapping[str, Any]]) -> None:
    names = FULL if isinstance(scene, Full) else REDUCED
    titles = [METRICS[name].title for name in names]
    print(f"\n## {scene.name}\n")
    print("| method |", " | ".join(titles), "| colour shift | CPU s | MB |")
    print("|---|" + "---:|" * (len(titles) + 3))
    for method, row in rows.items():
        if row["problem"]:
            print(f"| {method} | {row['problem']} |")
            continue
        scores = " | ".join(f"{row['scores'][name]:.4f}" for name in names)
        shift = (
            "" if row["colour_shift"] is None else "{:+.1f}, {:+.1f}".format(*row["colour_shift"])
        )
        print(f"| {method} | {scores} | {shift} | {row['cpu_s']:.2f} | {row['peak_mb']:.0f} |")


def _print_verdicts(judged: Sequence[Verdict]) -> None:
    if not judged:
        return
    print("\n| bar | auto | best classical | peers | |\n|---|---:|---:|---|---|")
    for verdict in judged:
        peers = ", ".join(f"{name} {value:.4g}" for name, value in verdict.peers.items())
        word = "reached" if verdict.reached else "pass" if verdict.passed else "MISSED"
        numbers = f"{verdict.ours:.4g} | {verdict.classical:.4g}"
        print(f"| {verdict.text} | {numbers} | {peers} | {word} |")


def _machine() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip() or "unknown",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    raise SystemExit(main())
