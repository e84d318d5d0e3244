"""The task keeps the trainer's contract, and a few steps already pay."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from net_cases import SMALL

from resattn.models.compress import CompressNet
from resattn.models.compress_context import ContextConfig
from resattn.models.compress_levels import LEVELS, trade_off
from resattn.training.compress import CompressTask, Settings, make
from resattn.training.config import TrainConfig
from resattn.training.dataset import ImageSet
from resattn.training.images import step_generator
from resattn.training.loop import Place, Trainer

TINY = dataclasses.replace(SMALL, dim=96, context=ContextConfig(hidden=16, slices=(16,)))


def pictures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(130, 128), mode="bicubic")
    return (fine.clamp(0, 1) * 255).byte()


@pytest.fixture
def task():
    settings = Settings(model=TINY, patch=64, judged=(10, 50), photographs=2)
    sets = [ImageSet(pictures(4, seed), tuple("abcd")) for seed in (0, 1)]
    return make(settings, *sets)


def test_samples_hold_every_rate(task):
    image, levels, noise, z_noise = task.sample(8, step_generator(0, 0))
    assert image.shape == (8, 3, 64, 64)
    assert image.dtype == torch.uint8
    assert (levels // 8).tolist() == list(range(8))
    assert noise.shape == (8, 96, 4, 4)
    assert z_noise.shape == (8, SMALL.z_dim, 1, 1)
    assert -0.5 <= noise.min() < -0.45 < 0.45 < noise.max() <= 0.5
    again = task.sample(8, step_generator(0, 0))
    assert torch.equal(again[0], image)
    assert torch.equal(again[2], noise)


def test_loss_is_bits_and_weighted_error(task):
    net = task.build()
    batch = task.sample(2, step_generator(0, 1))
    image, levels, *noise = batch
    image = image.float() / 255
    found = net.relaxed(image, levels, tuple(noise))
    weight = trade_off(levels)
    error = (found.image - image).square().mean((1, 2, 3))
    costs = found.bits / 64**2 + weight * 255**2 * error
    expected = (costs * (trade_off(torch.tensor(31.5)) / weight).sqrt()).mean()
    torch.testing.assert_close(task.loss(net, batch), expected)


def test_validation_is_what_the_codec_does(task):
    """Bits of rounded values and PSNR of the decoded picture, from the integers themselves."""
    net = task.build().eval()
    with torch.inference_mode():
        found = task.validate(net)
    net.load_state_dict(task.exported(net.state_dict()))
    image = task.fold.float() / 255
    assert image.shape[-2:] == (128, 128)
    decoded = net.synthesise(net.analyse(image, 10), 10).mul(255).round() / 255
    errors = (decoded - image).square().mean((1, 2, 3))
    assert found["psnr_10"] == pytest.approx(float(-10 * errors.log10().mean()), abs=0.01)
    costs = found["bpp_10"] + float(trade_off(torch.tensor(10))) * 255**2 * errors
    assert found["cost"] < float(costs.max()) * 3
    assert found["bpp_10"] < found["bpp_50"]
    assert found["psnr_10"] < found["psnr_50"]


def test_a_few_steps_beat_the_cosine_transform(task, tmp_path):
    with torch.inference_mode():
        start = task.validate(task.build())["cost"]
    config = TrainConfig(steps=15, batch=2, lr=4e-3, warmup=3, ema=0.7, clip=1.0)
    outcome = Trainer(task, config, Place(tmp_path, torch.device("cpu"))).fit()
    assert outcome.metrics["cost"] < start - 0.05
    net = CompressNet(TINY)
    net.load_state_dict(task.exported(outcome.weights))
    assert net.known_answer() == "fp32"


def test_a_run_in_two_parts_ends_with_the_same_bits(task, tmp_path):
    config = TrainConfig(steps=4, batch=2, lr=2e-3, warmup=2, clip=1.0)
    whole, parts = (Place(tmp_path / name, torch.device("cpu")) for name in ("whole", "parts"))
    expected = Trainer(task, config, whole).fit().weights
    turns = iter([False, False, True])
    assert not Trainer(task, config, parts).fit(stop=lambda: next(turns)).finished
    found = Trainer(task, config, parts).fit().weights
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_export_keeps_what_was_trained_beside_its_integers(task):
    net = task.build()
    state = net.state_dict()
    exported = task.exported(state)
    assert exported.keys() == state.keys()
    for name, value in state.items():
        if value.is_floating_point():
            assert torch.equal(exported[name], value)
    assert exported["q_table"].dtype == torch.int32
    assert int(exported["scale.checksum"]) >= 0


def test_exported_tables_need_fewer_bits_than_the_assumed_ones(task):
    """Counted in the exported tables, on the images they were made from."""
    net = task.build()
    net.freeze()
    assumed = net.z_counts, net.q_counts
    net.load_state_dict(task.exported(net.state_dict()))
    image = task.train[..., :128, :].float() / 255
    before = after = 0.0
    for level in range(4, LEVELS, 8):
        latents = net.analyse(image, level)
        index = net.scale_index(latents.z, level)
        coded = index >= net.skip
        channel = torch.arange(SMALL.z_dim)[:, None, None].expand_as(latents.z)
        for tables, old, row, value in (
            (net.z_counts, assumed[0], channel, latents.z + 63),
            (net.q_counts, assumed[1], index[coded], latents.q[coded] + 255),
        ):
            after -= float(((tables[row, value] + 1) / 2**24).log2().sum())
            before -= float(((old[row, value] + 1) / 2**24).log2().sum())
    assert after < 0.98 * before
    sides = net.q_counts - net.q_counts.flip(1)
    # What rounding leaves goes to one value of a row.
    assert int(sides.abs().max()) <= net.q_counts.shape[1]


def test_every_parameter_learns(task):
    """None is left out of the loss, whatever starts at zero."""
    net = task.build()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    for step in range(3):
        optimizer.zero_grad()
        task.loss(net, task.sample(4, step_generator(0, step))).backward()
        optimizer.step()
    still = [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert not still


def test_facts_tell_runs_apart(task):
    other = CompressTask(task.settings, 255 - task.train, task.fold)
    assert task.facts() != other.facts()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"patch": 96}, "multiple of 64"), ({"judged": (64,)}, rf"0\.\.{LEVELS - 1}")],
)
def test_settings_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)
