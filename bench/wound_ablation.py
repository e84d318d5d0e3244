"""What attention is worth to the wound network: equal short trainings with and without it.

    python -m bench.wound_ablation --data fuseg803.safetensors --runs runs/wound_ablation

Every variant starts from the published encoder and takes the same steps on the same views, once per
seed; what is reported is the Dice of whole photographs of the held-out training fold. A run that is
stopped goes on where it was when the command is repeated, and finished ones are not repeated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from resattn.pipelines.train import TrainJob, train
from resattn.training.config import TrainConfig

Model = Mapping[str, Any]

_NECK = [{"kind": kind, "dim": 96} for kind in ("position", "channel")]
VARIANTS: Mapping[str, Model] = MappingProxyType(
    {
        "none": {"block": None, "skip": None},
        "eca": {"block": "eca", "skip": None},
        "additive skips": {"block": None, "skip": "additive"},
        "eca, additive skips": {"block": "eca", "skip": "additive"},
        "cbam": {"block": "cbam", "skip": None},
        "large-kernel": {"block": "large-kernel", "skip": None},
        "position and channel neck": {"block": None, "skip": None, "neck": _NECK},
        "guided": {"block": None, "skip": None, "guided": True},
    }
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="training photographs")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--patch", type=int, default=192)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    table: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for seed in range(options.seeds):  # a whole round first: half of the table is worth having
        for name in VARIANTS:
            table[name].append(score(options, name, seed))
            print(f"seed {seed}, {name}: Dice {100 * table[name][-1]:.2f}", flush=True)
    print(f"\n{options.steps} steps of 8 × {options.patch}², {options.seeds} seeds, fold 0 of 10")
    for name, scores in table.items():
        gain = np.mean(scores) - np.mean(table["none"])
        each = ", ".join(f"{100 * value:.2f}" for value in scores)
        print(f"{name:28}{100 * np.mean(scores):6.2f}  {100 * gain:+5.2f}   ({each})")


def score(options: argparse.Namespace, name: str, seed: int) -> float:
    """Dice of the fold after the training of one variant, trained now unless that was done."""
    run = options.runs / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    kept = run / "score.json"
    if not kept.exists():
        outcome = train(_job(options, VARIANTS[name], seed, run)).outcome
        kept.write_text(json.dumps(dict(outcome.metrics)))
    return float(json.loads(kept.read_text())["dice"])


def _job(options: argparse.Namespace, model: Model, seed: int, run: Path) -> TrainJob:
    config = TrainConfig(
        steps=options.steps, lr=5e-4, ema=0.99, precision="bf16", seed=seed, validate_s=1e9
    )
    settings = {"published": True, "patch": options.patch, "model": model}
    return TrainJob("segment-wound", options.data, run, config, settings, folds=10)


if __name__ == "__main__":
    main()
