"""The contract every attention mechanism of the core fulfils (docs/core.md).

A mixer holds no norm, no residual, no scale and no image size. What it declares about itself
(layout, family, radius, cost) is checked by tests/unit/core for every entry of the registry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from torch import Tensor, nn

from resattn.config import Config, Json
from resattn.ops.attend import Impl
from resattn.ops.statistics import RUN, Inner, Statistics

Layout = Literal["NCHW", "NHWC"]
Family = Literal["gate", "channel", "window", "global", "keys"]


@dataclass(frozen=True)
class MixerConfig(Config):
    """Settings of one mixer.

    Attributes:
        kind: Its name in the registry and in JSON.
        dim: Channels of the image.
    """

    kind: ClassVar[str]
    dim: int

    def to_dict(self) -> dict[str, Json]:
        """Plain JSON values, led by ``kind``."""
        return {"kind": self.kind, **super().to_dict()}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """The mixer config whose ``kind`` the data names; `cls` itself if it names none.

        Raises:
            ValueError: The kind is unknown or is not a `cls`, or a value is wrong.
        """
        from resattn.registry import config_type  # the table imports every mixer, hence this file

        fields = dict(data)
        kind = fields.pop("kind", None)
        if kind is None or kind == getattr(cls, "kind", None):
            return super().from_dict(fields)
        found = config_type(kind)
        if not issubclass(found, cls):
            text = f"kind {kind!r} is a {found.__name__}, not a {cls.__name__}"
            raise ValueError(text)  # noqa: TRY004  # the kind came from a file
        return found.from_dict(fields)


class Mixer(nn.Module, ABC):
    """An attention mechanism: same shape in and out.

    Attributes:
        layout: Order of the axes `forward` takes.
        family: What the weights are computed over.
        takes_context: Whether `forward` needs a second tensor.
        pixel_equivariant: Whether permuting the pixels (of input and context) permutes the output.
        impl: How `resattn.ops.attend` is to run, where the mixer calls it.
        max_bytes: Bound on the temporary memory of that call; None for none.
    """

    layout: ClassVar[Layout]
    family: ClassVar[Family]
    takes_context: ClassVar[bool] = False
    pixel_equivariant: ClassVar[bool] = False
    config: MixerConfig

    def __init__(self, config: MixerConfig) -> None:
        super().__init__()
        self.config = config
        self.impl: Impl = "auto"
        self.max_bytes: int | None = None

    def context_like(self, x: Tensor, randn: Callable[..., Tensor]) -> Any:
        """A second input that `forward` takes beside `x`, drawn by `randn(*shape)`; or None."""
        return randn(*x.shape) if self.takes_context else None

    @abstractmethod
    def radius(self) -> int | None:
        """Distance in pixels beyond which an input pixel cannot change an output pixel.

        None where the whole image matters. For a `GlobalMixer`, the radius once its statistics
        are given.
        """

    def grid(self) -> tuple[int, int]:
        """Tiles must start at multiples of these rows and columns to give what the image gives."""
        return (1, 1)

    @abstractmethod
    def flops(self, height: int, width: int) -> int:
        """Multiply-adds of matrix products and convolutions for one image, times two."""

    @abstractmethod
    def extra_bytes(self, height: int, width: int) -> int:
        """Peak memory of an inference pass over one float32 image, output included."""


class GlobalMixer(Mixer):
    """A mixer whose only long reach is a statistic over all pixels.

    `forward` measures the statistic of the image it is given unless it is handed one. To process
    an image in tiles exactly, measure each tile with `measure`, merge, then pass the result back.
    """

    def grid(self) -> tuple[int, int]:
        """Sums round the same way in tiles whose columns start at whole runs of pixels."""
        return (1, RUN)

    @abstractmethod
    def measure(
        self, x: Tensor, context: Tensor | None = None, inner: Inner | None = None
    ) -> Statistics:
        """What this image, or the `inner` part of a tile with a halo, adds to the statistic."""

    @abstractmethod
    def forward(
        self, x: Tensor, context: Tensor | None = None, statistics: Statistics | None = None
    ) -> Tensor:
        """The mixed image, by the given statistic or by its own."""


def positive(**values: int) -> None:
    """Accepts sizes of at least one.

    Raises:
        ValueError: One of the values is below one; the message names it.
    """
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def need(context: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    """`context`, known to be there in this shape.

    Raises:
        ValueError: It is absent or has another shape.
    """
    if context is None or context.shape != shape:
        got = None if context is None else tuple(context.shape)
        raise ValueError(f"context must be {shape}, not {got}")
    return context
