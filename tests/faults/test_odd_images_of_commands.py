"""G1: the odd images, as one batch of each verb that turns files into files.

Each of them is finished or refused with a code, and the decision is the one on record in
`odd_images_of_commands.csv`. After a change, run `RESATTN_RECORD=1 python -m pytest -m ''` on this
file and review every line that changed.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from resattn.io.atomic import write_csv
from resattn.io.profile import RasterProfile
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import Window
from tests.faults.commands import COMMANDS
from tests.faults.goals import Goal
from tests.faults.odd_images import ARCHIVE, decisions
from tests.faults.test_corpus import TABLE_MADE_WITH_GDAL
from tests.memory import peak_growth
from tests.shell import Shell

TABLE = Path(__file__).with_name("odd_images_of_commands.csv")
LIMIT = ("--max-pixels", 65_536)
EXTRA: dict[str, tuple[object, ...]] = {
    "compress": LIMIT,
    "decompress": (),
    "detect": LIMIT,
    "pansharpen": (),
    "segment-wound": (*LIMIT, "--fast"),
    "super-resolve": LIMIT,
}
"""The verbs, and what keeps them quick here."""

OPTIONS = {one.options[0]: one for one in COMMANDS.values()}

verbs = pytest.mark.parametrize("verb", EXTRA)


@pytest.fixture(autouse=True)
def _weights(small_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))


@pytest.mark.parametrize("verb", [verb for verb in EXTRA if verb != "pansharpen"])
def test_g1_the_shipped_odd_images_as_one_batch(resattn: Shell, tmp_path: Path, verb: str) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "corpus")
    run(resattn, tmp_path / "corpus", tmp_path, verb)


@pytest.mark.slow
@pytest.mark.shared
@verbs
def test_g1_all_odd_images_as_one_batch(
    resattn: Shell, tmp_path: Path, shared: Path, verb: str, goal: Goal
) -> None:
    text, count = run(resattn, shared / "odd_images/files", tmp_path, verb)
    assert count == 772
    goal("G1", text, injected=count)


def run(resattn: Shell, corpus: Path, tmp_path: Path, verb: str) -> tuple[str, int]:
    """What happened in a batch of a corpus, and how many files it has."""
    names = sorted(path.name for path in corpus.iterdir())
    listed = inputs(corpus, names, tmp_path / "in", verb)
    report, command = tmp_path / "r.json", OPTIONS[verb]
    wall, cpu = time.perf_counter(), time.process_time()
    with peak_growth() as grown_mb:
        done = resattn(
            verb, f"@{listed}", "--out", tmp_path / "out", *command.options[1:], *EXTRA[verb],
            "--report", report,
        )  # fmt: skip
        assert grown_mb() < 1200
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    assert done.code == 1
    assert "Traceback" not in done.err
    items = json.loads(report.read_text())["items"]
    assert len(items) == len(names)
    defects = [item["error"] for item in items if decision(item) == "E999"]
    assert not defects, "\n".join(defects)
    found = {names[int(item["name"][:4])]: decision(item) for item in items}
    slowest = max(item["seconds"] for item in items) * share
    assert slowest < 10, "CPU seconds of the slowest file"
    compare(verb, found)
    ok = sum(text == "ok" for text in found.values())
    return f"{verb}: {ok} done, {len(names) - ok} refused, slowest {slowest:.1f} CPU s", len(names)


def inputs(corpus: Path, names: list[str], folder: Path, verb: str) -> Path:
    """A list of copies, named by number so that no two become one output."""
    folder.mkdir()
    shapes = {name: decided[0] for name, decided in decisions()}
    lines = []
    for number, name in enumerate(names):
        suffix = ".rac" if verb == "decompress" else Path(name).suffix
        copy = folder / f"{number:04}{suffix}"
        shutil.copyfile(corpus / name, copy)
        lines.append(copy.name)
        if verb == "pansharpen":
            pan = folder / f"{number:04}-pan.tif"
            write_pan(pan, shapes[name])
            lines[-1] = f"{pan.name}\t{copy.name}"
    (folder / "list").write_text("\n".join(lines))
    return folder / "list"


def write_pan(path: Path, described: str) -> None:
    """A picture twice the size of a readable one, where that is small; else of a few pixels."""
    size = re.match(r"\d+×(\d+)×(\d+) ", described)
    height, width = (2 * int(size[1]), 2 * int(size[2])) if size else (16, 16)
    if height * width > 4 * LIMIT[1]:
        height, width = 16, 16
    pixels = np.random.default_rng(0).integers(1, 200, (1, height, width), np.uint8)
    profile = RasterProfile(height=height, width=width, count=1, dtype="uint8")
    with RasterWriter(path, profile) as writer:
        writer.write(Window(0, 0, height, width), pixels)


def decision(item: dict[str, str]) -> str:
    """`ok`, or the code of the refusal."""
    code = re.search(r"error\[(E\d+)\]", item["error"] or "")
    return code[1] if code else item["status"]


def compare(verb: str, found: dict[str, str]) -> None:
    """Holds decisions against the record, or makes it."""
    if os.environ.get("RESATTN_RECORD"):
        record(verb, found)
    if rasterio.__gdal_version__ != TABLE_MADE_WITH_GDAL:
        pytest.skip(f"decisions are on record for GDAL {TABLE_MADE_WITH_GDAL} only")
    table = recorded()
    changed = {name: one for name, one in found.items() if table[name][verb] != one}
    assert not changed


def recorded() -> dict[str, dict[str, str]]:
    """Decisions by file and verb."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="", encoding="utf-8") as stream:
        return {row.pop("file"): row for row in csv.DictReader(stream)}


def record(verb: str, found: dict[str, str]) -> None:
    table = recorded()
    for name, text in found.items():
        table.setdefault(name, {})[verb] = text
    rows = [[name, *(table[name].get(verb, "") for verb in EXTRA)] for name in sorted(table)]
    write_csv(TABLE, ["file", *EXTRA], rows, overwrite=True)
