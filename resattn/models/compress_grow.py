"""A larger codec that computes what a smaller one does, to train on from there.

Channels that are new are functions of all others, from random weights, but nothing that was there
reads them: in old rows their columns are zero, with a gradient from the first step on. New blocks
end in zeros. After Net2Net (Chen et al., ICLR 2016), with zeros in the place of its copies: a copy
would have the gradient of its original and stay one.

Latents, slices, z and what attention normalises keep their channels: a norm sees all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from resattn.errors import WeightsError
from resattn.models.compress import CompressNet
from resattn.models.compress_integer import IntLayer
from resattn.models.compress_transforms import GatedBlock

_STACK = re.compile(r"((?:analysis|synthesis)\.(?:fine|coarse))\.\d+\.((?:mixer|norm|scale)\..*)")
_FIXED = re.compile(r"\.(mixer|norm)\.|^(unit|z_location)|\.expect\.\d\.3\.bias$")
_ENDS = ("mix", "second", "proj")
"""Layers that a residual branch ends in."""


def grown(weights: Mapping[str, Tensor], net: CompressNet) -> dict[str, Tensor]:
    """State dict of `net` that computes what `weights`, of a smaller network, compute.

    Integers and tables are those of `net`: `freeze` makes them.

    Raises:
        WeightsError: The smaller network is no part of `net` (E604).
    """
    state = net.state_dict()
    names = {name: _source(name, weights) for name, _ in net.named_parameters()}
    floats = {name for name, value in weights.items() if value.is_floating_point()}
    lost = sorted(floats - set(names.values()))
    if lost:
        raise _refused(f"it has no place for {', '.join(lost[:3])}")
    for name, source in names.items():
        if source not in weights:
            if name.split(".")[-2] in _ENDS:
                state[name] = torch.zeros_like(state[name])
            continue
        old, new = weights[source].shape, state[name].shape
        small = len(old) != len(new) or any(n < o for o, n in zip(old, new, strict=True))
        if small or (old != new and _FIXED.search(name)):
            raise _refused(f"{name} is {tuple(new)}, theirs {tuple(old)}")
        state[name] = _embedded(weights[source], state[name], _parts(net, name))
    return state


def _source(name: str, weights: Mapping[str, Tensor]) -> str:
    """Where the smaller network keeps the tensor: its attention stands behind fewer blocks."""
    found = _STACK.fullmatch(name)
    if found is None:
        return name
    stack, rest = found.groups()
    ends = re.compile(re.escape(stack) + r"\.\d+\.(mix|second)\.weight")
    return f"{stack}.{sum(ends.fullmatch(key) is not None for key in weights)}.{rest}"


def _parts(net: CompressNet, name: str) -> tuple[int, int]:
    """Equal parts that rows and columns of a tensor consist of, each of which grows."""
    path, _, kind = name.rpartition(".")
    layer = net.get_submodule(path)
    if isinstance(layer, IntLayer) and kind == "weight":
        return 1, layer.stage.kernel**2
    block, _, part = path.rpartition(".")
    halves = isinstance(net.get_submodule(block), GatedBlock) and part != "mix"
    return 1 + halves, 1


def _embedded(old: Tensor, new: Tensor, parts: tuple[int, int]) -> Tensor:
    """`new` with `old` in its corner, zeros beside it and what it held below."""
    new = new.clone()
    corner, whole = (_split(t, parts) for t in (old, new))
    rows = whole[:, : corner.shape[1]]
    rows.zero_()
    if old.ndim > 1:
        rows = rows[:, :, :, : corner.shape[3]]
    rows.copy_(corner)
    return new


def _split(value: Tensor, parts: tuple[int, int]) -> Tensor:
    """Rows as (parts, rows), and columns, where there are any, as (parts, columns): a view."""
    rows: Tensor = value.unflatten(0, (parts[0], -1))
    whole: Tensor = rows.unflatten(2, (parts[1], -1)) if value.ndim > 1 else rows
    return whole


def _refused(reason: str) -> WeightsError:
    return WeightsError(
        f"the model cannot grow out of the weights to start from: {reason}",
        "choose a larger model with the same latents, slices, z and attention, or other weights",
        code="E604",
    )
