"""What a run returns: one `Result` per item, the same for the shell and for Python."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

Status = Literal["ok", "failed", "skipped"]
Scores = Mapping[str, float]
MEAN: Final = "mean."
"""Before the metric of a gate: the mean over all items is held against it, not every item."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one item.

    Attributes:
        name: The item's name.
        status: ``ok``, ``failed`` or ``skipped``.
        outputs: Files written, the main one first.
        metrics: Values by metric name; units and directions are in `resattn.metrics.METRICS`.
        baselines: The same metrics for methods run beside ours, by method.
        facts: What was measured or decided on the way, such as a registration shift.
        warnings: Sentences worth a user's attention.
        seconds: Wall time of the item.
        error: ``error[CODE] message`` of a failed item.
        inputs: Files read, in the order of the pipeline.
        reference: What the main output was compared with.
        sha256: Of every file read and written, by path; empty where nobody asked for it.
        of_run: True for the one result that is about all items together.
    """

    name: str
    status: Status
    outputs: tuple[Path, ...] = ()
    metrics: Scores = field(default_factory=dict)
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""
    inputs: tuple[Path, ...] = ()
    reference: Path | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    of_run: bool = False

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Result:
        """The result whose `dataclasses.asdict` went through JSON.

        A score that reports write as null, being infinite or undefined, comes back as NaN.
        """
        files = {name: tuple(map(Path, document[name])) for name in ("outputs", "inputs")}
        reference = document["reference"] and Path(document["reference"])
        warnings = tuple(document["warnings"])
        scores = {
            "metrics": _numbers(document["metrics"]),
            "baselines": {name: _numbers(row) for name, row in document["baselines"].items()},
        }
        return cls(**{**document, **files, **scores, "reference": reference, "warnings": warnings})


def _numbers(scores: Mapping[str, float | None]) -> Scores:
    return {name: math.nan if value is None else value for name, value in scores.items()}


@dataclass(frozen=True, slots=True)
class Gate:
    """A quality bar set on the command line, for every item or for their mean."""

    metric: str
    limit: float
    below_fails: bool
    of_mean: bool = False

    @classmethod
    def parse(cls, text: str, *, below_fails: bool) -> Gate:
        """The gate of ``metric=value`` or ``mean.metric=value``."""
        metric, _, value = text.partition("=")
        bare = metric.removeprefix(MEAN)
        return cls(bare, float(value), below_fails, of_mean=bare != metric)

    def broken_by(self, finished: Sequence[Result]) -> list[str]:
        """Why the finished items do not pass, one sentence for each reason.

        What is measured of all items together is held against the gate in their place.
        """
        together = [r for r in finished if r.of_run and self.metric in r.metrics]
        finished = together or [r for r in finished if not r.of_run]
        if not self.of_mean:
            return [why for r in finished if (why := self._why(r.name, r.metrics))]
        rows = [result.metrics for result in finished]
        # An item without the metric takes it from the mean of all, or it would be left out unseen.
        shared = set(rows[0]).intersection(*rows) if rows else set()
        means = {name: statistics.fmean(row[name] for row in rows) for name in sorted(shared)}
        why = self._why(f"mean of {len(rows)}", means) if rows else ""
        return [why] if why else []

    def _why(self, what: str, scores: Scores) -> str:
        """Why these scores do not pass, or an empty string.

        A metric that was not measured does not pass: a gate that cannot see must not wave through.
        """
        value = scores.get(self.metric)
        sign = "<" if self.below_fails else ">"
        if value is None:
            known = ", ".join(scores) or "none"
            return f"{what}: {self.metric} was not measured (measured: {known})"
        # Written so that NaN, which compares false with everything, fails.
        passed = value >= self.limit if self.below_fails else value <= self.limit
        return "" if passed else f"{what}: {self.metric} {value:.6g} {sign} {self.limit:g}"


def broken_gates(
    results: Sequence[Result], fail_under: Sequence[str], fail_over: Sequence[str]
) -> list[str]:
    """One sentence for every gate and finished item, or mean, that do not agree."""
    gates = [Gate.parse(text, below_fails=True) for text in fail_under]
    gates += [Gate.parse(text, below_fails=False) for text in fail_over]
    finished = [result for result in results if result.status == "ok"]
    return [why for gate in gates for why in gate.broken_by(finished)]
