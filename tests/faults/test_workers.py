"""Every verb gives the same bytes, words and errors from two processes; resuming adds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.commands import COMMANDS, Command
from tests.faults.test_dry_run import contents
from tests.shell import Shell


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_g12_two_processes_agree_with_one(
    resattn: Shell, small_networks: Path, tmp_path: Path, command: Command, monkeypatch
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in "abc":
        command.make(source, name)
    victim = min(path for path in source.iterdir() if path.name.startswith("b"))
    victim.write_bytes(victim.read_bytes()[:40])

    def run(*more: object) -> tuple[int, str, str, dict[str, bytes]]:
        done = resattn(*command.line(source, out, *more))
        return done.code, done.out, done.err, contents(out)

    one = run()
    assert one[0] == 1
    assert one[3].keys() == command.outputs("a", "c")
    assert run("--overwrite", "--workers", 2) == one
    stamps = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.is_file()}
    assert run("--resume") == one
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
