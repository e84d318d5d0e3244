r"""What the bridge is worth: the same detector with it and without, several seeds of each.

    python -m bench.detect_ablation --data bccd_trainval.safetensors --runs runs/bridge \
        --steps 350 --seeds 0 1 2 --folds 10 --fold 0 --set bccd/test.json

Host, data, schedule, initial host weights and the order of the views are the same in each pair.
A run that was stopped continues with the same command, and one that is finished is not repeated:
its scores lie in its folder. Whatever is finished is in `RUNS/result.json`. On one core of the
machine of docs/training.md a step of 4 × 384² costs .9 CPU seconds with the bridge and .64 without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.detect_sets import scored
from resattn.pipelines.train import Provenance, TrainJob, train
from resattn.training.config import TrainConfig

KINDS = {"with the bridge": {}, "without": {"bvr": None}}
SCORES = ("ap", "ap50", "ap75")


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
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for seed in options.seeds:
        for kind in KINDS:
            rows.append({"kind": kind, "seed": seed, **outcome(kind, seed, options)})
            print(json.dumps(rows[-1]), flush=True)
            text = json.dumps({"runs": rows, "gain": gains(rows)}, indent=1)
            (options.runs / "result.json").write_text(f"{text}\n")
    print(table(rows))


def outcome(kind: str, seed: int, options: Namespace) -> dict[str, float]:
    """Scores of one run on its fold and on the test set, trained if it is not yet."""
    folder = options.runs / f"{kind.replace(' ', '-')}-{seed}"
    kept = folder / "scores.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    job = TrainJob(
        task="detect",
        data=options.data,
        run=folder,
        config=TrainConfig(
            steps=options.steps, batch=options.batch, lr=options.lr, precision="bf16", seed=seed
        ),
        settings={"published": True, "frozen": 3, "model": KINDS[kind]},
        folds=options.folds,
        fold=options.fold,
        device="cpu",
        provenance=Provenance(name=f"detect.ablation-{seed}"),
    )
    made = train(job, tell=lambda line: print(line, file=sys.stderr, flush=True))
    sight = Namespace(
        weights=str(made.weights), set=options.set, folds=0, fold=0, size=-1, zoom=0,
        precision="fp32",
    )  # fmt: skip
    tested = scored(sight, 0)[0].numbers
    scores = {f"fold {name}": made.outcome.metrics[name] for name in SCORES[:2]}
    scores |= {f"test {name}": tested[name] for name in SCORES}
    kept.write_text(json.dumps(scores))
    return scores


def gains(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation, over the seeds run both ways, of what the bridge adds."""
    kinds = [{row["seed"]: row for row in rows if row["kind"] == kind} for kind in KINDS]
    paired = [(kinds[0][seed], kinds[1][seed]) for seed in kinds[0] if seed in kinds[1]]
    made = {}
    for score in [key for key in rows[0] if key not in ("kind", "seed")]:
        steps = [on[score] - off[score] for on, off in paired]
        if steps:
            spread = statistics.stdev(steps) if len(steps) > 1 else float("nan")
            made[score] = {"mean": statistics.fmean(steps), "spread": spread, "pairs": len(steps)}
    return made


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means and spread by kind, and the gain of each pair."""
    lines = []
    for score, gain in gains(rows).items():
        told = []
        for kind in KINDS:
            values = [row[score] for row in rows if row["kind"] == kind]
            spread = statistics.stdev(values) if len(values) > 1 else float("nan")
            told.append(f"{kind} {statistics.fmean(values):.4f} ± {spread:.4f}")
        lines.append(
            f"{score:10} {', '.join(told)}; gain {gain['mean']:+.4f} ± {gain['spread']:.4f} of "
            f"{gain['pairs']} pairs (bar > 0, reach +.010)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
