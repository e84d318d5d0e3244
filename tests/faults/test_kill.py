"""F22 and G8: kill -9 at any moment leaves whole files or none; the next run sweeps up."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resattn.io.atomic import temporary_name
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.run import execute
from tests.conftest import REPOSITORY
from tests.faults.forked import attempt

ENDLESS = """
import sys, time
from pathlib import Path
from resattn.io.atomic import StagedFile

with StagedFile(Path(sys.argv[1])) as staged:
    staged.temporary.write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_f22_g8_kills_damage_nothing_and_the_next_run_sweeps_up(jobs, goal, kills: int) -> None:
    found = attempt("kill", jobs, kills)
    leftovers = sum(one["leftovers"] for one in found.values())
    assert leftovers > 0 or kills < 50, "no kill hit a write: the test proves nothing"
    total = sum(one["kills"] for one in found.values())
    goal(
        "G8",
        f"{total} kills of {len(found)} commands, {leftovers} in a write: 0 damaged or left",
        injected=total,
    )


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun to write ``a.tif`` and never ends by itself."""
    running = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path / "a.tif")],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    with running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running
        running.kill()


def batch(folder: Path) -> list[str]:
    """What a run that makes nothing beside ``a.tif`` says of its items."""
    missing = Item("c", (), folder / "not yet" / "c.tif")
    plan = Plan((Item("b", (), folder / "b.tif"), missing))
    work = lambda one, _: Result(one.name, "ok")  # noqa: E731
    return [one.status for one in execute(plan, work, Progress(enabled=False))]


def test_f22_the_next_run_removes_what_a_killed_one_left(
    tmp_path: Path, orphan: subprocess.Popen[str]
) -> None:
    assert len(list(tmp_path.iterdir())) == 2
    assert batch(tmp_path) == ["ok", "ok"]
    assert len(list(tmp_path.iterdir())) == 2, "a living process was robbed of its file"
    orphan.kill()
    os.waitid(os.P_PID, orphan.pid, os.WEXITED | os.WNOWAIT)  # nobody reaps it: it keeps its id
    os.kill(orphan.pid, 0)
    assert batch(tmp_path) == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == []


def test_f22_a_process_id_that_is_used_again_protects_nothing(tmp_path: Path) -> None:
    temporary_name(tmp_path / "a.tif").touch()  # with the id of this very process
    assert batch(tmp_path) == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == []


def test_f22_without_locks_the_process_id_must_do(
    tmp_path: Path, orphan: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    mine = temporary_name(tmp_path / "a.tif")
    theirs = mine.with_name(mine.name.replace(str(os.getpid()), str(orphan.pid)))
    assert batch(tmp_path) == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == [theirs]
    orphan.kill()
    orphan.wait()
    assert batch(tmp_path) == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == []
