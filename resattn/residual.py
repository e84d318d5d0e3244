"""The residual around a mixer: x + scale * mixer(norm(x)).

Everything that mixers leave out lives here, so that one mechanism can be tried under any scheme:
where the norm stands, how the branch is scaled, and how often it is dropped in training.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from resattn.config import unknown
from resattn.mixers.base import Layout, Mixer, MixerConfig
from resattn.registry import build

Norm = Literal["none", "layer"]
Kind = Literal["plain", "gate", "layerscale", "rezero", "depth"]


@dataclass(frozen=True)
class ScalePolicy:
    """How a residual branch is scaled.

    Written as text: ``plain`` (1), ``gate`` (1, around a gate: x (1 + g)), ``layerscale:1e-5`` (a
    learned value per channel, started there), ``rezero`` (one learned scalar, started at zero),
    ``depth:linear`` (1 / L) and ``depth:sqrt`` (1 / sqrt(L)) for a stack of L blocks.
    """

    kind: Kind = "plain"
    start: float = 1.0
    exponent: float = 0.0

    @classmethod
    def parse(cls, text: str) -> ScalePolicy:
        """The policy that `text` names.

        Raises:
            ValueError: The text is none of the forms above.
        """
        kind, _, value = text.partition(":")
        if kind in ("plain", "gate") and not value:
            return cls(kind)  # type: ignore[arg-type]  # just compared with the literals
        if kind == "rezero" and not value:
            return cls("rezero", start=0.0)
        if kind == "layerscale":
            return cls("layerscale", start=_number(text, value or "1e-5"))
        if kind == "depth" and value in ("linear", "sqrt"):
            return cls("depth", exponent=1.0 if value == "linear" else 0.5)
        raise ValueError(unknown("scale policy", text, _FORMS))

    def module(self, dim: int, depth: int) -> nn.Module:
        """What multiplies the branch of one of `depth` blocks over `dim` channels."""
        if self.kind == "layerscale":
            return Scale(torch.full((dim,), self.start))
        if self.kind == "rezero":
            return Scale(torch.zeros(1))
        if self.kind == "depth":
            return FixedScale(depth**-self.exponent)
        return nn.Identity()


_FORMS = ("plain", "gate", "layerscale:NUMBER", "rezero", "depth:linear", "depth:sqrt")


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise ValueError(unknown("scale policy", text, _FORMS)) from error


class Scale(nn.Module):
    """A learned factor on the last axis."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.gamma = nn.Parameter(start)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (..., C) times gamma, (C) or (1)."""
        return x * self.gamma.to(x.dtype)


class FixedScale(nn.Module):
    """A constant factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """`x` times the factor."""
        return x * self.factor

    def extra_repr(self) -> str:
        """The factor."""
        return f"{self.factor:g}"


class DropPath(nn.Module):
    """Drops the branch of whole samples in training, keeping its expectation."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"drop path rate must lie in [0, 1), not {rate}")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, ...), in training zero for a random part of the samples."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * keep.to(x.dtype) / (1 - self.rate)


class ResidualAttention(nn.Module):
    """x + policy(mixer(norm(x))), or x + norm(policy(mixer(x))) with `post_norm`.

    Args:
        dim: Channels.
        mixer: The mechanism, or its config.
        norm: Layer norm over channels, or none.
        policy: Scale of the branch, see `ScalePolicy`.
        post_norm: Normalise the branch's output instead of its input.
        drop_path: Chance that a sample skips the branch in training.
        depth: Number of blocks in the stack, for the ``depth`` policies.
        layout: Order of the axes of the images, in and out.

    Raises:
        ValueError: An unknown policy or norm, or the gate policy without a bare gate.
    """

    def __init__(
        self,
        dim: int,
        mixer: Mixer | MixerConfig,
        *,
        norm: Norm = "layer",
        policy: str = "plain",
        post_norm: bool = False,
        drop_path: float = 0.0,
        depth: int = 1,
        layout: Layout = "NCHW",
    ) -> None:
        super().__init__()
        if norm not in get_args(Norm):
            raise ValueError(unknown("norm", norm, get_args(Norm)))
        self.mixer = mixer if isinstance(mixer, Mixer) else build(mixer)
        scale = ScalePolicy.parse(policy)
        if scale.kind == "gate" and (norm != "none" or self.mixer.family != "gate"):
            raise ValueError(
                f"the gate policy is x (1 + g): it needs a gate and norm 'none', "
                f"not family {self.mixer.family!r} and norm {norm!r}"
            )
        self.layout = layout
        self.post_norm = post_norm
        self.norm = nn.LayerNorm(dim) if norm == "layer" else nn.Identity()
        self.scale = scale.module(dim, depth)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, context: Tensor | None = None, **given: Any) -> Tensor:
        """The image plus its attended self, same shape, in `layout`.

        Args:
            x: Image in `layout`.
            context: Second input of mixers that take one, in `layout`; it is not normalised.
            given: What else the mixer takes, such as ``statistics``.
        """
        branch = x if self.post_norm else self._over_channels(self.norm, x)
        branch = self._mixed(branch, context, given)
        if self.post_norm:
            branch = self._over_channels(self.norm, branch)
        dropped: Tensor = self.drop_path(self._over_channels(self.scale, branch))
        return x + dropped

    def _mixed(self, x: Tensor, context: Any, given: dict[str, Any]) -> Tensor:
        to, back = self.layout, self.mixer.layout
        if isinstance(context, Tensor) and context.ndim == 4:
            context = arrange(context, to, back)
        mixed: Tensor = self.mixer(arrange(x, to, back), context, **given)
        return arrange(mixed, back, to)

    def _over_channels(self, module: nn.Module, x: Tensor) -> Tensor:
        if isinstance(module, nn.Identity):
            return x
        y: Tensor = module(arrange(x, self.layout, "NHWC"))
        return arrange(y, "NHWC", self.layout)


class ResidualStack(nn.Sequential):
    """Residual blocks that know how many they are, for the ``depth`` policies.

    Args:
        dim: Channels.
        mixers: Mechanisms or their configs, first to last.
        options: Those of `ResidualAttention`, shared by all blocks; `drop_path` rises linearly
            from zero at the first block to its value at the last.
    """

    def __init__(
        self,
        dim: int,
        mixers: Iterable[Mixer | MixerConfig],
        *,
        drop_path: float = 0.0,
        **options: Any,
    ) -> None:
        mixers = list(mixers)
        depth = len(mixers)
        rates = [drop_path * i / max(depth - 1, 1) for i in range(depth)]
        super().__init__(
            *(
                ResidualAttention(dim, mixer, drop_path=rate, depth=depth, **options)
                for mixer, rate in zip(mixers, rates, strict=True)
            )
        )


def arrange(x: Tensor, have: Layout, want: Layout) -> Tensor:
    """`x` with its axes in the order `want`: a view, no copy."""
    if have == want:
        return x
    return x.permute(0, 2, 3, 1) if want == "NHWC" else x.permute(0, 3, 1, 2)
