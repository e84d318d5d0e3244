"""What each score means: one line per metric, read by reports, gates and docs/metrics.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Literal

Kind = Literal["reference", "reduced", "full"]


@dataclass(frozen=True, slots=True)
class Metric:
    """Facts about one score.

    Args:
        name: Key in reports, option value on the command line, function name here.
        title: Name in print.
        unit: Unit of the value; empty where it has none.
        higher_is_better: Direction.
        range: Least and greatest possible value.
        kind: What it needs: a `reference` image, one at `reduced` resolution with the ratio, or
            only the inputs of the fusion at `full` resolution.
        source: Publication that defines it.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    range: tuple[float, float]
    kind: Kind
    source: str

    def better(self, first: float, second: float) -> bool:
        """Whether `first` is the better of two values; NaN is never better."""
        return first > second if self.higher_is_better else first < second

    @property
    def perfect(self) -> float:
        """The best possible value."""
        return self.range[1] if self.higher_is_better else self.range[0]


_ROWS = (
    Metric("ergas", "ERGAS", "%", False, (0, inf), "reduced", "Wald 2002"),
    Metric("sam", "SAM", "degrees", False, (0, 180), "reference", "Yuhas et al. 1992"),
    Metric("q2n", "Q2n", "", True, (0, 1), "reference", "Garzelli and Nencini 2009"),
)

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})
"""Every metric by name."""
