"""`--dry-run` of every verb is held to what the verb then does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.commands import COMMANDS, Command
from tests.shell import Shell


def contents(folder: Path) -> dict[str, bytes]:
    """Files by their path below `folder`, journals left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".resattn" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_dry_run_says_exactly_what_a_run_reads_and_writes(
    resattn: Shell, small_networks: Path, tmp_path: Path, command: Command, monkeypatch
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in "ab":
        command.make(source, name)

    def promised(*more: object) -> dict[str, list[str]]:
        before = contents(tmp_path)
        done = resattn(*command.line(source, out, "--dry-run", *more))
        assert done.code == 0, done.err
        assert contents(tmp_path) == before
        told: dict[str, list[str]] = {}
        for line in done.out.splitlines():
            key, _, value = line.partition("\t")
            told.setdefault(key, []).append(value)
        return told

    told = promised()
    assert not out.exists()
    assert sorted(told["read"]) == sorted(map(str, source.iterdir()))
    assert told["units"] == ["2"]
    assert told["time"] == ["unknown until items were made here with these options"]
    assert resattn(*command.line(source, out)).code == 0
    assert sorted(told["write"]) == sorted(str(out / name) for name in contents(out))
    assert sorted(told["write"]) == sorted(str(out / name) for name in command.outputs("a", "b"))
    min(out.glob(command.output.format("b"))).write_bytes(b"")
    told = promised("--resume")
    assert told["keep"] == [str(out / command.output.format("a"))]
    assert sorted(told["write"]) == sorted(str(out / name) for name in command.outputs("b"))
    assert "about" in told["time"][0]
