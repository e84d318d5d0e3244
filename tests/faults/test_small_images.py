"""F11 and G12: images smaller than anything expects, and runs that must repeat to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resattn.io.image import read_image, write_image
from resattn.io.profile import RasterProfile
from resattn.io.raster import open_raster
from resattn.io.raster_writer import RasterWriter
from resattn.tiling import Window
from tests.faults.commands import COMMANDS, NETWORKS, Command, contents, photograph
from tests.faults.goals import Goal
from tests.shell import Shell

SIZES = [(1, 1), (1, 40), (40, 1), (2, 3), (7, 5)]


@pytest.fixture(autouse=True)
def _weights(small_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "command",
    [one for one in COMMANDS.values() if one.make is photograph],
    ids=lambda command: command.output,
)
def test_f11_photographs_of_a_few_pixels(
    resattn: Shell, tmp_path: Path, command: Command, size: tuple[int, int]
) -> None:
    write_image(tmp_path / "a.png", np.full((3, *size), 90, np.uint8))
    out = tmp_path / "out"
    done = resattn(*command.line(tmp_path / "a.png", out))
    assert done.code == 0, done.err
    main = out / command.output.format("a")
    assert main.is_file()
    if main.suffix == ".png":
        found = read_image(main).pixels.shape[1:]
        assert found in (size, tuple(2 * side for side in size))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_f11_scenes_of_a_few_pixels_are_sharpened_or_refused(
    resattn: Shell, tmp_path: Path, size: tuple[int, int]
) -> None:
    for name, scale, bands in (("pan", 2, 1), ("ms", 1, 3)):
        height, width = (scale * side for side in size)
        profile = RasterProfile(height=height, width=width, count=bands, dtype="uint8")
        with RasterWriter(tmp_path / f"a_{name}.tif", profile) as writer:
            pixels = np.random.default_rng(0).integers(1, 200, (bands, height, width), np.uint8)
            writer.write(Window(0, 0, height, width), pixels)
    line = ["pansharpen", tmp_path / "a_pan.tif", tmp_path / "a_ms.tif", "-o", tmp_path / "o.tif"]
    done = resattn(*line, "--method", "brovey", "--no-metrics")
    assert "Traceback" not in done.err
    assert "E999" not in done.err
    if done.code == 0:
        with open_raster(tmp_path / "o.tif") as raster:
            assert (raster.info.height, raster.info.width) == tuple(2 * side for side in size)
    else:
        assert "error[E3" in done.err


ORDERED = [
    *(pytest.param(one, id=name) for name, one in COMMANDS.items()),
    *(
        pytest.param(one, id=name, marks=pytest.mark.slow)
        for name, one in NETWORKS.items()
        if name not in COMMANDS
    ),
]


@pytest.mark.parametrize("command", ORDERED)
def test_g12_the_order_of_inputs_changes_no_byte(
    resattn: Shell, tmp_path: Path, command: Command, goal: Goal
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        command.make(folder, name)
    verb, *options = command.options
    found = []
    for reverse in (False, True):
        out = tmp_path / f"out-{reverse}"
        files = sorted(folder.iterdir(), reverse=reverse)
        done = resattn(verb, *files, "--out", out, *options)
        assert done.code == 0, done.err
        found.append(contents(out))
    assert found[0] == found[1]
    assert found[0].keys() == command.outputs("a", "b", "c")
    goal("G12", f"{command.output.format('a')}: two orders of inputs")
