"""`resattn demo`: every job on shipped or drawn samples, one page."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from resattn.cli.verbs import VERBS
from resattn.io.image import write_image
from resattn.io.marker import find_markers
from resattn.pipelines import demo


def test_every_job_can_be_shown():
    assert {name for name, verb in VERBS.items() if verb.job} <= set(demo.COMMANDS)


@pytest.fixture
def quick(monkeypatch):
    """One job on a small scene by a quick method, and nothing else."""

    def command(out):
        pair = [demo._copied(out, f"marburg_{name}") for name in ("pan", "ms")]
        return [*pair, "-o", str(out / "sharp.tif"), "--method", "brovey", "--no-metrics"]

    monkeypatch.setattr(demo, "COMMANDS", MappingProxyType({"pansharpen": command}))


def test_samples_results_and_one_page(resattn, tmp_path, quick):
    done = resattn("demo", "--out", tmp_path / "d")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("$ resattn pansharpen ")
    assert (tmp_path / "d" / "samples" / "marburg_pan.tif").exists()
    assert (tmp_path / "d" / "sharp.tif").exists()
    page = (tmp_path / "d" / "report.html").read_text()
    assert "pansharpen: marburg_pan" in page
    assert 'type="range"' in page
    document = json.loads((tmp_path / "d" / "report.json").read_text())
    assert document["config"]["pansharpen"]["method"] == "brovey"


def test_a_second_demo_replaces_nothing_unasked(resattn, tmp_path, quick):
    assert resattn("demo", "--out", tmp_path).code == 0
    again = resattn("demo", "--out", tmp_path)
    assert again.code == 2
    assert "E404" in again.err
    assert resattn("demo", "--out", tmp_path, "--overwrite").code == 0


def test_a_job_that_fails_does_not_stop_the_others(resattn, tmp_path, monkeypatch, quick):
    def broken(out):
        path = out / "samples" / "empty.png"
        path.write_bytes(b"")
        return [str(path), "-o", str(out / "x.png")]

    both = {"super-resolve": broken, **demo.COMMANDS}
    monkeypatch.setattr(demo, "COMMANDS", MappingProxyType(both))
    done = resattn("demo", "--out", tmp_path)
    assert done.code == 1
    assert (tmp_path / "sharp.tif").exists()
    assert "Needs attention" in (tmp_path / "report.html").read_text()


def test_drawn_samples_hold_what_they_are_for(tmp_path):
    wound, cells, town = demo.drawn_wound(), demo.drawn_cells(), demo.town()
    assert len(find_markers(wound)) == 1
    reds = (wound[0].astype(int) - wound[1] > 90) & (wound[1] < 60)
    assert 15_000 < reds.sum() < 30_000
    dark = cells[1] < 110
    assert 4_000 < dark.sum() < 10_000
    assert town.std(axis=(1, 2)).min() > 20
    write_image(tmp_path / "x.png", town)


@pytest.mark.slow
def test_all_jobs_together(resattn, tmp_path):
    done = resattn("demo", "--out", tmp_path)
    assert done.code == 0, done.err
    shown = [line.split()[2] for line in done.out.splitlines() if line.startswith("$ ")]
    assert shown == [name for name in demo.COMMANDS if name in VERBS]
