"""How far a run has come, and the learning rate that belongs there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from resattn.training.config import TrainConfig


class Clock:
    """Progress of a run in 0..1, by steps or by wall-clock time spent so far.

    Args:
        config: Length of the run.
        spent_s: Seconds that earlier parts of the run took.
        now: Source of monotonic seconds.
    """

    def __init__(
        self, config: TrainConfig, spent_s: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._now = now
        self._origin = now() - spent_s

    @property
    def spent_s(self) -> float:
        """Seconds of training so far, over all resumptions."""
        return self._now() - self._origin

    def progress(self, step: int) -> float:
        """Share of the run that is over when `step` (from 0) begins; 1 at the last step."""
        if self._config.minutes is not None:
            return min(1.0, self.spent_s / (60.0 * self._config.minutes))
        return min(1.0, step / max(1, (self._config.steps or 1) - 1))


def learning_rate(config: TrainConfig, step: int, progress: float) -> float:
    """Rate of step `step`: linear warm-up times a cosine from `lr` down to `lr_floor`."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * progress)
    rate = config.lr_floor + (config.lr - config.lr_floor) * cosine
    return max(config.lr_floor, rate * min(1.0, (step + 1) / max(1, config.warmup)))


class Alarm:
    """Rings once each time `every_s` seconds have passed.

    Args:
        every_s: The interval.
        now: Source of monotonic seconds.
    """

    def __init__(self, every_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._now = now
        self._last = now()

    def rings(self) -> bool:
        """Whether the interval is over; if so the next one begins."""
        if self._now() - self._last < self._every_s:
            return False
        self._last = self._now()
        return True
