"""G1: the odd images, as one batch of each verb that takes single images.

Each of the 157 is finished or refused with a code, and the decision is the one on record in
`odd_images_of_commands.csv`. After a change, run `RESATTN_RECORD=1 python -m pytest` on this file
and review every line that changed.
"""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import zipfile
from pathlib import Path

import pytest
import rasterio

from resattn.io.atomic import write_csv
from tests.faults.commands import COMMANDS, Command, photograph, raster
from tests.faults.odd_images import ARCHIVE
from tests.faults.test_corpus import TABLE_MADE_WITH_GDAL
from tests.shell import Shell

TABLE = Path(__file__).with_name("odd_images_of_commands.csv")
SINGLE = {one.options[0]: one for one in COMMANDS.values() if one.make in (photograph, raster)}
"""A command of each verb."""


def recorded() -> dict[str, dict[str, str]]:
    """Decisions by file and verb."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="", encoding="utf-8") as stream:
        return {row.pop("file"): row for row in csv.DictReader(stream)}


def record(verb: str, found: dict[str, str]) -> None:
    table = recorded()
    for name, decision in found.items():
        table.setdefault(name, {})[verb] = decision
    verbs = sorted({verb for row in table.values() for verb in row})
    rows = [[name, *(table[name].get(verb, "") for verb in verbs)] for name in sorted(table)]
    write_csv(TABLE, ["file", *verbs], rows, overwrite=True)


@pytest.mark.parametrize(("verb", "command"), SINGLE.items(), ids=SINGLE.keys())
def test_g1_the_odd_images_as_one_batch(
    resattn: Shell,
    small_networks: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verb: str,
    command: Command,
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    folder = tmp_path / "in"
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    # Files of one stem would become one output: each gets a folder of its own.
    for path in list(folder.iterdir()):
        moved = path.rename(tmp_path / path.name)
        path.mkdir()
        moved.rename(path / path.name)
    line = command.line(folder, tmp_path / "out", "--report", tmp_path / "r.json")
    done = resattn(*line, "--max-pixels", 65_536)
    assert done.code == 1
    assert "Traceback" not in done.err
    items = json.loads((tmp_path / "r.json").read_text())["items"]
    found = {item["name"].split("/")[0]: decision(item) for item in items}
    assert "E999" not in found.values(), [k for k, v in found.items() if v == "E999"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_500_000  # kB
    if os.environ.get("RESATTN_RECORD"):
        record(verb, found)
    if rasterio.__gdal_version__ != TABLE_MADE_WITH_GDAL:
        pytest.skip(f"decisions are on record for GDAL {TABLE_MADE_WITH_GDAL} only")
    on_record = {name: row[verb] for name, row in recorded().items() if row.get(verb)}
    assert found == on_record


def decision(item: dict[str, str]) -> str:
    """`ok`, or the code of the refusal."""
    code = re.search(r"error\[(E\d+)\]", item["error"] or "")
    return code[1] if code else item["status"]
