"""Variants of a model, each trained for the same number of steps, once per seed.

A run that was stopped goes on where it was, and what is finished is not repeated: its scores lie in
its folder.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from resattn.pipelines.train import Trained, TrainJob, train

Scores = Mapping[str, float]


def rounds(
    variants: Iterable[str], seeds: Iterable[int], score: Callable[[str, int], Scores]
) -> dict[str, list[Scores]]:
    """The scores of every variant, seed by seed: half of a table is worth having.

    Args:
        variants: Names.
        seeds: A round of all variants each.
        score: Scores of a variant and a seed.
    """
    table: dict[str, list[Scores]] = {name: [] for name in variants}
    for seed in seeds:
        for name, rows in table.items():
            rows.append(score(name, seed))
            print(f"seed {seed}, {name}: {json.dumps(rows[-1])}", flush=True)
    return table


def kept(job: TrainJob, judge: Callable[[Trained], Scores]) -> Scores:
    """The scores `judge` gave the run of this job, which is trained now unless that was done."""
    file = job.run / "score.json"
    if not file.exists():
        file.write_text(json.dumps(dict(judge(train(job)))))
    return dict(json.loads(file.read_text()))


def told(table: Mapping[str, Sequence[Scores]], score: str, factor: float = 1) -> str:
    """A line per variant: mean, gain over the first variant with its spread, and every seed.

    Args:
        table: As `rounds` made it.
        score: Key of the score to tell.
        factor: What it is multiplied by.
    """
    base, *_ = table.values()
    lines = []
    for name, rows in table.items():
        values = [factor * row[score] for row in rows]
        gains = [value - factor * row[score] for value, row in zip(values, base, strict=True)]
        spread = f" ± {statistics.stdev(gains):.3f}" if len(gains) > 1 else ""
        each = ", ".join(f"{value:.3f}" for value in values)
        mean, gain = statistics.fmean(values), statistics.fmean(gains)
        lines.append(f"{name:28}{mean:8.3f}  {gain:+.3f}{spread}   ({each})")
    return "\n".join(lines)
