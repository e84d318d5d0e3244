import functools
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_toy import train

from resattn.training import loop
from resattn.training.config import TrainConfig
from resattn.training.schedule import Alarm, Clock, learning_rate


class Hands:
    """A clock the test moves by hand."""

    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


def test_rate_follows_warm_up_then_cosine():
    config = TrainConfig(steps=1001, lr=1.0, lr_floor=0.1, warmup=10)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(config, 4, 0.0) == pytest.approx(0.5)
    assert learning_rate(config, 500, 0.5) == pytest.approx(0.55)
    assert learning_rate(config, 250, 0.25) == pytest.approx(0.1 + 0.9 * math.cos(math.pi / 8) ** 2)
    assert learning_rate(config, 1000, 1.0) == pytest.approx(0.1)


@given(step=st.integers(0, 10**6), progress=st.floats(0, 1))
def test_rate_never_leaves_its_range(step, progress):
    config = TrainConfig(steps=5, lr=2e-3, lr_floor=1e-6)
    assert 1e-6 <= learning_rate(config, step, progress) <= 2e-3


@given(steps=st.integers(1, 1000))
def test_the_last_of_any_number_of_steps_ends_the_run(steps):
    clock = Clock(TrainConfig(steps=steps))
    assert clock.progress(steps - 1) == (1.0 if steps > 1 else 0.0) or steps == 1
    assert all(clock.progress(step) < 1 for step in range(steps - 1))


def test_wall_clock_counts_the_time_of_earlier_parts():
    now = Hands()
    clock = Clock(TrainConfig(minutes=2), spent_s=30, now=now)
    assert clock.progress(0) == pytest.approx(0.25)
    now.time += 60
    assert clock.progress(0) == pytest.approx(0.75)
    now.time += 600
    assert clock.progress(0) == 1.0


def test_alarm_rings_once_per_interval():
    now = Hands()
    alarm = Alarm(10, now)
    assert not alarm.rings()
    now.time += 10
    assert alarm.rings()
    assert not alarm.rings()


def test_minutes_end_annealed_and_on_time(tmp_path, monkeypatch):
    now = Hands()
    start = now.time

    def tick():
        now.time += 0.01
        return now.time

    monkeypatch.setattr(loop, "Clock", functools.partial(Clock, now=tick))
    outcome = train(tmp_path, minutes=0.02, batch=2, lr=1e-3, lr_floor=1e-6)
    assert 60 * 0.02 <= now.time - start < 60 * 0.02 * 1.1
    assert outcome.lr == 1e-6
    assert outcome.finished


@pytest.mark.slow
def test_two_minutes_end_within_two_point_two(tmp_path):
    start = time.monotonic()
    outcome = train(tmp_path, minutes=2, batch=2, lr=1e-3, lr_floor=1e-6)
    assert time.monotonic() - start < 2.2 * 60
    assert outcome.lr == 1e-6


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "set one of steps and minutes"),
        ({"steps": 1, "minutes": 1.0}, "set one of steps and minutes"),
        ({"steps": 0}, "must be positive, got 0"),
        ({"minutes": -1.0}, "must be positive, got -1"),
        ({"steps": 1, "lr": 1e-7}, "lr_floor"),
        ({"steps": 1, "precision": "fp16"}, "vanish in fp16"),
        ({"steps": 1, "ema": 1.0}, r"ema must lie in \[0, 1\)"),
    ],
)
def test_impossible_runs_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**settings)
