"""The exactness matrix itself: it decodes under every setting, sees damage, and can be stopped."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from bench import compress_exact
from bench.compress_exact import SETTINGS, Row, examined, main
from resattn.codec.container import INDEX, chunk
from resattn.codec.files import open_rac
from resattn.io.image import write_image
from tests.golden.rac.make import HERE, WEIGHTS


@pytest.fixture
def one_thread(monkeypatch):
    monkeypatch.setattr(compress_exact, "SETTINGS", SETTINGS[:4])


@pytest.mark.usefixtures("one_thread")
def test_a_golden_file_is_the_same_under_all_settings():
    row = examined(HERE / "photo.rac", str(WEIGHTS))
    assert (row.decodes, row.mismatches) == (4 * 3, 0)
    assert row.worst <= 1


@pytest.mark.usefixtures("one_thread")
def test_other_integers_are_counted(tmp_path):
    data, path = (HERE / "photo.rac").read_bytes(), tmp_path / "photo.rac"
    with open_rac(HERE / "photo.rac") as file:
        index = file.layout.index.copy()
    index["content"][-1] ^= 1
    start = data.index(INDEX)
    rest = data[start + 12 + index.nbytes :]
    path.write_bytes(data[:start] + chunk(INDEX, index.tobytes()) + rest)
    assert examined(path, str(WEIGHTS)).mismatches == 4 * 3


@pytest.mark.parametrize(("mismatches", "worst", "code"), [(0, 1, 0), (1, 0, 1), (0, 2, 1)])
def test_a_stopped_run_goes_on_and_judges_all(tmp_path, capsys, mismatches, worst, code):
    kodak, work = tmp_path / "data" / "kodak", tmp_path / "work"
    kodak.mkdir(parents=True)
    work.mkdir()
    write_image(kodak / "kodim01.png", np.zeros((3, 8, 8), np.uint8))
    found = [Row("kodim01-2", 24, 0, 0, 0.0), Row("kodim01-88", 24, mismatches, worst, 1e-5)]
    lines = "".join(json.dumps(asdict(row)) + "\n" for row in found)
    (work / "exact.jsonl").write_text(lines)
    words = ["--shared", str(tmp_path), "--work", str(work), "--qualities", "2", "88"]
    assert main(words) == code
    assert f"2 files, 48 decodes: {mismatches} mismatches" in capsys.readouterr().out
