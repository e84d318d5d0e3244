"""What the trainer asks of a task; the loop knows nothing else about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from resattn.config import Config, Json


class Task(ABC):
    """A model, its data and its loss.

    Attributes:
        name: As on the command line.
        metric: Name of the validation metric that says how good the model is.
        architecture: Key of `resattn.weights.architectures.ARCHITECTURES`.
        config: Settings of that architecture.
    """

    name: str
    metric: str
    architecture: str
    config: Config

    @abstractmethod
    def build(self) -> nn.Module:
        """A freshly initialised model."""

    def to(self, device: torch.device) -> None:  # noqa: B027 (a task may well do nothing)
        """Moves the data to where the model is, so that samples are cut there.

        A task whose data stay in main memory leaves this as it is: its samples are moved.
        """

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Sequence[Tensor]:
        """`count` samples drawn with this generator; the first axis counts samples."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """The scalar to minimise, float32; called under autocast."""

    @abstractmethod
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Metrics of the model on the validation fold."""

    @abstractmethod
    def facts(self) -> dict[str, Json]:
        """What decides the model and the data: settings, and digests of the data."""

    def inherited(self, weights: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:  # noqa: ARG002
        """What `model` starts from, given the `weights` of another run: these, unchanged.

        A task whose models can grow out of smaller ones does so here.

        Raises:
            WeightsError: They are of a model that this one cannot grow out of (E604).
        """
        return weights

    def decided(self, metrics: Mapping[str, float]) -> Config:  # noqa: ARG002 (a task may use it)
        """The settings as they go into the file, by the last validation: unchanged.

        A task whose users need a decision beside the weights, such as a threshold, takes it here.
        """
        return self.config

    def exported(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The averaged `weights` of a finished run as they go into the file: unchanged.

        A task whose model holds tensors that are made from the trained ones makes them here.
        """
        return dict(weights)
