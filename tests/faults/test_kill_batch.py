"""F22, F25: kill -9 at any moment of a batch costs a unit per worker, and no file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resattn.pipelines.merge import merge
from tests.conftest import REPOSITORY
from tests.faults.goals import Goal


def start(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.unit.batch.driver", str(folder), str(workers)]
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)


def visible(folder: Path) -> dict[str, str]:
    """Finished outputs, by name."""
    outputs = (folder / "out").glob("*.out")
    return {path.stem: path.read_text() for path in outputs if ".part" not in path.name}


def diary(folder: Path) -> list[str]:
    path = folder / "diary"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(
    ("items", "kills", "workers"),
    [
        (60, 3, 1),
        (60, 3, 2),
        pytest.param(200, 50, 2, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def test_f22_g8_kills_cost_a_unit_per_worker_and_no_file(
    tmp_path: Path, items: int, kills: int, workers: int, goal: Goal
) -> None:
    chance = random.Random(items)
    (tmp_path / "in").mkdir()
    texts = {f"{number:03}": f"text {number}\n" * 50 for number in range(items)}
    for name, text in texts.items():
        (tmp_path / "in" / f"{name}.txt").write_text(text)
    for number in range(kills):
        process = start(tmp_path, workers)
        begun = len(diary(tmp_path))
        # A share of what is left each time, so that every kill finds work.
        enough = begun + chance.randint(1, max(1, (items - begun) // (kills - number)))
        while len(diary(tmp_path)) < enough and process.poll() is None:
            time.sleep(0.001)
        assert process.poll() is None, "nothing was left to interrupt: the test proves nothing"
        if number % 2:
            os.kill(process.pid, signal.SIGKILL)  # its workers have to notice
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert visible(tmp_path).items() <= texts.items()
    assert start(tmp_path, workers).wait() == 0
    assert visible(tmp_path) == texts
    assert not [path.name for path in (tmp_path / "out").iterdir() if ".part" in path.name]
    assert len(diary(tmp_path)) <= items + kills * workers
    assert [result.name for result in merge(tmp_path / "out").results] == sorted(texts)
    goal("G8", f"{kills} kills of a batch of {items} by {workers}", injected=kills)
