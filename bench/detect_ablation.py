r"""What the bridge is worth: the same detector without it and with it, several seeds of each.

    python -m bench.detect_ablation --data bccd_trainval.safetensors --runs runs/bridge \
        --steps 350 --seeds 0 1 2 --folds 10 --fold 0 --set bccd/test.json

Host, data, schedule, initial host weights and the order of the views are the same in each pair; the
bars are a gain above 0 and, as reach, of 1 point of AP on the test set. On one core of the machine
of docs/training.md a step of 4 × 384² costs .9 CPU seconds with the bridge and .64 without.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.detect_sets import scored
from bench.equal_steps import Scores, kept, rounds, told
from resattn.pipelines.train import Provenance, Trained, TrainJob
from resattn.training.config import TrainConfig

VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"without": {"bvr": None}, "with the bridge": {}}
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="set that --keep-data made")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--set", default="bccd/test.json", help="test set, below shared `detect`")
    options = parser.parse_args()
    table = rounds(
        VARIANTS,
        options.seeds,
        lambda name, seed: kept(job_of(options, name, seed), lambda made: judged(made, options)),
    )
    print(f"\n{options.steps} steps of {options.batch} × 384², {len(options.seeds)} seeds")
    for score in table["without"][0]:
        print(f"{score}\n{told(table, score, 100)}")


def job_of(options: Namespace, name: str, seed: int) -> TrainJob:
    """The run of a variant and a seed."""
    config = TrainConfig(
        steps=options.steps, batch=options.batch, lr=options.lr, precision="bf16", seed=seed
    )
    return TrainJob(
        "detect", options.data, options.runs / f"{name.replace(' ', '-')}-{seed}", config,
        {"published": True, "frozen": 3, "model": VARIANTS[name]},
        folds=options.folds, fold=options.fold, device="cpu",
        provenance=Provenance(name=f"detect.ablation-{seed}"),
    )  # fmt: skip


def judged(made: Trained, options: Namespace) -> Scores:
    """Average precisions of a finished run on its fold and on the test set."""
    sight = Namespace(
        weights=str(made.weights), set=options.set, folds=0, fold=0, size=-1, zoom=0,
        precision="fp32",
    )  # fmt: skip
    tested = scored(sight, 0)[0].numbers
    scores = {f"fold {name}": made.outcome.metrics[name] for name in ("ap", "ap50")}
    return scores | {f"test {name}": tested[name] for name in ("ap", "ap50", "ap75")}


if __name__ == "__main__":
    main()
