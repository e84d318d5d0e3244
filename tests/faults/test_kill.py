"""F22: kill -9 at any moment leaves whole files or none; what is left over can be swept up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from resattn.io.atomic import temporary_name
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.run import execute

SCRIPT = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from resattn.io.atomic import remove_stale, write_json
from resattn.io.profile import RasterProfile
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import tiles

folder = Path(sys.argv[1])
pixels = np.random.default_rng(0).integers(0, 65536, (2, 200, 200), np.uint16)
profile = RasterProfile(height=200, width=200, count=2, dtype="uint16", block=64)

def write_all(into):
    for number in range(3):
        write_json(into / f"{number}.json", {"number": number}, overwrite=True)
        with RasterWriter(into / f"{number}.tif", profile, overwrite=True, cog=True) as writer:
            for tile in tiles(200, 200, 64):
                writer.write(tile.inner, pixels[(slice(None), *tile.inner.slices)])

def forked(body):  # GDAL is used in children only: it does not survive a fork
    child = os.fork()
    if child == 0:
        body()
        os._exit(0)
    return child

expected = folder.with_name("expected")
expected.mkdir()
os.waitpid(forked(lambda: write_all(expected)), 0)
whole = {path.name: path.read_bytes() for path in expected.iterdir()}
assert len(whole) == 6, whole.keys()

def write_for_ever():
    while True:
        write_all(folder)

random.seed(0)
leftovers = 0
for _ in range(15):
    child = forked(write_for_ever)
    time.sleep(random.uniform(0.02, 0.3))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for path in folder.iterdir():
        if ".part-" in path.name:
            leftovers += 1
        else:
            assert path.read_bytes() == whole[path.name], f"{path.name} is damaged"
    remove_stale(folder)
    assert not [path for path in folder.iterdir() if ".part-" in path.name]
print(leftovers, len(list(folder.iterdir())))
"""


def test_f22_kills_leave_no_damaged_file_and_no_leftover(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    leftovers, files = map(int, done.stdout.split())
    assert leftovers > 0, "no kill hit a write: the test proves nothing"
    assert files > 0


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
