"""Quality measures, each with its unit, direction, range and source.

The functions are imported from their own modules (`from resattn.metrics.ergas import ergas`):
this one must stay free of NumPy, because `resattn info` reads the table within 150 ms.
"""

from __future__ import annotations

from resattn.metrics.table import METRICS, Metric

__all__ = ["METRICS", "Metric"]
