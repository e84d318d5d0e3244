"""The table agrees with the functions: names, directions, what counts as perfect."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from resattn.metrics import METRICS
from resattn.metrics.consistency import observe
from resattn.metrics.evaluate import evaluate_full, evaluate_reduced
from resattn.metrics.observe import Observer


@pytest.fixture
def scores(rng):
    pan = rng.uniform(100, 1000, (64, 64))
    fused = np.stack([pan, pan * 0.5 + rng.normal(0, 9, pan.shape)])
    observer = Observer.of_toolbox((64, 64), 4, (0.3, 0.3))
    ms, _ = observe(fused, observer)
    return {
        **evaluate_full(fused, pan, ms + rng.normal(0, 5, ms.shape), observer),
        **evaluate_reduced(fused + rng.normal(0, 5, fused.shape), fused, ratio=4, peak=2047),
    }


def test_every_pansharpening_row_has_a_value_and_every_value_a_row(scores):
    full = {name for name, row in METRICS.items() if row.kind == "full"}
    assert full <= set(scores) <= set(METRICS)


def test_values_lie_in_the_stated_range(scores):
    for name, value in scores.items():
        least, most = METRICS[name].range
        assert least <= value <= most, name


def test_a_perfect_image_reaches_the_perfect_end(rng):
    image = rng.uniform(100, 1000, (3, 64, 64))
    perfect = evaluate_reduced(image, image, ratio=4, peak=2047)
    for name, value in perfect.items():
        assert value == pytest.approx(METRICS[name].perfect, abs=1e-9), name


def test_the_direction_is_right(rng):
    """More noise must never look better."""
    image = rng.uniform(100, 1000, (3, 64, 64))
    noise = rng.normal(0, 1, image.shape)
    little = evaluate_reduced(image + 20 * noise, image, ratio=4, peak=2047)
    much = evaluate_reduced(image + 200 * noise, image, ratio=4, peak=2047)
    for name in little:
        assert METRICS[name].better(little[name], much[name]), name
        assert not METRICS[name].better(math.nan, much[name])


def test_the_documentation_states_the_facts_of_every_row():
    text = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    units = {"": "no unit", "data": "unit of the data"}
    for name, row in METRICS.items():
        unit = units.get(row.unit, row.unit)
        direction = "higher is better" if row.higher_is_better else "lower is better"
        least, most = (f"{end:g}".replace("-", "−").replace("inf", "∞") for end in row.range)
        line = f"`{name}` · {unit} · {direction} · {least} … {most}"
        assert f"### {row.title}\n{line}\n" in text
