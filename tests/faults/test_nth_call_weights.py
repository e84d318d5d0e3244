"""F26, F34: training runs and weights whose files fail to be read or written, call by call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resattn.io.faultpoints import watched_by
from tests.faults.commands import photograph
from tests.faults.failing import FAILURES, FailAt
from tests.shell import Shell


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abc":
        photograph(folder, name)
    return folder


def training(photos: Path, run: Path) -> list[object]:
    return [
        "train", "super-resolve", "--data", photos, "--run", run, "--side", 64, "--folds", 3,
        "--batch", 1, "--steps", 1, "--precision", "fp32", "--set", "patch=8",
        "--set", "model.scale=2", "--set", "model.dim=4", "--set", "model.blocks=1", "--quiet",
    ]  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("error", "step"),
    [
        pytest.param(FAILURES["full disk"], 9, id="full disk, every ninth call"),
        *(
            pytest.param(error, 1, id=name, marks=pytest.mark.slow)
            for name, error in FAILURES.items()
        ),
    ],
)
def test_f34_g4_each_call_of_a_training_run_fails_once(
    resattn: Shell, photos: Path, tmp_path: Path, error: BaseException, step: int
) -> None:
    """Reading a photograph may fail, which leaves it out; nothing else may pass in silence."""
    watcher = FailAt(0, error)
    with watched_by(watcher):
        assert resattn(*training(photos, tmp_path / "clean")).code == 0
    reads = 2 * len(list(photos.iterdir()))
    calls = len(watcher.reached)
    assert calls > reads + 15
    for number in range(reads * 2 + 1, calls + 1, step):
        run = tmp_path / str(number)
        watcher = FailAt(number, error)
        with watched_by(watcher):
            done = resattn(*training(photos, run))
        where = f"call {number}, {watcher.reached[-1]}"
        assert done.code == 1, where
        assert re.search(r"^error\[E[3456]\d\d\] .+ — ", done.err, re.MULTILINE), (where, done.err)
        assert "Traceback" not in done.err, where
        assert not [name for name in files(run) if ".part" in name], where
        again = resattn(*training(photos, run))
        assert again.code == 0, (where, again.err)


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("action", ["get", "import", "verify"])
def test_f34_g4_each_call_on_weights_fails_once(
    resattn: Shell,
    small_networks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    error: BaseException,
) -> None:
    source = small_networks / "super-resolve.tiny.x2.safetensors"
    shelf = tmp_path / "shelf"
    monkeypatch.setenv("RESATTN_HOME", str(shelf))
    assert resattn("weights", "import", source, "--name", "old").code == 0
    before = files(shelf)
    lines = {
        "get": ["weights", "get", "old", "--out", tmp_path / "out" / "w.safetensors"],
        "import": ["weights", "import", source, "--name", "new"],
        "verify": ["weights", "verify", "old"],
    }
    (tmp_path / "out").mkdir()
    number = 0
    while True:
        number += 1
        watcher = FailAt(number, error)
        with watched_by(watcher):
            done = resattn(*lines[action])
        if len(watcher.reached) < number:
            break
        where = f"call {number}, {watcher.reached[-1]}"
        assert done.code == 1, where
        assert re.search(r"^error\[E[456]\d\d\] .+ — ", done.err, re.MULTILINE), (where, done.err)
        assert "Traceback" not in done.err, where
        found = files(shelf)
        found.pop("new.safetensors", None)  # whole, and no index names it yet
        assert found == before, where
        assert files(tmp_path / "out") == {}, where
    assert done.code == 0
    assert number > 2


@pytest.mark.parametrize("damage", [0, 5, 400, -1], ids=["empty", "5 bytes", "400 bytes", "cut"])
def test_f26_a_damaged_checkpoint_is_said_and_kept(
    resattn: Shell, photos: Path, tmp_path: Path, damage: int
) -> None:
    run = tmp_path / "run"
    assert resattn(*training(photos, run)).code == 0
    checkpoint = run / "checkpoint.safetensors"
    data = checkpoint.read_bytes()[:damage]
    checkpoint.write_bytes(data)
    done = resattn(*training(photos, run))
    assert done.code == 1
    assert "error[E602]" in done.err
    assert "Traceback" not in done.err
    assert checkpoint.read_bytes() == data


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b", "..", "", "a\0b", "evil\n", "\x1b[2J", "x" * 300]
)
def test_f31_weights_cannot_be_named_out_of_their_folder(
    resattn: Shell,
    small_networks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path / "shelf"))
    source = small_networks / "super-resolve.tiny.x2.safetensors"
    done = resattn("weights", "import", source, "--name", name)
    assert done.code != 0
    assert "Traceback" not in done.err
    assert files(tmp_path) == {}
