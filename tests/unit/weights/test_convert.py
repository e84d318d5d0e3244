import os
import pickle

import pytest
import safetensors.torch
import torch

from resattn.errors import WeightsError
from resattn.models.craft import Craft, CraftConfig
from resattn.weights import convert, craft_layout, unpickle
from resattn.weights.craft_layout import _rename
from resattn.weights.load import load


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def code_of(path):
    with pytest.raises(WeightsError) as caught:
        convert.convert(path, "x")
    return caught.value.code


def official(scale=2):
    """A checkpoint with the released names and our random values."""
    names = {ours: theirs for theirs, ours in craft_names().items()}
    model = Craft(CraftConfig(scale=scale))
    theirs = {names[name]: value for name, value in model.state_dict().items()}
    theirs["biases_h"] = torch.zeros(217, 2)
    theirs["relative_position_index_v"] = torch.zeros(64, 64, dtype=torch.int64)
    return model, theirs


def craft_names():
    """Every released name by the structure of the released code, mapped by `_rename`."""
    leaves = ("weight", "bias")
    names = [f"{m}.{x}" for m in craft_layout._OUTER for x in leaves]
    for i in range(4):
        group = f"layers.{i}.residual_group"
        names += [f"layers.{i}.conv.{x}" for x in leaves]
        names += [
            f"{group}.srwa_blocks.{j}.{m}.{x}"
            for j in range(4)
            for m in craft_layout._WINDOW
            for x in leaves
        ]
        for d in range(2):
            names += [
                f"{group}.hfer_blocks.{d}.{m}.{x}" for m in craft_layout._EDGE for x in leaves
            ]
            block = f"{group}.hf_blocks.{d}"
            names += [f"{block}.{n}.body.{x}" for n in ("norm1", "norm2") for x in leaves]
            names.append(f"{block}.attn.temperature")
            convolutions = [m for m in craft_layout._FUSION if m.startswith(("attn.", "ffn."))]
            convolutions.remove("attn.temperature")
            names += [f"{block}.{m}.weight" for m in convolutions]
    return {name: _rename(name) for name in names}


def test_published_parameter_counts():
    for scale, published in ((2, 737), (3, 744), (4, 753)):
        count = sum(p.numel() for p in Craft(CraftConfig(scale=scale)).parameters())
        assert count // 1000 == published


def test_every_released_name_has_one_of_ours():
    ours = craft_names().values()
    assert len(set(ours)) == len(ours) == 844 - 4
    assert set(ours) == set(Craft(CraftConfig()).state_dict())


def test_a_checkpoint_is_converted(tmp_path, monkeypatch):
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path / "shelf"))
    model, theirs = official()
    torch.save({"params": theirs, "step": 5}, tmp_path / "c.pth")
    entry, data = convert.convert(tmp_path / "c.pth", "mine")
    out = tmp_path / "out.safetensors"
    out.write_bytes(data)
    loaded = load(str(out), "super-resolve").model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    assert (entry.architecture, entry.config["scale"]) == ("craft", 2)


def test_f26_g13_a_pickle_that_runs_code_does_not(tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / "evil.pth"
    torch.save({"params": {"conv_first.weight": torch.zeros(1), "x": Evil(mark)}}, path)
    assert code_of(path) == "E602"
    assert not mark.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04", pickle.dumps([1, 2]), pickle.dumps(os.getcwd)]
)
def test_f26_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    assert code_of(tmp_path / "c.pth") == "E602"


def test_an_absent_file_is_named(tmp_path):
    assert code_of(tmp_path / "absent.pth") == "E600"


@pytest.mark.parametrize(
    "path", [(), ("params",), ("params_ema",), ("state_dict",), ("model", "ema")]
)
def test_the_table_of_tensors_is_found_where_trainers_put_it(path):
    table = {"w": 1}
    document = table
    for holder in reversed(path):
        document = {"step": 7, holder: document}
    assert unpickle._state(document) == table


@pytest.mark.parametrize("document", [None, [1], "text"])
def test_a_document_without_a_table_gives_none(document):
    assert unpickle._state(document) == {}


def save(path, tensors):
    safetensors.torch.save_file({k: v.clone() for k, v in tensors.items()}, path)
    return path


def test_unknown_layouts_and_variants_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    assert code_of(save(path, {"w": torch.zeros(1)})) == "E604"
    _, theirs = official()
    floats = {k: v for k, v in theirs.items() if v.is_floating_point()}
    assert code_of(save(path, floats | {"layers.0.extra.weight": torch.zeros(1)})) == "E604"
    del floats["conv_first.bias"]
    assert code_of(save(path, floats)) == "E604"
