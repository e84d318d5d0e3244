"""One raster by several workers, by shards, after a kill: the bytes of one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resattn.pipelines import super_resolve
from tests.shell import Shell
from tests.unit.super_resolve_pipeline.test_rasters import write

STRIPS = 3


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Enlarged by four, 2,400 rows: two strips of 1,024 and a rest; its mask has a hole."""
    random = np.random.default_rng(8)
    mask = np.full((600, 20), 255, np.uint8)
    mask[250:300, 5:15] = 0
    pixels = random.integers(0, 4000, (2, 600, 20)).astype(np.uint16)
    return write(tmp_path / "in.tif", pixels, mask=mask)


@pytest.fixture
def line(source: Path, random_weights: str):
    def words(out: Path, *more: object) -> list[object]:
        command = ["super-resolve", source, "-o", out, "--weights", random_weights]
        return [*command, "--threads", 1, "--preview", *more]

    return words


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def whole(resattn: Shell, line, tmp_path: Path) -> dict[str, bytes]:
    """What one process makes."""
    assert resattn(*line(tmp_path / "one" / "out.tif")).code == 0
    made = contents(tmp_path / "one")
    assert made.keys() == {"out.tif", "out.preview.png"}
    return made


@pytest.mark.parametrize(
    "hands", [["--workers", 2], pytest.param(["--scheduler", "local:2"], marks=pytest.mark.slow)]
)
def test_processes_share_one_raster(resattn: Shell, line, whole, tmp_path: Path, hands) -> None:
    out = tmp_path / "shared"
    planned = resattn(*line(out / "out.tif", *hands, "--dry-run")).out
    assert f"strips\t{STRIPS}\t{out / 'out.tif'}\n" in planned
    assert not out.exists()
    done = resattn(*line(out / "out.tif", *hands))
    assert (done.code, done.err) == (0, "")
    left = contents(out)
    journal = [name for name in left if name.startswith(".resattn/")]
    assert len(journal) == ("--scheduler" in hands)  # a cluster always has an account
    assert {name: data for name, data in left.items() if name not in journal} == whole


def test_shards_make_strips_and_resume_puts_them_together(
    resattn: Shell, line, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sharded"
    made = []
    enlarge = super_resolve._enlarge_strip

    def watched(item, *arguments, **options):
        made.append(item.name)
        return enlarge(item, *arguments, **options)

    monkeypatch.setattr(super_resolve, "_enlarge_strip", watched)
    for index in (2, 1):
        assert resattn(*line(out / "out.tif", "--shard", f"{index}/3")).code == 0
    assert not (out / "out.tif").exists()
    told = resattn("merge", out)
    assert told.code == 2
    assert "without --shard and with --resume" in told.err
    before = len(made)
    assert before < STRIPS, "nothing is left for --resume: the test proves nothing"
    damaged = next(out.rglob("0*.tif"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = resattn(*line(out / "out.tif", "--workers", 4, "--resume", "--dry-run"))
    assert f"strips\t{STRIPS}" in done.out
    monkeypatch.setattr("resattn.pipelines.division._hands", lambda *_: 2)  # but in this process
    assert resattn(*line(out / "out.tif", "--resume")).code == 0
    assert len(made) == STRIPS + 1, "what was whole is kept, what was damaged made again"
    assert {n: data for n, data in contents(out).items() if not n.startswith(".resattn")} == whole
    assert not (out / ".resattn" / "strips").exists()
    assert resattn("merge", out).code == 0
    assert "strips" not in resattn(*line(out / "out.tif", "--workers", 4, "--resume")).err
    assert len(made) == STRIPS + 1, "a raster that is made is not divided again"


def test_a_strip_that_fails_fails_the_raster(
    resattn: Shell, line, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resattn.pipelines.division._hands", lambda *_: 2)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    done = resattn(*line(tmp_path / "out" / "out.tif"))
    assert done.code == 1
    assert done.err.count("error[E301] in[") == 1
    assert not [path for path in tmp_path.rglob("out*") if path.is_file()]


def test_photographs_and_small_rasters_are_not_divided(
    resattn: Shell, tmp_path: Path, random_weights: str
) -> None:
    small = write(tmp_path / "small.tif", np.zeros((1, 20, 20), np.uint8))
    told = resattn(
        "super-resolve", small, "-o", tmp_path / "x.tif", "--weights", random_weights,
        "--workers", 2, "--dry-run",
    )  # fmt: skip
    assert "units\t1" in told.out
    assert "strips" not in told.out
