"""The harness itself: BD-rates are those of curves whose difference is known."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("bjontegaard", reason="the harness compares curves by it")
from bench import compress
from bench.compress import BARS, SIZES, Point, Start, bd_rate

ANCHOR = [(0.1, 28.0), (0.2, 30.0), (0.4, 32.5), (0.8, 35.2), (1.6, 38.4)]


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25])
def test_a_curve_of_scaled_rates_has_that_rate(factor):
    ours = [(rate * factor, quality) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, ours) == pytest.approx(100 * (factor - 1), abs=0.5)


def test_what_cannot_be_compared_is_no_number():
    assert math.isnan(bd_rate(ANCHOR, ANCHOR[:3]))
    assert math.isnan(bd_rate(ANCHOR, [(rate, quality + 30) for rate, quality in ANCHOR]))
    assert math.isnan(bd_rate(ANCHOR, [(rate * 100, quality) for rate, quality in ANCHOR]))


@pytest.mark.parametrize("size", SIZES)
def test_every_bar_has_a_name_of_its_own(size):
    bars = (*SIZES[size], *BARS)
    assert len({bar.name for bar in bars}) == len(bars)


def test_a_stopped_run_measures_only_what_is_left(tmp_path, monkeypatch):
    measured, stops = [], {45}

    def point(images, quality, *rest):
        measured.append(quality)
        if quality in stops:
            raise KeyboardInterrupt
        return Point(quality, 0.1, 30.0, 0.9, 1.0, 1.0)

    monkeypatch.setattr(compress, "_start", lambda *_: Start(0.0, 0.0))
    monkeypatch.setattr(compress, "_point", point)
    kept = tmp_path / "work" / "compress.base-24.jsonl"
    with pytest.raises(KeyboardInterrupt):
        compress._points([tmp_path], [20, 45, 58], [], kept)
    stops.clear()
    points = compress._points([tmp_path], [20, 45, 58], [], kept)
    assert measured == [20, 45, 45, 58]
    assert [p.quality for p in points] == [20, 45, 58]
    assert compress._points([tmp_path], [58, 20], [], kept) == [points[2], points[0]]
    assert len(measured) == 4
