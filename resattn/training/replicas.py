"""Several processes training one model, one GPU or core each, as started by torchrun.

Gradients are averaged in one message per step; the model needs no wrapper, and a run on one
process takes the same path with nothing to send.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Replicas:
    """This process among those of the run.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
        wire: Where tensors must lie to be sent.
    """

    rank: int = 0
    count: int = 1
    wire: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process writes the log, the checkpoints and the weights."""
        return self.rank == 0

    def share(self, batch: Sequence[Tensor]) -> list[Tensor]:
        """This process's part of a batch that every process drew alike.

        Raises:
            ValueError: If the batch does not divide evenly.
        """
        size = batch[0].shape[0]
        if size % self.count:
            raise ValueError(f"a batch of {size} does not divide among {self.count} processes")
        part = size // self.count
        return [t[self.rank * part : (self.rank + 1) * part] for t in batch]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces every gradient by its mean over the processes."""
        grads = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not grads:
            return
        flat = torch.cat([g.reshape(-1) for g in grads])
        dist.all_reduce(flat)
        flat /= self.count
        for grad, mean in zip(grads, torch.split(flat, [g.numel() for g in grads]), strict=True):
            grad.copy_(mean.view_as(grad))

    def agree(self, *values: float) -> tuple[float, ...]:
        """The leading process's values, so that all see one clock."""
        if self.count == 1:
            return values
        message = torch.tensor(values, dtype=torch.float64, device=self.wire)
        dist.broadcast(message, 0)
        return tuple(message.tolist())


@contextmanager
def replicas(device: torch.device) -> Iterator[Replicas]:
    """The processes of this run: those torchrun announced in the environment, else this one.

    Args:
        device: Where this process computes; see `own`.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Replicas()
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)  # NCCL sends from the current one
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Replicas(dist.get_rank(), count, device if on_gpu else torch.device("cpu"))
    finally:
        dist.destroy_process_group()


def own(device: torch.device) -> torch.device:
    """The GPU of this process: where none was named, the one torchrun numbered it for."""
    if str(device) != "cuda":
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
