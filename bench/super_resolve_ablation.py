"""What mending CRAFT is worth, flaw by flaw: equal short trainings of a quarter of the model.

    python -m bench.super_resolve_ablation --data photos.safetensors --runs runs/craft_ablation

One of the four residual groups, the block as published: its position bias is constant and its
shifted windows join opposite borders. Scored is PSNR of luma on the held-out photographs, whole and
in cells of the training patch's size, whose channel statistics are then those of the training.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from bench.equal_steps import Scores, kept, rounds, told
from resattn.pipelines.train import Trained, TrainJob
from resattn.tiling import tiles
from resattn.training.config import TrainConfig
from resattn.training.dataset import ImageSet
from resattn.training.super_resolve import Settings, SuperResolveTask, make
from resattn.weights.load import load

VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "as published": {},
        "bias table": {"bias": "table"},
        "masked shift": {"wrap": False},
        "both": {"bias": "table", "wrap": False},
    }
)
_FOLDS = 16
_HALO = 16  # low-resolution pixels around a cell: a window


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="set that --keep-data made")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patch", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    photos = ImageSet.load(options.data)

    def score(name: str, seed: int) -> Scores:
        job = _job(options, name, seed)
        task = make(Settings.from_dict(job.settings), *photos.split(_FOLDS, 0))
        return kept(job, lambda trained: _judged(trained, task))

    table = rounds(VARIANTS, range(options.seeds), score)
    for place in ("whole", "cells"):
        print(f"\n{place}, {options.steps} steps of {options.batch} × {options.patch}²")
        print(told(table, place))


def _job(options: argparse.Namespace, name: str, seed: int) -> TrainJob:
    config = TrainConfig(
        steps=options.steps, batch=options.batch, lr=1e-3, ema=0.99, precision="bf16", seed=seed,
        validate_s=1e9,
    )  # fmt: skip
    settings = {"craft": {"groups": 1, **VARIANTS[name]}, "patch": options.patch}
    run = options.runs / f"{name.replace(' ', '-')}-{seed}"
    return TrainJob("super-resolve", options.data, run, config, settings, folds=_FOLDS)


def _judged(trained: Trained, task: SuperResolveTask) -> Scores:
    model = load(str(trained.weights), "super-resolve").model
    cells = _Cells(model, task.settings.patch, task.config.scale)
    with torch.no_grad():
        return {
            "whole": task.validate(model)[task.metric],
            "cells": task.validate(cells)[task.metric],
        }


class _Cells(nn.Module):
    """A model that only ever sees cells of the image with their halo."""

    def __init__(self, model: nn.Module, side: int, scale: int) -> None:
        super().__init__()
        self.model = model
        self.side = side
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        """The enlarged image (1, 3, sH, sW) of (1, 3, H, W)."""
        height, width = image.shape[2:]
        whole = image.new_empty(1, 3, self.scale * height, self.scale * width)
        for tile in tiles(height, width, self.side, halo=_HALO):
            made = self.model(image[:, :, *tile.outer.slices])
            whole[:, :, *tile.inner.scaled(self.scale).slices] = made[:, :, *tile.crop(self.scale)]
        return whole


if __name__ == "__main__":
    main()
