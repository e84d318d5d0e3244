"""One raster in strips, by several processes, by shards, after a kill: the bytes of one process.

`super-resolve` has the same in tests/unit/super_resolve_pipeline/test_division.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resattn.pipelines import (
    compress,
    compress_strips,
    detect,
    detect_picture,
    detect_strips,
    pansharpen,
    pansharpen_fit,
)
from resattn.weights.load import Loaded
from tests.cli.test_compress import dct
from tests.cli.test_detect import Bright
from tests.scenes import make_scene, truth_image, write
from tests.unit.detection.blobs import scene

__all__ = ["dct"]

NETWORK = ("--method", "lambda-pnn", "--adapt-steps", 3, "--tile", 64, "--save-weights")
CLOSED = ("--method", "mtf-glp-hpm", "--preview")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but accounts."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {n: p.read_bytes() for n, p in names.items() if not n.startswith(".resattn/")}


def counted(monkeypatch: pytest.MonkeyPatch, module, name: str) -> list[int]:
    """Gains an element whenever a function is called."""
    calls: list[int] = []
    function = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **o: calls.append(1) or function(*a, **o))
    return calls


@pytest.fixture
def two_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divides in this process, where a test can watch."""
    monkeypatch.setattr("resattn.pipelines.division._hands", lambda *_: 2)


@pytest.fixture
def sharpen(resattn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`sharpen(OUT, …)` sharpens a scene of two strips, one of them with holes."""
    monkeypatch.setattr(pansharpen, "_STRIP_ROWS", 64)
    scene = make_scene(tmp_path, hole=True, nodata=0)

    def run(out: str, *more: object):
        place = tmp_path / out / "sharp.tif"
        done = resattn("pansharpen", scene.pan, scene.ms, "-o", place, "--no-metrics", *more)
        assert done.code == 0, done.err
        return done

    return run


@pytest.mark.parametrize(
    ("method", "hands"),
    [
        pytest.param(CLOSED, ["--workers", 2], id="closed form"),
        pytest.param(NETWORK, [], id="network"),
        pytest.param(NETWORK, ["--workers", 2], id="network of two", marks=pytest.mark.slow),
        pytest.param(CLOSED, ["--scheduler", "local:2"], id="cluster", marks=pytest.mark.slow),
    ],
)
def test_processes_share_a_scene_that_is_fitted_once(
    sharpen, tmp_path: Path, two_hands, monkeypatch: pytest.MonkeyPatch, method, hands
) -> None:
    sharpen("one", *method, "--threads", 1)
    fits = counted(monkeypatch, pansharpen_fit, "write")
    command = (*method, "--threads", 1, *hands)
    assert "strips\t2\t" in sharpen("two", *command, "--dry-run").out
    report = tmp_path / "report.json"
    sharpen("two", *command, "--report", report)
    assert len(fits) == ("--scheduler" not in hands), "it was fitted more than once"
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert not (tmp_path / "two" / ".resattn" / "strips").exists()
    (item,) = json.loads(report.read_text())["items"]
    assert item["facts"]["method"] == method[1]
    assert ("loss" in item["facts"]) == (method is NETWORK)


def test_shards_share_a_fit_and_resume_puts_the_scene_together(
    sharpen, resattn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharpen("one", *CLOSED)
    fits = counted(monkeypatch, pansharpen, "_fitted")
    strips = counted(monkeypatch, pansharpen, "_sharpen_strip")
    for index in (1, 2, 3):
        sharpen("out", *CLOSED, "--shard", f"{index}/3")
    assert (len(fits), len(strips)) == (1, 2)
    assert contents(tmp_path / "out") == {}
    assert "without --shard and with --resume" in resattn("merge", tmp_path / "out").err
    (tmp_path / "out/.resattn/strips/sharp.tif/00000064-00000128.tif").unlink()
    monkeypatch.setattr("resattn.pipelines.division._hands", lambda *_: 2)
    sharpen("out", *CLOSED, "--resume")
    assert (len(fits), len(strips)) == (1, 3), "what is there is kept, what is gone made again"
    assert contents(tmp_path / "out") == contents(tmp_path / "one")
    assert resattn("merge", tmp_path / "out").code == 0


def test_a_damaged_fit_is_made_again_and_the_strips_still_hold(
    sharpen, tmp_path: Path, two_hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    strips = counted(monkeypatch, pansharpen, "_sharpen_strip")
    sharpen("out", *CLOSED, "--shard", "1/2")
    made = len(strips)
    fit = tmp_path / "out/.resattn/strips/sharp.tif/fit"
    fit.write_bytes(fit.read_bytes()[:-1])
    sharpen("out", *CLOSED, "--resume")
    assert len(strips) == 2, "the fit was made again to the same bytes"
    assert 0 < made < 2


def test_a_scene_that_cannot_be_fitted_fails_in_its_own_words(
    resattn, tmp_path: Path, two_hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pansharpen, "_STRIP_ROWS", 64)
    scene = make_scene(tmp_path, side=128)
    data = scene.pan.read_bytes()
    scene.pan.write_bytes(data[: len(data) // 2])
    out = tmp_path / "out" / "sharp.tif"
    done = resattn("pansharpen", scene.pan, scene.ms, "-o", out)
    assert done.code == 1
    assert done.err.count("error[E301]") == 1
    assert contents(tmp_path / "out") == {}


def test_the_boxes_of_strips_are_those_of_one_process(
    resattn, tmp_path: Path, two_hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "_STRIP_WINDOWS", 8)
    weights = Loaded(Bright(), "detect", "bright", "0" * 64, "MIT", commercial=True)
    monkeypatch.setattr(detect_picture, "load", lambda name, task: weights)
    # Objects on the seams of windows, and so on those of strips; windows without data.
    boxes = [(left, top, left + 30, top + 24) for left in (5, 55, 95) for top in range(8, 330, 44)]
    pixels = scene(384, 200, boxes, [index % 2 for index in range(len(boxes))])
    pixels[..., 170:] = 0
    source = write(tmp_path / "in.tif", pixels, 1.0, "uint8", nodata=0)
    looks = counted(monkeypatch, detect_strips, "write")

    def search(out: str, *more: object) -> None:
        command = ["detect", source, "-o", tmp_path / out / "found.json", "--weights", "bright"]
        more = (*more, "--write", "geojson,csv", "--overlay", "--tile", 64, "--overlap", 16)
        done = resattn(*command, *more)
        assert done.code == 0, done.err

    search("two", "--shard", "1/2")
    search("two", "--resume")
    monkeypatch.undo()
    monkeypatch.setattr(detect_picture, "load", lambda name, task: weights)
    search("one")
    assert len(looks) > 2, "it was not divided"
    assert len(json.loads((tmp_path / "one/found.json").read_text())["annotations"]) >= len(boxes)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    "quality", [("--lossless",), ("--target-bpp", 5), ("--quality", 60, "--range", "200,900")]
)
def test_the_bytes_of_strips_are_those_of_one_process(
    resattn, tmp_path: Path, two_hands, dct, monkeypatch: pytest.MonkeyPatch, quality
) -> None:
    monkeypatch.setattr(compress, "_STRIP_BYTES", 2**15)
    truth = truth_image(2, 200, 150)
    truth[:, 60:70, 20:30] = 0
    source = write(tmp_path / "in.tif", truth, 1.0, nodata=0)
    strips = counted(monkeypatch, compress_strips, "write")
    searches = counted(monkeypatch, compress, "level_for_rate")

    def pack(out: str, *more: object):
        place = tmp_path / out / "in.rac"
        done = resattn("compress", source, "-o", place, "--tile", 64, *quality, *more, "-v")
        assert done.code == 0, done.err
        return done

    two = pack("two")
    assert len(strips) == 6
    assert len(searches) == ("--target-bpp" in quality)
    monkeypatch.setattr("resattn.pipelines.division._hands", lambda *_: 1)
    one = pack("one")
    assert len(strips) == 6
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert ("clipped" in one.err) == ("--range" in quality)
    assert (one.out, one.err) == (two.out.replace("two", "one"), two.err.replace("two", "one"))
