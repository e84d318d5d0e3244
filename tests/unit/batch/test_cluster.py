"""A cluster that runs already: scheduler and workers are processes of their own, joined by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resattn.pipelines import pansharpen
from resattn.pipelines.progress import Progress
from resattn.pipelines.run import Batch, execute
from tests.conftest import REPOSITORY
from tests.scenes import make_scene
from tests.unit.batch.copying import Config, make_plan, work

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The scheduler file of a scheduler and two workers, each restarted when it dies."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    local = ("--scheduler-file", file, "--host", "127.0.0.1", "--no-dashboard")
    commands = (
        ("dask_scheduler", *local, "--port", 0),
        ("dask_worker", *local, "--nworkers", 2, "--nthreads", 1, "--local-directory", folder),
    )
    running = []
    with (folder / "log").open("w") as log:
        for name, *options in commands:
            line = [sys.executable, "-m", f"distributed.cli.{name}", *map(str, options)]
            process = subprocess.Popen(line, env=environment, stdout=log, stderr=log, cwd=folder)
            running.append(process)
            while not file.exists():
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield file
        for process in reversed(running):
            process.terminate()
            process.wait(60)


def test_an_address_is_joined_and_a_worker_that_is_killed_is_survived(
    cluster: Path, tmp_path: Path
) -> None:
    address = json.loads(cluster.read_text())["address"]
    assert address.startswith("tcp://")
    plan = make_plan(tmp_path, {"a": "one", "b": "once", "c": "bad", "d": "two"})
    batch = Batch(scheduler=address)
    results = list(execute(plan, work(Config()), Progress(enabled=False), batch))
    assert [r.status for r in results] == ["ok", "ok", "failed", "ok"]
    assert (tmp_path / "in" / "b.died").exists(), "no worker died: the test proves nothing"
    assert (tmp_path / "out" / "d.out").read_text() == "two"


def test_a_scheduler_file_is_joined_and_one_raster_is_divided(
    cluster: Path, resattn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pansharpen, "_STRIP_ROWS", 64)
    scene = make_scene(tmp_path, side=192)

    def sharpen(name: str, *more: object) -> bytes:
        command = ["pansharpen", scene.pan, scene.ms, "-o", tmp_path / name, "--method", "gsa"]
        done = resattn(*command, "--no-metrics", *more)
        assert (done.code, done.err) == (0, "")
        return (tmp_path / name).read_bytes()

    told = resattn(
        "pansharpen", scene.pan, scene.ms, "-o", tmp_path / "x.tif", "--scheduler", cluster,
        "--dry-run",
    )  # fmt: skip
    assert "strips\t3\t" in told.out
    assert sharpen("many.tif", "--scheduler", cluster) == sharpen("one.tif")
