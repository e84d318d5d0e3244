import pytest
import torch
from torch.nn import functional as F

from resattn.degradation import downscale
from resattn.metrics.luma import psnr_y
from resattn.models.craft import CraftConfig
from resattn.models.super_resolve import GatedSrConfig
from resattn.training.config import TrainConfig
from resattn.training.dataset import ImageSet
from resattn.training.images import step_generator
from resattn.training.loop import Place, Trainer
from resattn.training.super_resolve import Pairs, Settings, SuperResolveTask, make


def waves(count=3, side=48):
    """Smooth images a model can learn to enlarge."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = torch.arange(count * 3).reshape(count, 3, 1, 1)
    return ((torch.sin(0.3 * x * torch.cos(angles) + 0.3 * y) + 1) * 127).byte()


@pytest.fixture
def task():
    return task_with()


def task_with(**options):
    settings = Settings(model=GatedSrConfig(scale=2, dim=8, blocks=1), patch=10, **options)
    return SuperResolveTask(settings, Pairs.make(waves(), 2), Pairs.make(waves(2, 33), 2))


def test_pairs_are_cut_and_degraded():
    pairs = Pairs.make(waves(2, 33), 2)
    assert pairs.high.shape == (2, 3, 32, 32)
    assert torch.equal(pairs.low, downscale(waves(2, 33)[..., :32, :32], 2))


def test_samples_match_each_other(task):
    low, phases = task.sample(5, step_generator(0, 0))
    assert low.shape == (5, 3, 10, 10)
    high = F.pixel_shuffle(phases, 2)
    error = F.avg_pool2d(high.float(), 2) - low.float()
    assert error.abs().mean() < 2


def test_loss_is_the_mean_absolute_error_of_the_image(task):
    model = task.build()
    low, phases = task.sample(2, step_generator(0, 1))
    high = F.pixel_shuffle(phases, 2).float() / 255
    expected = (model(low.float() / 255) - high).abs().mean()
    torch.testing.assert_close(task.loss(model, [low, phases]), expected)


def test_loss_options_are_the_errors_they_name(task):
    model = task.build()
    low, phases = task.sample(2, step_generator(0, 1))
    error = model(low.float() / 255) - F.pixel_shuffle(phases, 2).float() / 255
    weights = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1)
    luma = (error * weights / weights.sum()).sum(1)
    both = error.abs().mean() + 2 * luma.abs().mean()
    torch.testing.assert_close(task_with(luma=2.0).loss(model, [low, phases]), both)
    squared = error.square().mean() + luma.square().mean()
    options = task_with(loss="squared", luma=1.0)
    torch.testing.assert_close(options.loss(model, [low, phases]), squared)


def test_validation_is_psnr_of_luma(task):
    model = task.build()
    with torch.no_grad():
        estimates = model(task.fold.low.float() / 255).clamp(0, 1).mul(255).round()
    expected = [
        psnr_y(e.numpy(), h.numpy(), border=2)
        for e, h in zip(estimates, task.fold.high, strict=True)
    ]
    with torch.inference_mode():
        found = task.validate(model)
    assert found["psnr_y"] == pytest.approx(sum(expected) / 2, abs=1e-3)


def test_a_few_steps_beat_copied_pixels(task, tmp_path):
    config = TrainConfig(steps=60, batch=4, lr=4e-3, warmup=5, ema=0.9)
    with torch.inference_mode():
        start = task.validate(task.build())["psnr_y"]
    outcome = Trainer(task, config, Place(tmp_path, torch.device("cpu"))).fit()
    assert outcome.metrics["psnr_y"] > start + 3


def test_craft_learns_a_patch_by_heart(tmp_path):
    small = CraftConfig(scale=2, dim=16, groups=1, depth=1, heads=2, bias="table", wrap=False)
    one = ImageSet(waves(1, 24), ("a",))
    task = make(Settings(craft=small, patch=12), one, one)
    with torch.inference_mode():
        start = task.validate(task.build())["psnr_y"]
    config = TrainConfig(steps=60, batch=2, lr=4e-3, warmup=5, ema=0.9)
    outcome = Trainer(task, config, Place(tmp_path, torch.device("cpu"))).fit()
    assert task.architecture == "craft"
    assert outcome.metrics["psnr_y"] > start + 5


def test_facts_tell_data_apart(task):
    other = SuperResolveTask(task.settings, Pairs.make(255 - waves(), 2), task.fold)
    assert task.facts() != other.facts()
    assert task.facts() == task_with().facts()
    assert task.facts() != task_with(luma=1.0).facts()
