"""F34 and G4 over whole commands: fail each outside call of a batch once.

The item that meets the failure says so with a code, its inputs and older outputs are as they were,
the other item of the batch is finished, and nothing half-made is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from resattn import demo
from resattn.io.faultpoints import watched_by
from resattn.pipelines import pansharpen as pansharpening
from resattn.pipelines.pansharpen_config import PansharpenConfig
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.run import Work, execute
from tests.faults.failing import FAILURES, FailAt


def pansharpen(folder: Path) -> tuple[Plan, Work]:
    inputs = (demo.path("marburg_pan"), demo.path("marburg_ms"))
    config = PansharpenConfig(
        method="brovey",
        registration=False,
        metrics=False,
        preview=True,
        cog=True,
        overwrite=True,
        threads=1,
    )
    items = tuple(Item(name, inputs, folder / f"{name}.tif") for name in "ab")
    return Plan(items), pansharpening.work(config)


COMMANDS: dict[str, Callable[[Path], tuple[Plan, Work]]] = {"pansharpen": pansharpen}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("error", "step"),
    [
        pytest.param(FAILURES["full disk"], 4, id="full disk, every fourth call"),
        *(
            pytest.param(error, 1, id=name, marks=pytest.mark.slow)
            for name, error in FAILURES.items()
        ),
    ],
)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_f34_each_call_of_a_batch_fails_once(
    tmp_path: Path, command: Callable[[Path], tuple[Plan, Work]], error: BaseException, step: int
) -> None:
    def run(folder: Path, number: int) -> tuple[list[Result], FailAt]:
        plan, work = command(folder)
        watcher = FailAt(number, error)
        with watched_by(watcher):
            return list(execute(plan, work, Progress(enabled=False))), watcher

    clean = tmp_path / "clean"
    clean.mkdir()
    results, watcher = run(clean, 0)
    assert [one.status for one in results] == ["ok", "ok"]
    whole = contents(clean)
    sources = {path: path.read_bytes() for item in command(clean)[0].items for path in item.inputs}
    folder = tmp_path / "failing"
    folder.mkdir()
    calls = len(watcher.reached)
    assert calls > 40
    for number in range(1, calls // 2 + 1, step):  # the first item's; the second's are the same
        for name in whole:
            (folder / name).write_bytes(b"earlier")
        results, watcher = run(folder, number)
        where = f"call {number}, {watcher.reached[number - 1]}"
        assert [one.status for one in results] == ["failed", "ok"], where
        assert re.match(r"error\[E(3|4|5)\d\d\]", results[0].error), (where, results[0].error)
        found = contents(folder)
        assert found.keys() == whole.keys(), where
        for name, data in found.items():
            expected = {whole[name]} if name.startswith("b") else {b"earlier", whole[name]}
            assert data in expected, (where, name)
    assert all(path.read_bytes() == data for path, data in sources.items())
