"""The options of `metrics`, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resattn.errors import UserError
from resattn.pipelines.metrics_tasks import Task, choose


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Everything that decides what `metrics` measures, as the command line names it.

    Attributes:
        task: One of `TASKS`; empty where `metric` says enough.
        metric: Names by comma; empty takes those of the task.
        ratio: MS pixel size over PAN pixel size; 0 for unknown.
        peak: The value that counts as white; 0 finds it.
        border: Pixels at each edge that luma scores leave out; -1 takes the enlargement of
            `source`, and none without one.
        baselines: Whether baselines are measured too.
        source: What the outputs were made from: file, or folder paired by name.
        score: Least score of the boxes that precision, recall and F1 count.
        partial: Measure the pairs there are, when some are not.
        max_pixels: Most pixels a file may claim; 0 takes the limit of its kind.
    """

    task: str = ""
    metric: str = ""
    ratio: float = 0.0
    peak: float = 0.0
    border: int = -1
    baselines: bool = True
    source: Path | None = None
    score: float = 0.5
    partial: bool = False
    max_pixels: int = 0

    def chosen(self) -> Task:
        """What is measured.

        Raises:
            UserError: The options do not say, or contradict each other.
        """
        task = choose(self.task, self.metric)
        if "ergas" in task.metrics and not self.ratio:
            raise UserError(
                "ERGAS depends on the ratio of pixel sizes, and nothing says which it was",
                "give --ratio 4 (or 2 for Landsat), or leave ergas out of --metric",
                code="E208",
            )
        return task
