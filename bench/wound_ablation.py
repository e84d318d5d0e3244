"""What attention is worth to the wound network: equal short trainings with and without it.

    python -m bench.wound_ablation --data fuseg803.safetensors --runs runs/wound_ablation

Every variant starts from the published encoder and takes the same steps on the same views, once per
seed; what is reported is the Dice of whole photographs of the held-out training fold.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.equal_steps import kept, rounds, told
from resattn.pipelines.train import TrainJob
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
    table = rounds(
        VARIANTS,
        range(options.seeds),
        lambda name, seed: kept(_job(options, name, seed), lambda made: made.outcome.metrics),
    )
    print(f"\n{options.steps} steps of 8 × {options.patch}², {options.seeds} seeds, fold 0 of 10")
    print(told(table, "dice", 100))


def _job(options: argparse.Namespace, name: str, seed: int) -> TrainJob:
    run = options.runs / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    config = TrainConfig(
        steps=options.steps, lr=5e-4, ema=0.99, precision="bf16", seed=seed, validate_s=1e9
    )
    settings = {"published": True, "patch": options.patch, "model": VARIANTS[name]}
    return TrainJob("segment-wound", options.data, run, config, settings, folds=10)


if __name__ == "__main__":
    main()
