"""F22 and G8: kill -9 at any moment leaves whole files or none; the next run sweeps up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resattn.io.atomic import temporary_name
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.run import execute
from tests.faults.forked import attempt


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_f22_g8_kills_damage_nothing_and_the_next_run_sweeps_up(jobs, goal, kills: int) -> None:
    found = attempt("kill", jobs, kills)
    leftovers = sum(one["leftovers"] for one in found.values())
    assert leftovers > 0 or kills < 50, "no kill hit a write: the test proves nothing"
    total = sum(one["kills"] for one in found.values())
    goal("G8", f"{total} kills of {len(found)} commands, {leftovers} in a write: 0 damaged or left")


def test_f22_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    mine = temporary_name(tmp_path / "a.tif")
    left = mine.with_name(mine.name.replace(str(os.getpid()), ended.stdout.strip()))
    left.write_bytes(b"half")
    item = Item("b", (), tmp_path / "b.tif")
    missing = Item("c", (), tmp_path / "not yet" / "c.tif")
    plan = Plan((item, missing))
    results = list(execute(plan, lambda one, _: Result(one.name, "ok"), Progress(enabled=False)))
    assert [one.status for one in results] == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == []
