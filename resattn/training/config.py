"""What one training run is asked to do, written beside its log and its weights."""

from __future__ import annotations

from dataclasses import dataclass

from resattn.config import Config
from resattn.device import Precision


@dataclass(frozen=True)
class TrainConfig(Config):
    """Length, optimiser and bookkeeping of a run.

    Exactly one of `steps` and `minutes` is set; either way the learning rate follows one cosine
    from `lr` to `lr_floor`, so a run always ends annealed.

    Attributes:
        steps: Number of optimiser steps.
        minutes: Wall-clock length of the run, over all its resumptions.
        batch: Samples per step, over all devices.
        lr: Peak learning rate of AdamW.
        lr_floor: Learning rate of the last step.
        warmup: Steps over which the rate rises linearly at the start.
        weight_decay: Of AdamW.
        clip: Largest L2 norm of the gradient.
        ema: Decay per step of the averaged weights, which are the ones exported.
        precision: Of the forward and backward pass; the loss and the weights are float32.
        seed: Decides the initial weights, the order of the data and its augmentation.
        checkpoint_s: Seconds between checkpoints.
        validate_s: Seconds between validations.
        log_steps: Steps between log lines.
    """

    steps: int | None = None
    minutes: float | None = None
    batch: int = 8
    lr: float = 1e-3
    lr_floor: float = 1e-6
    warmup: int = 100
    weight_decay: float = 0.0
    clip: float = 0.5
    ema: float = 0.999
    precision: Precision = "fp32"
    seed: int = 0
    checkpoint_s: float = 60.0
    validate_s: float = 600.0
    log_steps: int = 100

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(
                f"set one of steps and minutes, got steps={self.steps}, minutes={self.minutes}"
            )
        length = self.steps if self.minutes is None else self.minutes
        if length is None or length <= 0:
            raise ValueError(f"the length of a run must be positive, got {length}")
        if not 0 < self.lr_floor <= self.lr:
            raise ValueError(f"need 0 < lr_floor <= lr, got {self.lr_floor} and {self.lr}")
        if self.precision == "fp16":
            raise ValueError("gradients vanish in fp16: choose bf16 or fp32")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must lie in [0, 1), got {self.ema}")
