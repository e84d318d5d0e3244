"""The harness itself: bars are judged the right way round, commands are measured, files line up."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from scipy import ndimage

from bench import pansharpen_speed, peers
from bench.colour import colour_shift
from bench.pansharpen_bars import BARS, colour_verdict, verdicts
from bench.pansharpen_scenes import Full
from bench.pansharpen_speed import made_scene
from resattn.fusion.geometry import GridMap
from resattn.metrics.consistency import observe
from resattn.metrics.observe import Observer
from resattn.metrics.table import METRICS

SCORES = {"r_ergas": 4.2, "r_q2n": 0.97, "d_rho": 0.08, "hqnr": 0.9}


def test_bars_reach_farther_than_they_must():
    for bar in BARS:
        assert math.isnan(bar.reach) or METRICS[bar.metric].better(bar.reach, bar.must)


def test_a_bar_is_passed_or_reached_by_auto_alone():
    table = {"auto": SCORES, "gsa": {**SCORES, "r_ergas": 9.0}, "otb rcs": SCORES}
    first, second, third, *rest = verdicts("wv3_zpnn_128", table)
    assert (first.passed, first.reached) == (True, False)
    assert (second.passed, second.reached) == (True, True)
    assert third.passed
    assert first.peers == {"otb rcs": 4.2}
    assert first.classical == 9.0
    assert [verdict.passed for verdict in rest] == [True, True]  # equal to the best classical


def test_a_missing_result_misses_every_bar():
    judged = list(verdicts("wv3_zpnn_128", {"gsa": SCORES}))
    assert judged
    assert not any(verdict.passed for verdict in judged)


def test_better_than_all_is_strict():
    rows = {name: {"ergas": 3.0, "q2n": 0.5} for name in ("auto", "gsa", "gdal_pansharpen")}
    named = {v.text: v.passed for v in verdicts("landsat8_a_wald", rows)}
    assert [passed for text, passed in named.items() if "better than" in text] == [False, False]
    assert [passed for text, passed in named.items() if "no worse" in text] == [True, True]


def test_the_colour_bar_asks_for_no_shift_at_all():
    off = colour_verdict(
        "a",
        {"auto unregistered": (0.0, -0.5), "auto": (0.0, 0.0), "otb rcs": (0.0, 0.0), "gsa": None},
    )
    assert (off.passed, off.ours, dict(off.peers)) == (False, 0.5, {"otb rcs": 0.0})
    assert colour_verdict("a", {"auto unregistered": (0.0, 0.0)}).passed
    assert colour_verdict("a", {"auto": None, "gsa": None}) is None


def test_a_command_is_measured_without_the_memory_of_the_harness(tmp_path):
    ballast = np.ones(40_000_000)  # 320 MB here must not show up there
    output = tmp_path / "out.tif"
    script = f"x = bytearray(60_000_000); sum(range(10**6)); open({str(output)!r}, 'w')"
    run = peers.measured([sys.executable, "-c", script], output, {})
    assert run.output == output
    assert run.cpu_s > 0
    assert 60e6 < run.peak_bytes < 200e6 < ballast.nbytes


def test_a_failing_command_says_its_last_line(tmp_path):
    words = [sys.executable, "-c", "import sys; print('bad grid'); sys.exit(3)"]
    run = peers.measured(words, tmp_path / "out.tif", {})
    assert run.output is None
    assert run.problem == "exit 3: bad grid"


def test_an_absent_peer_is_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    files = peers.Files(tmp_path / "pan.tif", tmp_path / "ms.tif", "default")
    for method in peers.PEERS:
        assert peers.run(method, files, tmp_path).problem == "not installed"


@pytest.mark.parametrize(("top", "left"), [(2, 3), (-2, -1), (0, 0)])
def test_outputs_are_read_on_the_grid_of_pan(tmp_path, rng, top, left):
    pan = peers.write(tmp_path / "pan.tif", np.zeros((1, 20, 20)), 1)
    data = rng.integers(1, 99, (2, 22, 21)).astype(np.uint16)
    profile = {"driver": "GTiff", "count": 2, "height": 22, "width": 21, "dtype": "uint16"}
    transform = Affine(1, 0, left, 0, -1, -top)
    with rasterio.open(tmp_path / "f.tif", "w", transform=transform, **profile) as file:
        file.write(data)
    image, known = peers.read_on(pan, tmp_path / "f.tif")
    for row, col in np.ndindex(20, 20):
        inside = 0 <= row - top < 22 and 0 <= col - left < 21
        assert known[row, col] == inside
        if inside:
            np.testing.assert_array_equal(image[:, row, col], data[:, row - top, col - left])


@pytest.mark.parametrize("moved", [(0.0, 0.0), (1.0, -0.5)])
def test_the_colour_shift_is_found(rng, moved):
    fine = ndimage.gaussian_filter(rng.normal(0, 1, (2, 48, 48)), (0, 3, 3))
    colour = 500 + 2000 * fine
    grid = GridMap(48, 48, 23, 23, 2, 2, 1, 1, "georeference")
    truth = Observer(grid, (0.3, 0.3), (moved, moved))
    ms, known = observe(colour, truth)
    scene = Full(
        "made",
        peers.Files(Path("pan.tif"), Path("ms.tif"), "default"),
        colour[:1],
        ms,
        np.ones((48, 48), dtype=bool),
        known,
        truth,
    )
    assert colour_shift(colour, np.ones((48, 48), dtype=bool), scene) == moved


def test_the_made_scene_is_a_pair_on_one_ground(tmp_path):
    files = made_scene(tmp_path, 1028)
    with rasterio.open(files.pan) as pan, rasterio.open(files.ms) as ms:
        assert (pan.count, pan.height, ms.count, ms.height) == (1, 1028, 8, 257)
        assert pan.bounds == ms.bounds
        assert 0 < pan.read().min() <= pan.read().max() < 2048


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_the_network_alone_is_judged_by_its_faster_precision(capsys, monkeypatch):
    spent = iter([(0.4, 0.8)] * 4 + [(0.1, 0.2)] * 4 + [(2.0, 2.0)] * 8)
    monkeypatch.setattr(pansharpen_speed, "_timed", lambda _: next(spent))
    assert pansharpen_speed.network(1, side=200) == 0
    printed = capsys.readouterr().out
    assert "| ours | fp32 | 0.10 | 0.05 |" in printed
    assert "ours: 0.40 MP/s" in printed
