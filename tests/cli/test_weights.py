import json

import pytest
import safetensors.torch
import torch

from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.weights.export import pack
from resattn.weights.index import Shelf
from resattn.weights.origin import Origin

CONFIG = GatedSrConfig(scale=2, dim=4, blocks=1)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with one set of weights called toy."""
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path / "store"))
    origin = Origin(
        "toy", "super-resolve", "gated-sr", CONFIG.to_dict(), "noise", "CC0-1.0", "CC-BY-NC-4.0",
        "none", {"psnr_y": 20.0},
    )  # fmt: skip
    entry, data = pack(GatedSr(CONFIG).state_dict(), origin)
    return Shelf(tmp_path / "store").put(entry, data)


def test_list_shows_size_licence_and_quality(resattn, store):
    done = resattn("weights", "list")
    assert done.code == 0
    assert "toy" in done.out
    assert "CC-BY-NC-4.0  not for commercial use" in done.out
    assert "psnr_y 20" in done.out


def test_list_as_json(resattn, store):
    names = [entry["name"] for entry in json.loads(resattn("weights", "list", "--json").out)]
    assert "toy" in names


def test_info_tells_all_that_is_known(resattn, store):
    lines = resattn("weights", "info", "toy").out.splitlines()
    assert {"licence: CC-BY-NC-4.0", "data: noise", "config:", "  scale: 2"} <= set(lines)
    assert lines[lines.index("metrics:") + 1] == "  psnr_y: 20.0"
    unknown = resattn("weights", "info", "toi")
    assert unknown.code == 1
    assert "error[E600]" in unknown.err


def test_verify_all(resattn, store):
    done = resattn("weights", "verify")
    assert done.code == 0
    assert "toy: " in done.out


def test_verify_tells_a_changed_file(resattn, store):
    store.write_bytes(store.read_bytes()[:-1] + b"x")
    done = resattn("weights", "verify", "toy")
    assert done.code == 1
    assert done.err.startswith("error[E603]")


def test_path(resattn, store):
    assert resattn("weights", "path", "toy").out.strip() == str(store)


def test_get_copies_the_file_once(resattn, store, tmp_path):
    out = tmp_path / "copy.safetensors"
    assert resattn("weights", "get", "toy", "--out", out).code == 0
    assert out.read_bytes() == store.read_bytes()
    again = resattn("weights", "get", "toy", "--out", out)
    assert again.code == 1
    assert "error[E404]" in again.err


def test_weights_trained_here_are_imported_under_a_new_name(resattn, store):
    assert resattn("weights", "import", store, "--name", "second").code == 0
    assert resattn("weights", "verify", "second", "toy").code == 0


def test_convert_makes_a_file_that_describes_itself(resattn, store, tmp_path):
    out = tmp_path / "mine.safetensors"
    assert resattn("weights", "convert", store, "--out", out).code == 0
    assert resattn("weights", "import", out, "--name", "third").code == 0


@pytest.mark.parametrize("name", ["../x", "a b", ".hidden", "a/b"])
def test_names_that_are_no_file_names_are_refused(resattn, store, name):
    done = resattn("weights", "import", store, "--name", name)
    assert done.code == 2
    assert "cannot name weights" in done.err


def test_unknown_layout_is_refused(resattn, store, tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(1)}, path)
    done = resattn("weights", "import", path, "--name", "other")
    assert done.code == 1
    assert done.err.startswith("error[E604]")
    assert "known layouts: craft" in done.err


def test_pickles_are_refused_by_the_loader(tmp_path, resattn, store):
    path = tmp_path / "evil.safetensors"
    torch.save({"w": torch.zeros(1)}, path)
    done = resattn("weights", "import", path, "--name", "evil")
    assert done.code == 1
    assert done.err.startswith("error[E601]")
