import dataclasses
import json
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from resattn.errors import OutputError, WeightsError
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.weights import index
from resattn.weights.architectures import ARCHITECTURES, architecture
from resattn.weights.export import pack
from resattn.weights.index import Entry, Shelf
from resattn.weights.load import load, verify
from resattn.weights.origin import Origin

CONFIG = GatedSrConfig(scale=2, dim=4, blocks=1)
ORIGIN = Origin(
    name="toy",
    task="super-resolve",
    architecture="gated-sr",
    config=CONFIG.to_dict(),
    data="noise",
    data_licence="CC0-1.0",
    licence="Apache-2.0",
    command="none",
    metrics={"psnr_y, noise": 20.0},
)


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """An empty shelf of the user's own."""
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path / "shelf"))
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GatedSr(CONFIG).eval()


@pytest.fixture
def stored(shelf, model):
    entry, data = pack(model.state_dict(), ORIGIN)
    return shelf.put(entry, data)


def code_of(call, *arguments):
    with pytest.raises(WeightsError) as caught:
        call(*arguments)
    return caught.value.code


def test_weights_come_back_as_they_were_stored(stored, model):
    loaded = load("toy", "super-resolve")
    x = torch.rand(1, 3, 6, 7)
    half = {name: value.half().float() for name, value in model.state_dict().items()}
    model.load_state_dict(half)
    with torch.no_grad():
        assert torch.equal(loaded.model(x), model(x))
    assert not loaded.model.training
    assert loaded.commercial


def test_a_file_describes_itself(stored, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(stored.read_bytes())
    loaded = load(str(copy), "super-resolve")
    assert loaded.model.config == CONFIG
    assert loaded.sha256 == load("toy", "super-resolve").sha256


def test_equal_weights_make_equal_files(model):
    assert pack(model.state_dict(), ORIGIN)[1] == pack(model.state_dict(), ORIGIN)[1]


def test_entries_survive_the_index(stored, shelf):
    entry = shelf.entries()["toy"]
    assert entry.metrics == {"psnr_y, noise": 20.0}
    assert entry.bytes == stored.stat().st_size
    assert verify("toy") == entry


def test_non_commercial_licences_are_told(shelf, model):
    for licence, commercial in (("CC-BY-NC-4.0", False), ("CC-BY-4.0", True)):
        entry, data = pack(model.state_dict(), dataclasses.replace(ORIGIN, licence=licence))
        shelf.put(entry, data)
        assert load("toy", "super-resolve").commercial is commercial


def test_changed_file_is_refused(stored):
    data = bytearray(stored.read_bytes())
    data[-1] ^= 1
    stored.write_bytes(data)
    assert code_of(load, "toy", "super-resolve") == "E603"


def test_other_task_is_refused(stored):
    assert code_of(load, "toy", "detect") == "E606"
    assert code_of(load, str(stored), "detect") == "E606"


def test_unknown_name_suggests_the_nearest(stored):
    with pytest.raises(WeightsError, match="did you mean toy") as caught:
        load("toi", "super-resolve")
    assert caught.value.code == "E600"


@pytest.mark.parametrize("suffix", ["pth", "pt", "ckpt"])
def test_f26_pickles_are_refused_by_their_name_with_the_remedy(suffix):
    with pytest.raises(WeightsError, match="resattn weights convert") as caught:
        load(f"model.{suffix}", "super-resolve")
    assert caught.value.code == "E601"


def test_absent_file_is_named(stored):
    stored.unlink()
    with pytest.raises(WeightsError, match=r"toy\.safetensors: No such file"):
        load("toy", "super-resolve")


def rewritten(stored, change, metadata=None):
    """The stored file with its tensors changed, read as a file of its own."""
    tensors = safetensors.torch.load(stored.read_bytes())
    change(tensors)
    if metadata is None:
        metadata = {"resattn": json.dumps(vars(ORIGIN))}
    safetensors.torch.save_file(tensors, stored, metadata)
    return str(stored)


CHANGES = {
    "missing": (lambda t: t.pop("head.bias"), "E604"),
    "extra": (lambda t: t.update(more=torch.zeros(1)), "E604"),
    "shape": (lambda t: t.update({"head.bias": torch.zeros(5)}), "E604"),
    "NaN": (lambda t: t["head.bias"].fill_(float("nan")), "E605"),
    "infinity": (lambda t: t["head.bias"].fill_(float("inf")), "E605"),
    "integer": (lambda t: t.update({"head.bias": torch.zeros(4, dtype=torch.int64)}), "E605"),
}


@pytest.mark.parametrize(("change", "code"), CHANGES.values(), ids=CHANGES.keys())
def test_f26_tensors_that_are_not_the_models_are_refused(stored, change, code):
    assert code_of(load, rewritten(stored, change), "super-resolve") == code


FACTS = {
    "no facts": {},
    "no JSON": {"resattn": "{"},
    "no licence": {
        "resattn": json.dumps({k: v for k, v in vars(ORIGIN).items() if k != "licence"})
    },
    "unknown architecture": {"resattn": json.dumps(vars(ORIGIN) | {"architecture": "vgg"})},
    "unknown setting": {"resattn": json.dumps(vars(ORIGIN) | {"config": {"depth": 4}})},
    "absurd setting": {"resattn": json.dumps(vars(ORIGIN) | {"config": {"dim": -4}})},
    "settings of no kind": {"resattn": json.dumps(vars(ORIGIN) | {"config": 7})},
    "endless model": {"resattn": json.dumps(vars(ORIGIN) | {"config": {"blocks": 10**9}})},
}


def test_f26_settings_for_a_model_larger_than_memory_are_refused(stored):
    facts = vars(ORIGIN) | {"config": {"dim": 1 << 20, "blocks": 64}}
    path = rewritten(stored, lambda t: None, {"resattn": json.dumps(facts)})
    assert code_of(load, path, "super-resolve") == "E604"


@pytest.mark.parametrize("metadata", FACTS.values(), ids=FACTS.keys())
def test_f26_files_that_do_not_say_what_they_are_are_refused(stored, metadata):
    path = rewritten(stored, lambda t: None, metadata)
    assert code_of(load, path, "super-resolve") == "E606"


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"schema": 9, "weights": []}', '{"schema": 1, "weights": [{"name": "x"}]}'],
)
def test_f32_damaged_index_is_refused(shelf, text):
    shelf.folder.mkdir()
    (shelf.folder / index.INDEX).write_text(text)
    assert code_of(shelf.entries) == "E607"


def test_f31_index_cannot_lead_out_of_its_folder(shelf, model):
    entry, data = pack(model.state_dict(), ORIGIN)
    shelf.put(entry, data)
    text = (shelf.folder / index.INDEX).read_text()
    (shelf.folder / index.INDEX).write_text(text.replace("toy.safetensors", "../toy.safetensors"))
    assert code_of(shelf.entries) == "E607"


def test_a_shelf_that_cannot_be_written_is_an_output_error(tmp_path, model):
    (tmp_path / "file").write_text("")
    entry, data = pack(model.state_dict(), ORIGIN)
    with pytest.raises(OutputError, match="cannot make the folder"):
        Shelf(tmp_path / "file" / "inside").put(entry, data)


def test_weights_too_large_for_half_precision_are_refused(model):
    model.head.weight.data[0] = 1e6
    assert code_of(pack, model.state_dict(), ORIGIN) == "E605"


NEEDED = {"lambda-pnn": {"bands": 4}}
"""Settings without a default."""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_builds_from_its_own_json(name):
    row = architecture(name)
    config = row.config(**NEEDED.get(name, {}))
    with torch.device("meta"):
        assert isinstance(row.build(config.to_dict()), row.model)


CHOSEN_BY_NAME = {"compress.base", "detect.sen2ships"}
"""Weights that no command takes by itself."""


def test_packaged_weights_pass_every_check():
    entries = index.packaged().entries()
    sizes = {name: entry.bytes for name, entry in entries.items()}
    assert sum(size for name, size in sizes.items() if name not in CHOSEN_BY_NAME) <= 25e6
    assert sum(sizes.values()) <= 50e6
    for name, entry in entries.items():
        assert isinstance(entry, Entry)
        assert verify(name) == entry
        assert entry.licence
        assert entry.command
        assert entry.metrics


def test_listed_weights_load_without_the_compiler_of_torch():
    code = (
        "import sys; from resattn.weights.load import load; load('compress.light', 'compress');"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.call([sys.executable, "-c", code]) == 0
