"""`resattn train` from a folder of photographs to weights that enlarge an image."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from resattn.cli.train import shareable
from resattn.io.image import write_image
from resattn.training import runlog
from resattn.weights.load import load

SMALL = ["--set", "model.scale=2", "--set", "model.dim=8", "--set", "model.blocks=1"]


def photograph(seed, side=48):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    waves = np.sin(x * random.uniform(0.2, 0.5) + y * random.uniform(0.2, 0.5))
    tint = random.uniform(60, 120, (3, 1, 1))
    return (128 + tint * waves).clip(0, 255).astype(np.uint8)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        write_image(folder / f"{i}.png", photograph(i))
    return folder


def arguments(photos, run, *more):
    return [
        "train", "super-resolve", "--data", photos, "--run", run, "--side", 48, "--folds", 3,
        "--batch", 2, "--precision", "fp32", "--set", "patch=12", *SMALL, *more,
    ]  # fmt: skip


def test_a_run_leaves_log_curve_and_weights_that_say_what_they_are(resattn, photos, tmp_path):
    run = tmp_path / "run"
    done = resattn(
        *arguments(photos, run, "--steps", 30, "--lr", 5e-3, "--licence", "CC0-1.0", "--name", "w")
    )
    assert done.code == 0, done.err
    weights = run / "w.safetensors"
    assert done.out.splitlines()[0] == str(weights)
    loaded = load(str(weights), "super-resolve")
    assert loaded.licence == "CC0-1.0"
    with torch.no_grad():
        assert loaded.model(torch.rand(1, 3, 5, 4)).shape == (1, 3, 10, 8)
    entry = json.loads((run / "index.json").read_text())["weights"][0]
    assert entry["metrics"].keys() == {"psnr_y, fold 0 of 3"}
    assert (run / "curve.svg").read_text().startswith("<svg")
    events = runlog.read(run / "log.jsonl")
    assert events[-1]["event"] == "validate"
    assert events[-1]["step"] == 30


def test_a_finished_run_is_not_trained_again(resattn, photos, tmp_path):
    first = resattn(*arguments(photos, tmp_path / "run", "--steps", 3))
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    again = resattn(*arguments(photos, tmp_path / "run", "--steps", 3))
    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes()[-4000:] == before[-4000:]


def test_init_starts_from_weights(resattn, photos, tmp_path):
    resattn(*arguments(photos, tmp_path / "a", "--steps", 40, "--lr", 5e-3))
    start = tmp_path / "a" / "mine.safetensors"
    done = resattn(*arguments(photos, tmp_path / "b", "--steps", 1, "--lr", 1e-6, "--init", start))
    assert done.code == 0, done.err

    def score(run):
        return runlog.read(tmp_path / run / "log.jsonl")[-1]["psnr_y"]

    assert score("b") == pytest.approx(score("a"), abs=0.2)


def test_kept_data_train_alike_without_the_photographs(resattn, photos, tmp_path):
    kept = tmp_path / "kept.safetensors"
    resattn(*arguments(photos, tmp_path / "a", "--steps", 3, "--keep-data", kept))
    done = resattn(*arguments(kept, tmp_path / "b", "--steps", 3))
    assert done.code == 0, done.err
    first, second = (tmp_path / run / "mine.safetensors" for run in ("a", "b"))
    assert safetensors.torch.load_file(first).keys() == safetensors.torch.load_file(second).keys()
    for name, value in safetensors.torch.load_file(first).items():
        assert torch.equal(value, safetensors.torch.load_file(second)[name])


BLOCKED = """
import sys
for name in ("cv2", "rasterio", "skimage"):
    sys.modules[name] = None
from resattn.cli.main import run
run(sys.argv[1:])
"""


@pytest.mark.slow
def test_kept_data_train_where_no_decoder_is_installed(resattn, photos, tmp_path):
    kept = tmp_path / "kept.safetensors"
    resattn(*arguments(photos, tmp_path / "a", "--steps", 1, "--keep-data", kept))
    command = [str(a) for a in arguments(kept, tmp_path / "b", "--steps", 2)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", BLOCKED, *command], env=environment, check=True)
    assert (tmp_path / "b" / "mine.safetensors").exists()


WRONG = {
    "unknown task": (
        ["train", "paint", "--data", ".", "--run", "r", "--steps", 1],
        "super-resolve",
    ),
    "no length": (["train", "super-resolve", "--data", ".", "--run", "r"], "minutes"),
    "two lengths": (
        ["train", "super-resolve", "--data", ".", "--run", "r", "--steps", 1, "--minutes", 1],
        "one of steps and minutes",
    ),
    "unknown setting": (
        ["train", "super-resolve", "--data", ".", "--run", "r", "--steps", 1, "--set", "x=1"],
        "unknown key 'x'",
    ),
    "no value": (
        ["train", "super-resolve", "--data", ".", "--run", "r", "--steps", 1, "--set", "x"],
        "key=value",
    ),
    "no images": (
        ["train", "super-resolve", "--data", ".", "--run", "r", "--steps", 1],
        "no image of at least 512 x 512",
    ),
}


@pytest.mark.parametrize(("command", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_requests_are_refused_with_the_remedy(resattn, tmp_path, monkeypatch, command, words):
    monkeypatch.chdir(tmp_path)
    done = resattn(*command)
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(("task", "patch"), [("super-resolve", 25), ("compress", 64)])
def test_a_patch_larger_than_the_squares_is_refused(resattn, photos, tmp_path, task, patch):
    done = resattn(
        *("train", task, "--data", photos, "--run", tmp_path / "r", "--side", 48, "--folds", 3),
        *("--steps", 1, "--set", f"patch={patch}"),
        *(["--set", "model.scale=2"] if task == "super-resolve" else []),
    )
    assert done.code == 2
    assert f"a patch of {patch} does not fit" in done.err
    assert not (tmp_path / "r").exists()


def test_another_run_in_the_folder_is_refused(resattn, photos, tmp_path):
    resattn(*arguments(photos, tmp_path / "run", "--steps", 2))
    done = resattn(*arguments(photos, tmp_path / "run", "--steps", 5))
    assert done.code == 2
    assert "other settings" in done.err


@pytest.mark.slow
def test_an_interrupted_run_goes_on(photos, tmp_path, resattn):
    run = tmp_path / "run"
    command = [str(a) for a in arguments(photos, run, "--minutes", 0.2)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-m", "resattn", *command], env=environment)
    while not (run / "log.jsonl").exists() and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert (run / "checkpoint.safetensors").exists()
    assert not (run / "mine.safetensors").exists()
    assert resattn(*command).code == 0
    assert (run / "mine.safetensors").exists()


def test_bicubic_is_beaten_by_what_was_learnt(resattn, photos, tmp_path):
    """The trained model enlarges a photograph it has not seen better than interpolation."""
    resattn(*arguments(photos, tmp_path / "run", "--steps", 150, "--lr", 5e-3))
    model = load(str(tmp_path / "run" / "mine.safetensors"), "super-resolve").model
    high = torch.from_numpy(photograph(99)).float()[None] / 255
    low = F.interpolate(high, scale_factor=0.5, mode="bicubic", antialias=True)
    with torch.no_grad():
        learnt = (model(low) - high).square().mean()
    plain = (F.interpolate(low, scale_factor=2, mode="nearest") - high).square().mean()
    assert learnt < 0.5 * plain


def test_weights_do_not_tell_the_folders_they_were_made_in():
    words = ["train", "compress", "--data", "/home/ann/photos", "--run=../x", "--set", "a.b=[1,2]"]
    words += ["--data-name", "375 squares (docs/training.md)"]
    assert shareable(words) == (
        "resattn train compress --data photos --run=x --set 'a.b=[1,2]' "
        "--data-name '375 squares (docs/training.md)'"
    )
