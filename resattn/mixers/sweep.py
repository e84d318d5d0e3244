"""Exact tiling of models whose mixers look at the whole image.

`exact_statistics` runs a model over all tiles once per such mixer and adds up what each mixer
would have measured on the whole image; within `given_statistics` the model then treats any tile
as part of that image. The model itself needs no change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from resattn.mixers.base import GlobalMixer
from resattn.ops.statistics import Inner, Statistics

Tiles = Callable[[], Iterable[tuple[tuple[Tensor, ...], Inner]]]


class _Reached(Exception):  # noqa: N818  # not an error: ends a pass at the first unknown statistic
    def __init__(self, name: str, statistics: Statistics) -> None:
        super().__init__(name)
        self.name, self.statistics = name, statistics


@torch.no_grad()
def exact_statistics(model: nn.Module, tiles: Tiles) -> dict[str, Statistics]:
    """The statistics of each `GlobalMixer` of the model over the whole image, by module name.

    Args:
        model: Called with the inputs of a tile; each global mixer is called at most once.
        tiles: Gives the tiles afresh for each sweep: the inputs, and which rows and columns of the
            first input belong to this tile alone. The inner parts cover the image once; the rest
            of a tile is a halo of at least the model's receptive radius.
    """
    known: dict[str, Statistics] = {}
    mixers = _global_mixers(model)
    while len(known) < len(mixers):
        parts = _sweep(model, tiles(), mixers, known)
        if not parts:
            break
        known[parts[0].name] = Statistics.merged(part.statistics for part in parts)
    return known


@contextmanager
def given_statistics(model: nn.Module, known: Mapping[str, Statistics]) -> Iterator[None]:
    """Within the block, the named mixers use these statistics instead of their own."""
    with ExitStack() as hooks:
        for name, mixer in _global_mixers(model).items():
            if name in known:
                hooks.enter_context(_hooked(mixer, partial(_give, known[name])))
        yield


def _sweep(
    model: nn.Module,
    tiles: Iterable[tuple[tuple[Tensor, ...], Inner]],
    mixers: Mapping[str, GlobalMixer],
    known: Mapping[str, Statistics],
) -> list[_Reached]:
    """One measurement per tile, by the first mixer whose statistic is not yet known."""
    parts = []
    for inputs, inner in tiles:
        with ExitStack() as hooks:
            hooks.enter_context(given_statistics(model, known))
            for name in mixers.keys() - known.keys():
                hook = partial(_measure, name, inputs[0].shape, inner)
                hooks.enter_context(_hooked(mixers[name], hook))
            try:
                model(*inputs)
            except _Reached as reached:
                parts.append(reached)
            else:
                return []
    return parts


def _global_mixers(model: nn.Module) -> dict[str, GlobalMixer]:
    return {name: m for name, m in model.named_modules() if isinstance(m, GlobalMixer)}


@contextmanager
def _hooked(mixer: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    handle = mixer.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _give(
    statistics: Statistics, mixer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    del mixer
    return args, kwargs | {"statistics": statistics}


def _measure(
    name: str,
    shape: torch.Size,
    inner: Inner,
    mixer: GlobalMixer,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    context = args[1] if len(args) > 1 else kwargs.get("context")
    rows = _scaled(inner[0], args[0].shape[-2], shape[-2])
    columns = _scaled(inner[1], args[0].shape[-1], shape[-1])
    raise _Reached(name, mixer.measure(args[0], context, (rows, columns)))


def _scaled(part: slice, size: int, full: int) -> slice:
    """`part` of a side of `full` pixels, on a feature map whose side has `size`."""
    ends = [end * size / full for end in (part.start, part.stop)]
    if not all(end.is_integer() for end in ends):
        raise ValueError(
            f"tile part {part.start}:{part.stop} does not fall on the pixels of a feature map "
            f"with {size} for {full}: align tiles to the model's size multiple"
        )
    return slice(int(ends[0]), int(ends[1]))
