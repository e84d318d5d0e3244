"""Quality measures, each with its unit, direction, range and source."""

from __future__ import annotations

from resattn.metrics.ergas import ergas
from resattn.metrics.q2n import q2n
from resattn.metrics.sam import sam
from resattn.metrics.table import METRICS, Metric

__all__ = ["METRICS", "Metric", "ergas", "q2n", "sam"]
