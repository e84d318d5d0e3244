"""G7: how much is taken at once changes no byte of what a verb writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.commands import COMMANDS, NETWORKS, Command, contents
from tests.faults.goals import Goal
from tests.shell import Shell

SIZES = (16, 48, 64, 100, 4096)

# The tiles of a .rac are part of the file, a photograph of skin is looked at whole, and the windows
# of detect are views of their own: their pages say so.
TILED = [
    *(
        pytest.param(COMMANDS[name], id=name)
        for name in ("pansharpen", "super-resolve a photograph", "super-resolve a raster")
    ),
    pytest.param(NETWORKS["pansharpen by a network"], id="lambda-pnn", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("command", TILED)
def test_g7_tiles_of_any_size_give_the_same_bytes(
    resattn: Shell,
    small_networks: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: Command,
    goal: Goal,
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    command.make(tmp_path, "a")
    sources = sorted(path for path in tmp_path.iterdir() if path.is_file())
    verb, *options = command.options
    made = []
    for size in SIZES:
        out = tmp_path / str(size)
        done = resattn(verb, *sources, "--out", f"{out}/", *options, "--tile", size)
        assert done.code == 0, done.err
        made.append(contents(out))
    assert made[0].keys() == command.outputs("a")
    assert all(one == made[0] for one in made), [
        name for name in made[0] if len({one[name] for one in made}) > 1
    ]
    goal("G7", f"{command.output.format('a')}: {len(SIZES)} sizes of tiles", injected=len(SIZES))
