"""F34, F23 and G4: every outside call and every run of a network fails once, in every verb.

SQLite's way: the item that meets the failure says so, the other one is finished.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from resattn.io.faultpoints import watched_by
from tests.faults.commands import COMMANDS, NETWORKS, Command, contents
from tests.faults.failing import FAILURES, FailAt, networks_watched_by
from tests.faults.goals import Goal
from tests.faults.test_every_command import coded, inputs
from tests.shell import Finished, Shell

__all__ = ["inputs"]

OLD = b"earlier"

Run = Callable[[Path, int], tuple[Finished, FailAt]]

failures = pytest.mark.parametrize(
    ("error", "step"),
    [
        pytest.param(FAILURES["full disk"], 9, id="full disk, every ninth call"),
        *(
            pytest.param(error, 1, id=name, marks=pytest.mark.slow)
            for name, error in FAILURES.items()
        ),
    ],
)


@pytest.fixture(autouse=True)
def _weights(small_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@failures
def test_f34_g4_each_call_of_a_batch_fails_once(
    resattn: Shell,
    inputs: Path,
    tmp_path: Path,
    command: Command,
    error: BaseException,
    step: int,
    goal: Goal,
) -> None:
    def run(out: Path, number: int) -> tuple[Finished, FailAt]:
        watcher = FailAt(number, error)
        with watched_by(watcher):
            return resattn(*command.line(inputs, out, "--overwrite")), watcher

    # Short of memory, pansharpen halves its tiles and goes on.
    may_recover = isinstance(error, MemoryError)
    tried = every_failure(run, inputs, tmp_path, step, may_recover=may_recover)
    assert tried >= 20 // step
    goal("G4", f"{command.options[0]}: {tried} calls ({said(error)})", injected=tried)


@pytest.mark.slow
@pytest.mark.parametrize("command", NETWORKS.values(), ids=NETWORKS.keys())
def test_f23_g4_each_run_of_a_network_finds_no_memory_once(
    resattn: Shell, inputs: Path, tmp_path: Path, command: Command, goal: Goal
) -> None:
    def run(out: Path, number: int) -> tuple[Finished, FailAt]:
        watcher = FailAt(number, MemoryError())
        with networks_watched_by(watcher):
            return resattn(*command.line(inputs, out, "--overwrite")), watcher

    tried = every_failure(run, inputs, tmp_path, may_recover=True)
    goal("G4", f"{command.options[0]}: {tried} runs of networks", injected=tried)


def said(error: BaseException) -> str:
    return next(name for name, one in FAILURES.items() if one is error)


def every_failure(
    run: Run, inputs: Path, tmp_path: Path, step: int = 1, *, may_recover: bool = False
) -> int:
    """How many calls failed; each of them cost its own item, or the run, and no file."""
    clean, out = tmp_path / "clean", tmp_path / "out"
    done, watcher = run(clean, 0)
    assert done.code == 0, done.err
    whole, sources = contents(clean), contents(inputs)
    out.mkdir()
    tried = 0
    for number in range(1, len(watcher.reached) + 1, step):
        for name in whole:
            (out / name).write_bytes(OLD)
        done, watcher = run(out, number)
        found = contents(out)
        if len(watcher.reached) < number:  # the first run had a folder to make as well
            assert done.code == 0, (number, watcher.reached, done.err)
            assert found == whole
            return tried
        tried += 1
        where = f"call {number}, {watcher.reached[number - 1]}"
        assert found.keys() == whole.keys(), where
        if may_recover and done.code == 0:
            assert found == whole, where
            continue
        assert done.code == 1, (where, done.err)
        check(done, found, whole, where)
        assert contents(inputs) == sources, where
    return tried


def check(done: Finished, found: dict[str, bytes], whole: dict[str, bytes], where: str) -> None:
    """One sentence with its code; files are old or new, and new where no failure was."""
    (code,) = coded(done.err)
    assert re.match(r"E[3456]\d\d", code), (where, done.err)
    blamed = re.search(r"^error\[E\d+\] ([ab]): ", done.err, re.MULTILINE)
    for name, data in found.items():
        assert data in (OLD, whole[name]), (where, name)
        if blamed and not name.startswith(blamed[1]):
            assert data == whole[name], (where, name)


@failures
def test_f34_g4_each_call_of_metrics_fails_once(
    resattn: Shell, tmp_path: Path, error: BaseException, step: int, goal: Goal
) -> None:
    """A pair that cannot be read is failed, the other is measured, and reports appear whole."""
    for folder in ("made", "truth"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            COMMANDS["super-resolve a photograph"].make(tmp_path / folder, name)
    report = tmp_path / "r.json"
    line = [
        "metrics",
        tmp_path / "made",
        "--reference",
        tmp_path / "truth",
        "--metric",
        "psnr,ssim",
    ]
    line += ["--report", report]

    def run(number: int) -> tuple[Finished, FailAt]:
        watcher = FailAt(number, error)
        with watched_by(watcher):
            return resattn(*line), watcher

    done, watcher = run(0)
    assert done.code == 0, done.err
    numbers = range(1, len(watcher.reached) + 1, step)
    for number in numbers:
        report.unlink(missing_ok=True)
        done, watcher = run(number)
        where = f"call {number}, {watcher.reached[number - 1]}"
        assert done.code == 1, where
        assert len(coded(done.err)) == 1, (where, done.err)
        if report.exists():
            items = json.loads(report.read_text())["items"]
            assert sorted(item["status"] for item in items) == ["failed", "ok"], where
        assert {path.name for path in tmp_path.iterdir()} <= {"made", "truth", "r.json"}, where
    goal("G4", f"metrics: {len(numbers)} calls ({said(error)})", injected=len(numbers))
