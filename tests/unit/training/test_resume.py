"""A run may die at any moment: what it leaves must lead to the weights of an undisturbed run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from training_toy import Deblur, train

from resattn.errors import OutputError, UserError, WeightsError
from resattn.training import checkpoint as checkpoints
from resattn.training import runlog
from resattn.training.config import TrainConfig
from resattn.training.loop import CHECKPOINT, LOG, Place, Trainer

TOY = Path(__file__).with_name("training_toy.py")


def check_kills(tmp_path, steps, kills):
    environment = os.environ | {"PYTHONPATH": str(TOY.parents[3]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TOY), str(tmp_path), str(steps), str(kills)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == kills, "some children ended before their kill"
    whole, broken = (
        safetensors.torch.load_file(tmp_path / name / CHECKPOINT) for name in ("whole", "broken")
    )
    assert whole.keys() == broken.keys()
    for name, value in whole.items():
        assert torch.equal(value, broken[name]), name


def test_killed_run_ends_with_equal_weights(tmp_path):
    check_kills(tmp_path, steps=60, kills=3)


@pytest.mark.slow
def test_run_killed_twenty_times_ends_with_equal_weights(tmp_path):
    check_kills(tmp_path, steps=400, kills=20)


def stop_after(steps):
    left = iter(range(steps))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("first", [1, 7, 39])
def test_stopped_run_continues_where_it_was(tmp_path, first):
    config = TrainConfig(steps=40, batch=2, log_steps=5)
    whole = Trainer(Deblur(), config, Place(tmp_path / "a", torch.device("cpu"))).fit()
    place = Place(tmp_path / "b", torch.device("cpu"))
    part = Trainer(Deblur(), config, place).fit(stop_after(first - 1))
    assert (part.steps, part.finished) == (first, False)
    rest = Trainer(Deblur(), config, place).fit()
    assert (rest.steps, rest.finished) == (40, True)
    assert all(torch.equal(whole.weights[k], rest.weights[k]) for k in whole.weights)
    assert rest.metrics == whole.metrics


def test_finished_run_takes_no_further_step(tmp_path):
    first = train(tmp_path, steps=5)
    log = (tmp_path / LOG).read_bytes()
    again = train(tmp_path, steps=5)
    assert (tmp_path / LOG).read_bytes() == log
    assert again.metrics == first.metrics
    assert again.steps == 5
    assert all(torch.equal(first.weights[k], again.weights[k]) for k in first.weights)


def test_log_of_lost_steps_is_dropped(tmp_path):
    config = TrainConfig(steps=20, batch=2, log_steps=1, checkpoint_s=1e9)
    place = Place(tmp_path, torch.device("cpu"))
    Trainer(Deblur(), config, place).fit(stop_after(7))
    with (tmp_path / LOG).open("a") as stream:
        stream.write('{"event": "train", "step": 9, "loss": 0}\n{"event": "tra')
    Trainer(Deblur(), config, place).fit()
    steps = [line["step"] for line in runlog.read(tmp_path / LOG) if line["event"] == "train"]
    assert steps == list(range(1, 21))


def test_other_settings_are_another_run(tmp_path):
    train(tmp_path, steps=3)
    with pytest.raises(UserError, match="other settings"):
        train(tmp_path, steps=4)


class Diverging(Deblur):
    """Its loss is NaN from the tenth step on."""

    steps = 0

    def loss(self, model, batch):
        self.steps += 1
        return super().loss(model, batch) * (float("nan") if self.steps > 9 else 1.0)


@pytest.mark.parametrize("log_steps", [1, 4, 1000])
def test_a_diverged_run_stops_and_keeps_its_last_good_checkpoint(tmp_path, log_steps):
    config = TrainConfig(steps=30, batch=2, log_steps=log_steps, checkpoint_s=0.0)
    with pytest.raises(WeightsError, match="loss is nan near step 10") as caught:
        Trainer(Diverging(), config, Place(tmp_path, torch.device("cpu"))).fit()
    assert caught.value.code == "E608"
    tensors = safetensors.torch.load_file(tmp_path / CHECKPOINT)
    assert all(bool(torch.isfinite(t).all()) for t in tensors.values())


def test_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    train(tmp_path, steps=3)
    before = (tmp_path / CHECKPOINT).read_bytes()
    state = checkpoints.Checkpoint("r", 9, 0.0, False, {"w": torch.ones(3)}, {}, {})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        checkpoints.save(state, tmp_path / CHECKPOINT)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
