"""The tables of short trainings, without a training."""

import json

import pytest
import torch
from torch import nn

from bench.equal_steps import kept, rounds, told
from bench.super_resolve_ablation import _Cells
from resattn.pipelines.train import TrainJob
from resattn.training.config import TrainConfig

SCORES = {("off", 0): 0.5, ("on", 0): 0.6, ("off", 1): 0.4, ("on", 1): 0.7}


def test_gains_are_of_pairs_with_the_first_variant():
    order = []

    def score(name, seed):
        order.append((seed, name))
        return {"dice": SCORES[name, seed]}

    table = rounds(["off", "on"], range(2), score)
    assert order == [(0, "off"), (0, "on"), (1, "off"), (1, "on")]
    off, on = told(table, "dice", 100).splitlines()
    assert off.split() == ["off", "45.000", "+0.000", "±", "0.000", "(50.000,", "40.000)"]
    assert on.split() == ["on", "65.000", "+20.000", "±", "14.142", "(60.000,", "70.000)"]


def test_a_finished_run_is_not_repeated(tmp_path):
    (tmp_path / "score.json").write_text(json.dumps({"dice": 0.5}))
    job = TrainJob("segment-wound", tmp_path / "absent", tmp_path, TrainConfig(steps=1))
    assert kept(job, lambda _: pytest.fail("judged again")) == {"dice": 0.5}


def test_cells_make_the_whole_image():
    model, image = nn.Upsample(scale_factor=4), torch.rand(1, 3, 70, 50)
    assert torch.equal(_Cells(model, 32, 4)(image), model(image))
