"""The detector as a whole: a bridge that is on or off, hosts, encoders, any size of picture."""

import dataclasses

import pytest
import torch

from resattn.models.detect_points import BvrConfig
from resattn.models.detector import STRIDE, Detector, DetectorConfig

SMALL = DetectorConfig(classes=3, width=32, depth=1, bvr=BvrConfig(heads=4, width=16, depth=1))
HOSTS = ("atss", "fcos", "retinanet")


def seeded(config, seed=0):
    torch.manual_seed(seed)
    return Detector(config).eval()


def photo(height=96, width=128, count=1, seed=1):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("host", HOSTS)
def test_a_bridge_that_is_off_leaves_the_host(host):
    """The same seed gives the same host; a fresh bridge adds nothing, to the last bit."""
    config = dataclasses.replace(SMALL, host=host)
    bridged, bare = seeded(config), seeded(dataclasses.replace(config, bvr=None))
    own = bare.state_dict()
    assert all(torch.equal(value, bridged.state_dict()[name]) for name, value in own.items())
    extra = [name for name in bridged.state_dict() if name not in own]
    assert extra
    assert all(name.startswith("bridge.") for name in extra)
    with torch.no_grad():
        a, b = bridged(photo()), bare(photo())
    assert torch.equal(a.predictions.logits, b.predictions.logits)
    assert torch.equal(a.predictions.codes, b.predictions.codes)
    assert a.points is not None
    assert b.points is None


@pytest.mark.parametrize("host", HOSTS)
def test_a_trained_bridge_changes_the_host(host):
    model = seeded(dataclasses.replace(SMALL, host=host))
    before = model(photo()).predictions
    for mixer in (*model.bridge.cls, *model.bridge.box):
        torch.nn.init.normal_(mixer.proj.weight, std=0.5)
    after = model(photo()).predictions
    assert not torch.equal(before.logits, after.logits)
    assert not torch.equal(before.codes, after.codes)


def test_the_location_table_is_listed_once_and_learns():
    model = seeded(SMALL)
    names = [name for name in model.state_dict() if "map.weight" in name]
    assert names == ["bridge.tables.0.map.weight"]
    for mixer in (*model.bridge.cls, *model.bridge.box):
        torch.nn.init.normal_(mixer.proj.weight)
    model(photo()).predictions.codes.square().sum().backward()
    moved = (model.bridge.tables[0].map.weight.grad != 0).float().mean()
    assert moved > 0.95
    offsets = model.bridge.head.offsets.weight.grad
    assert offsets.abs().sum() > 0  # positions of keys carry a gradient into the offsets


@pytest.mark.parametrize("backbone", ["lite0", "resnet18", "resnet50"])
def test_every_encoder_serves(backbone):
    model = seeded(dataclasses.replace(SMALL, backbone=backbone))
    with torch.no_grad():
        raw = model(photo(64, 96))
    assert raw.predictions.logits.shape == (1, 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2 + 1, 3)
    assert torch.isfinite(raw.predictions.logits).all()


def test_parameter_counts():
    """The bridge costs 6 % of the default model's parameters."""
    counts = {
        on: sum(p.numel() for p in Detector(DetectorConfig(classes=3, bvr=on)).parameters())
        for on in (BvrConfig(), None)
    }
    assert counts == {BvrConfig(): 3_953_232, None: 3_739_389}


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 70), (100, 64)])
def test_pictures_of_any_size(height, width):
    found = seeded(SMALL).detect(photo(height, width, count=2), score=0.0, limit=7)
    assert len(found) == 2
    for each in found:
        assert 0 < len(each.boxes) <= 7
        assert each.boxes.dtype == torch.float32
        assert each.labels.dtype == torch.int64
        assert (each.boxes >= 0).all()
        assert (each.boxes <= torch.tensor([width, height] * 2)).all()
        assert (each.boxes[:, 2:] > each.boxes[:, :2]).all()
        assert torch.equal(each.scores, each.scores.sort(descending=True).values)


def test_sides_the_network_cannot_halve_are_refused():
    with pytest.raises(ValueError, match=f"100×64 pixels must be multiples of {STRIDE}"):
        seeded(SMALL)(photo(64, 100))


def test_names_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="1 names for 3 classes"):
        DetectorConfig(classes=3, names=("ship",))


def test_the_config_survives_json():
    for config in (SMALL, dataclasses.replace(SMALL, bvr=None, names=("a", "b", "c"))):
        assert DetectorConfig.from_json(config.to_json()) == config


def test_pictures_of_a_batch_do_not_meet():
    model, pictures = seeded(SMALL), photo(count=3)
    for mixer in (*model.bridge.cls, *model.bridge.box):
        torch.nn.init.normal_(mixer.proj.weight, std=0.1)
    with torch.no_grad():
        together = model(pictures).predictions.logits
        alone = torch.cat([model(p[None]).predictions.logits for p in pictures])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
