"""Checkpoints that are either complete or absent, whatever moment the process dies at.

They are safetensors files, not pickles: reading one cannot run code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from resattn.errors import UserError, WeightsError
from resattn.io.atomic import write_bytes

OptimizerState = dict[int, dict[str, Tensor]]


@dataclass
class Checkpoint:
    """Everything the next step depends on.

    Attributes:
        run: Digest of the run's settings: a checkpoint only continues the run that wrote it.
        step: Steps done.
        spent_s: Seconds of training done.
        finished: Whether no step is left.
        model: State dict.
        average: Averaged parameters by name.
        optimizer: State per parameter, by its position.
    """

    run: str
    step: int
    spent_s: float
    finished: bool
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: OptimizerState


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Replaces the checkpoint at `path`; a reader sees the old one or the new one, whole.

    Raises:
        OutputError: As `resattn.io.atomic.write_bytes` says.
    """
    facts = {"run": checkpoint.run, "step": checkpoint.step, "spent_s": checkpoint.spent_s}
    facts["finished"] = checkpoint.finished
    data = safetensors.torch.save(_flat(checkpoint), {"checkpoint": json.dumps(facts)})
    write_bytes(path, data, overwrite=True)


def load(path: Path, run: str) -> Checkpoint | None:
    """The checkpoint at `path`, or None if there is none yet.

    Raises:
        UserError: If it belongs to a run with other settings.
        WeightsError: If it is damaged (E602).
    """
    if not path.exists():
        return None
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["checkpoint"])
            belongs = facts["run"] == run
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                part, _, name = key.partition("/")
                parts[part][name] = file.get_tensor(key)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"the checkpoint {path} is damaged: {error!r}",
            "remove it to start the run again",
            code="E602",
        ) from error
    if not belongs:
        raise UserError(
            f"{path} was written by a run with other settings",
            "repeat the command that started it, or start a new --run from its weights with --init",
        )
    optimizer: OptimizerState = {}
    for key, value in parts["optimizer"].items():
        index, _, name = key.partition("/")
        optimizer.setdefault(int(index), {})[name] = value
    return Checkpoint(**facts, model=parts["model"], average=parts["average"], optimizer=optimizer)


def optimizer_state(optimizer: torch.optim.Optimizer) -> OptimizerState:
    """The optimiser's tensors per parameter position."""
    state: OptimizerState = optimizer.state_dict()["state"]
    return state


def restore_optimizer(optimizer: torch.optim.Optimizer, state: OptimizerState) -> None:
    """Puts back what `optimizer_state` gave; the settings of the optimiser stay its own."""
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def _flat(checkpoint: Checkpoint) -> dict[str, Tensor]:
    tensors = {f"model/{name}": value for name, value in checkpoint.model.items()}
    tensors |= {f"average/{name}": value for name, value in checkpoint.average.items()}
    for index, state in checkpoint.optimizer.items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
    # A contiguous copy: channels_last weights would lose their order of axes in the file.
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
