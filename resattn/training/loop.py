"""The training loop: one optimiser step after another until the clock says one.

Every step depends on the checkpointed state and the step number alone, so a run that was killed
and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from resattn import device as devices
from resattn.errors import WeightsError
from resattn.hashing import json_sha256
from resattn.training import checkpoint as checkpoints
from resattn.training.average import Average
from resattn.training.checkpoint import Checkpoint
from resattn.training.config import TrainConfig
from resattn.training.images import step_generator
from resattn.training.replicas import Replicas
from resattn.training.runlog import Line, RunLog
from resattn.training.schedule import Alarm, Clock, learning_rate
from resattn.training.task import Task
from resattn.training.warm import warm_start

CHECKPOINT, LOG = "checkpoint.safetensors", "log.jsonl"


@dataclass(frozen=True)
class Place:
    """Where a run computes and where it keeps its files.

    Attributes:
        run: Folder of the checkpoint and the log.
        device: Device of the model and the data.
        replicas: The processes that share the run.
    """

    run: Path
    device: torch.device = field(default_factory=devices.pick)
    replicas: Replicas = field(default_factory=Replicas)


@dataclass(frozen=True)
class Outcome:
    """What a run left: the averaged weights and how good they are.

    Attributes:
        weights: State dict with the averaged weights, on the host, float32.
        metrics: Of the last validation; empty on replicas that do not lead.
        steps: Steps done.
        spent_s: Seconds of training.
        lr: Learning rate of the last step taken here.
        finished: False if the run was stopped early; calling `fit` again continues it.
    """

    weights: dict[str, Tensor]
    metrics: dict[str, float]
    steps: int
    spent_s: float
    lr: float
    finished: bool


class Trainer:
    """One run of one task, continued from its checkpoint if there is one.

    Args:
        task: Model, data and loss.
        config: Length, optimiser and bookkeeping.
        place: Device, folder and processes.
        init: Weights to start from instead of random ones; what does not fit stays random.

    Raises:
        UserError: The folder holds a run with other settings.
        WeightsError: `init` is of another model (E604).
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        place: Place,
        init: dict[str, Tensor] | None = None,
    ) -> None:
        self.task = task
        self.config = config
        self.place = place
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            model = task.build()
        if init is not None:
            warm_start(model, task.inherited(init, model))
        self.model = model.to(place.device)
        _channels_last(self.model)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.lr,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
        )
        self.average = Average(self.model, config.ema)
        self.clock = Clock(config)
        self.metrics: dict[str, float] = {}
        self.step = 0
        self.rate = config.lr_floor
        self.finished = False
        # Of all that decides the weights: a checkpoint with another digest is another run.
        self._digest = json_sha256([task.name, task.facts(), config.to_dict()])
        task.to(place.device)
        self._restore()

    def fit(
        self, stop: Callable[[], bool] = lambda: False, tell: Callable[[Line], None] | None = None
    ) -> Outcome:
        """Trains to the end, or until `stop` is true; then saves and validates.

        Args:
            stop: Asked before every step, on the process that leads.
            tell: Called with every line of the log as it is written.

        Raises:
            WeightsError: The loss is no longer finite (E608); the last checkpoint is from before.
        """
        config, run = self.config, self.place.run
        run.mkdir(parents=True, exist_ok=True)
        writes = self.place.replicas.leads and not self.finished
        log = RunLog(run / LOG if writes else None, self.step, tell)
        save, validate = Alarm(config.checkpoint_s), Alarm(config.validate_s)
        stopped = False
        losses: list[Tensor] = []
        while not (self.finished or stopped):
            progress, stopping = self.place.replicas.agree(self.clock.progress(self.step), stop())
            losses.append(self._advance(progress))
            self.finished, stopped = progress >= 1, bool(stopping)
            if self.step % config.log_steps == 0:
                self._log_losses(log, losses)
            if save.rings():
                self._save(losses)
            if validate.rings():
                self._validate(log)
        self._save(losses)
        self._validate(log)
        return self._outcome()

    def _advance(self, progress: float) -> Tensor:
        """One optimiser step; returns its loss, still on the device so that nothing waits."""
        config, device = self.config, self.place.device
        self.rate = learning_rate(config, self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        drawn = self.task.sample(config.batch, step_generator(config.seed, self.step))
        batch = [t.to(device, non_blocking=True) for t in self.place.replicas.share(drawn)]
        with devices.autocast(device, config.precision):
            loss = self.task.loss(self.model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.place.replicas.average_gradients(self.model.parameters())
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.average.update(self.step)
        self.step += 1
        return loss.detach()

    def _log_losses(self, log: RunLog, losses: list[Tensor]) -> None:
        mean = self._mean(losses)
        log.write("train", self.step, loss=mean, lr=self.rate, spent_s=self._spent())
        losses.clear()

    def _mean(self, losses: list[Tensor]) -> float:
        mean = float(torch.stack(losses).mean()) if losses else 0.0
        if not math.isfinite(mean):
            raise WeightsError(
                f"the loss is {mean} near step {self.step}: the run diverged",
                "start another --run with a lower --lr",
                code="E608",
            )
        return mean

    def _validate(self, log: RunLog) -> None:
        if not self.place.replicas.leads:
            return
        self.model.eval()
        with self.average.applied(), torch.inference_mode():
            self.metrics = self.task.validate(self.model)
        self.model.train()
        log.write("validate", self.step, spent_s=self._spent(), **self.metrics)

    def _spent(self) -> float:
        return round(self.clock.spent_s, 1)

    def _save(self, losses: list[Tensor]) -> None:
        """Replaces the checkpoint, unless the `losses` since the last log line tell of NaN."""
        self._mean(losses)
        if not self.place.replicas.leads:
            return
        state = Checkpoint(
            run=self._digest,
            step=self.step,
            spent_s=self.clock.spent_s,
            finished=self.finished,
            model=self.model.state_dict(),
            average=self.average.values,
            optimizer=checkpoints.optimizer_state(self.optimizer),
        )
        checkpoints.save(state, self.place.run / CHECKPOINT)

    def _restore(self) -> None:
        found = checkpoints.load(self.place.run / CHECKPOINT, self._digest)
        if found is None:
            return
        self.model.load_state_dict(found.model)
        checkpoints.restore_optimizer(self.optimizer, found.optimizer)
        self.average.load(found.average)
        self.step, self.finished = found.step, found.finished
        self.clock = Clock(self.config, found.spent_s)

    def _outcome(self) -> Outcome:
        with self.average.applied():
            state = self.model.state_dict()
            weights = {name: value.detach().float().cpu().clone() for name, value in state.items()}
        return Outcome(
            weights, self.metrics, self.step, self.clock.spent_s, self.rate, self.finished
        )


def _channels_last(model: nn.Module) -> None:
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
