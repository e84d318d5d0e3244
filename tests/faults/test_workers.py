"""G12: every verb gives the same bytes, words and errors from 1, 2 and 4 processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.commands import COMMANDS, NETWORKS, Command
from tests.faults.goals import Goal
from tests.faults.test_dry_run import contents
from tests.shell import Shell


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", (COMMANDS | NETWORKS).values(), ids=COMMANDS | NETWORKS)
def test_g12_processes_agree_with_one_and_resuming_adds_nothing(
    resattn: Shell, small_networks: Path, tmp_path: Path, command: Command, monkeypatch, goal: Goal
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in "abcde":
        command.make(source, name)
    victim = min(path for path in source.iterdir() if path.name.startswith("b"))
    victim.write_bytes(victim.read_bytes()[:40])

    def run(*more: object) -> tuple[int, str, str, dict[str, bytes]]:
        done = resattn(*command.line(source, out, *more))
        return done.code, done.out, done.err, contents(out)

    one = run()
    assert one[0] == 1
    assert one[3].keys() == command.outputs("a", "c", "d", "e")
    for workers in (1, 2, 4):
        assert run("--overwrite", "--workers", workers) == one, workers
    stamps = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.is_file()}
    assert run("--resume") == one
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    goal("G12", f"{command.output.format('a')}: 1, 2 and 4 processes, and --resume", injected=4)
