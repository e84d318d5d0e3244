"""Checkpoints of RelationNet++ under their own names give the results they were trained for."""

import numpy as np
import pytest
import safetensors.torch
import torch
from mmdet_reference import Released

from resattn.errors import WeightsError
from resattn.models.detector import Detector
from resattn.weights import bvr_layout, convert
from resattn.weights.load import load

HOSTS = ("atss", "fcos", "retinanet")


def tensors(released):
    return {name: torch.tensor(np.asarray(v)).float() for name, v in released.state.items()}


def picture(height=128, width=192, seed=3):
    return np.random.default_rng(seed).random((3, height, width))


@pytest.mark.parametrize(("host", "depth"), [(h, 50) for h in HOSTS] + [("atss", 18)])
def test_forward_is_that_of_the_released_network(host, depth):
    """All names are taken, none is left over, and predictions agree to 1e-4."""
    released = Released(host, depth, classes=6)
    config, ours = bvr_layout.to_ours(tensors(released))
    model = Detector(config).eval()
    model.load_state_dict(ours)
    image = picture()
    logits, codes, centre = released(image)
    with torch.no_grad():
        got = model(torch.from_numpy(image)[None].float()).predictions
    for mine, theirs in ((got.logits, logits), (got.codes, codes), (got.centreness, centre)):
        if theirs is not None:
            assert theirs.std() > 0.1  # not the agreement of zeros
            np.testing.assert_allclose(mine[0], theirs, atol=1e-4 * np.abs(theirs).max())
    assert (got.centreness is None) == (centre is None)


def test_settings_are_read_off_the_tensors():
    configs = {host: bvr_layout.to_ours(tensors(Released(host, 18)))[0] for host in HOSTS}
    assert {host: c.host for host, c in configs.items()} == {host: host for host in HOSTS}
    assert [configs[h].extra for h in HOSTS] == ["output", "output", "input"]
    assert [configs[h].norm for h in HOSTS] == ["group", "none", "group"]
    assert [configs[h].neck_norm for h in HOSTS] == ["none", "none", "group"]
    assert [configs[h].bvr.shared for h in HOSTS] == [True, False, False]
    assert [configs[h].bvr.head_depth for h in HOSTS] == [1, 0, 1]
    assert {c.bvr.extent for c in configs.values()} == {40}
    assert {c.classes for c in configs.values()} == {2}


def test_the_location_bias_does_not_need_its_buffers():
    theirs = tensors(Released("fcos", 18))
    lean = {name: v for name, v in theirs.items() if not name.endswith("base_embedding")}
    config, ours = bvr_layout.to_ours(lean)
    assert config.bvr.extent == 400
    assert ours.keys() == Detector(config).state_dict().keys()


def test_a_checkpoint_becomes_a_file_of_ours(tmp_path):
    source = tmp_path / "epoch_12.safetensors"
    safetensors.torch.save_file(tensors(Released("atss", 18)), source)
    entry, data = convert.convert(source, "mine")
    (tmp_path / "mine.safetensors").write_bytes(data)
    model = load(str(tmp_path / "mine.safetensors"), "detect").model
    assert entry.config["backbone"] == "resnet18"
    assert len(model.detect(torch.zeros(1, 3, 128, 160), score=0.0, limit=3)[0].boxes) <= 3


@pytest.mark.parametrize(
    "extra", ["backbone.layer2.0.conv2.conv_offset.weight", "bbox_head.bbox_head.new.weight"]
)
def test_variants_are_refused_by_the_name_they_add(tmp_path, extra):
    theirs = tensors(Released("atss", 18)) | {extra: torch.zeros(27, 1, 3, 3)}
    safetensors.torch.save_file(theirs, tmp_path / "c.safetensors")
    with pytest.raises(WeightsError, match=r"looks like relationnet\+\+ but holds an unknown") as e:
        convert.convert(tmp_path / "c.safetensors", "mine")
    assert e.value.code == "E604"


def test_other_backbones_are_named():
    theirs = tensors(Released("atss", 18))
    more = {n.replace("layer3.1", "layer3.2"): v for n, v in theirs.items() if "layer3.1" in n}
    with pytest.raises(ValueError, match=r"a backbone of \(2, 2, 3, 2\) blocks"):
        bvr_layout.to_ours(theirs | more)
