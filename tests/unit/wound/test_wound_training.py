"""The training task: views that keep photograph and mask together, folds that share no scene."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from resattn.errors import UserError
from resattn.models.wound_unet import WoundUNetConfig
from resattn.training.config import TrainConfig
from resattn.training.dataset import ImageSet
from resattn.training.loop import Place, Trainer
from resattn.training.wound import LossWeights, Settings, WoundTask, make, mask_loss, scenes
from resattn.training.wound_views import Views, basins, recoloured, relit, view

TINY = WoundUNetConfig(
    encoder="residual", widths=(8, 8, 16, 16, 16), decoder=(16, 16, 8, 8), block="eca"
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def disc(side, row, col, radius):
    rows, cols = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((rows + 0.5 - row) ** 2 + (cols + 0.5 - col) ** 2 < radius**2).to(torch.uint8)[None]


def wounds(count=6, side=96, seed=1):
    """Red discs on skin, one photograph of them without."""
    random = generator(seed)
    places = (torch.rand(count, 3, generator=random) * 0.4 + 0.3).tolist()
    masks = torch.stack([disc(side, r * side, c * side, s * side / 3) for r, c, s in places])
    masks[0] = 0
    skin = torch.tensor([200, 160, 140]).view(1, 3, 1, 1)
    red = torch.tensor([150, 30, 40]).view(1, 3, 1, 1)
    shade = 40 * torch.rand(count, 3, 6, 6, generator=random)
    images = torch.where(masks > 0, red, skin) + F.interpolate(shade, size=(side, side))
    photos = torch.cat([images.clamp(0, 255).to(torch.uint8), masks], 1)
    return ImageSet(photos, tuple(map(str, range(count))))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_view_moves_photograph_and_mask_alike_and_scales_areas(scale):
    mask = disc(128, 64, 64, 16)
    photo = (mask * 255).expand(3, -1, -1)
    views = Views(scale=(scale, scale), on_wound=1.0)
    for seed in range(5):
        cut, label = view(photo, mask, 128, views, generator(seed))
        assert (label - (cut.mean(0, keepdim=True) >= 0.5).float()).abs().sum() <= 8
        touches = label[0, [0, -1]].any() or label[0, :, [0, -1]].any()
        if not touches:
            expected = math.pi * (16 * scale) ** 2
            assert float(label.sum()) == pytest.approx(expected, rel=0.05)


def test_views_centred_on_a_wound_show_it():
    mask = disc(256, 40, 200, 6)
    photo = (mask * 255).expand(3, -1, -1)
    views = Views(scale=(1.0, 1.0), on_wound=1.0)
    assert all(view(photo, mask, 64, views, generator(s))[1].any() for s in range(20))
    never = replace(views, on_wound=0.0)
    assert not all(view(photo, mask, 64, never, generator(s))[1].any() for s in range(20))


def test_reflections_and_rotations_both_occur():
    """A mark beside the centre turns up on every side of it, in both orders of rotation."""
    photo = torch.zeros(3, 64, 64, dtype=torch.uint8)
    photo[0, 32:34, 44:46], photo[1, 22:24, 40:42] = 255, 255  # green follows red, anticlockwise
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    mask[0, 32, 32] = 1
    angles, handed = [], []
    for seed in range(40):
        cut, _ = view(photo, mask, 64, Views(scale=(1.0, 1.0), on_wound=1.0), generator(seed))
        red, green = ((c / c.sum() * _grid(64)).sum((1, 2)) for c in cut[:2])
        angles.append(math.atan2(*red.tolist()))
        handed.append(float(red[0] * green[1] - red[1] * green[0]) > 0)
    assert len({round(a / (math.pi / 2)) % 4 for a in angles}) == 4
    assert 8 <= sum(handed) <= 32


def _grid(side):
    offsets = torch.arange(side) + 0.5 - side / 2
    return torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"))


def test_light_changes_stay_in_range_and_leave_some_alone():
    images = torch.rand(16, 3, 24, 24, generator=generator())
    changed = relit(images, Views(), generator(1))
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    assert not torch.equal(changed, images)
    still = Views(chance=0.0)
    torch.testing.assert_close(relit(images, still, generator(1)), images, atol=1e-6, rtol=0)


def test_basins_part_two_plains_at_their_ridge():
    """Two flat halves: the gradient's ridge between them parts the water."""
    grey = torch.zeros(1, 20, 40)
    grey[:, :, 20:] = 1.0
    labels = basins(grey)[0]
    left, right = labels[:, :18].unique(), labels[:, 22:].unique()
    assert len(left) == len(right) == 1
    assert left != right


def test_basins_equal_walking_downhill_by_hand():
    grey = torch.rand(1, 9, 11, generator=generator(3))
    labels = basins(grey)[0]
    assert torch.equal(basins(grey.expand(2, -1, -1))[1], labels)
    bottoms = labels.unique().tolist()
    assert len(bottoms) > 1
    for bottom in bottoms:  # a bottom drains to itself, and each basin hangs together
        assert int(labels.flatten()[bottom]) == bottom
        region = (labels == bottom).float()
        grown = torch.zeros_like(region)
        grown.view(-1)[bottom] = 1
        for _ in range(99):
            grown = F.max_pool2d(grown[None, None], 3, 1, 1)[0, 0] * region
        assert torch.equal(grown, region)


def test_recolouring_spares_the_wound():
    photos = wounds()
    images, masks = photos.images[:, :3].float() / 255, photos.images[:, 3:].float()
    always = Views(chance=1.0)
    changed = (recoloured(images, masks, always, generator()) - images).abs().amax(1, keepdim=True)
    core = F.avg_pool2d(masks, 9, 1, 4) == 1
    assert float(changed[core].max()) == 0
    assert float(changed[masks == 0].mean()) > 0.03
    assert float(changed.max()) <= always.basins + 1e-6


def test_the_loss_wants_the_mask_and_an_empty_mask_where_there_is_none():
    target = disc(64, 32, 32, 10)[None].float()
    weights = LossWeights()

    def of(mask, aim):
        return float(mask_loss((mask - 0.5) * 40, aim, weights))

    assert of(target, target) < 0.01
    assert of(torch.zeros_like(target), target) > 1
    assert of(torch.zeros_like(target), torch.zeros_like(target)) < 0.01
    assert of(target, torch.zeros_like(target)) > 0.8


def test_twins_are_one_scene_and_stay_on_one_side():
    images = wounds(12).images[:, :3]
    noise = torch.randint(-3, 4, (2, 3, 96, 96), generator=generator())
    twins = (images[3:5].int() + noise).clamp(0, 255).to(torch.uint8)
    names = scenes(torch.cat([images, twins]))
    assert (names[3], names[4]) == (names[12], names[13])
    assert len(set(names)) == 12


def test_a_short_run_learns_to_find_the_discs(tmp_path):
    settings = Settings(model=TINY, patch=64, views=Views(scale=(0.7, 1.4)))
    photos = wounds(6)
    task = WoundTask(settings, photos, photos)
    config = TrainConfig(steps=45, batch=4, lr=5e-3, ema=0.9, warmup=5)
    outcome = Trainer(task, config, Place(tmp_path, torch.device("cpu"))).fit()
    assert outcome.metrics["dice"] > 0.8
    assert outcome.metrics.keys() == {"dice", "dice_pooled"}
    assert all(value.is_floating_point() for value in outcome.weights.values())


def test_a_step_depends_on_its_generator_alone():
    task = WoundTask(Settings(model=TINY, patch=32), wounds(), wounds())
    first, second = task.sample(3, generator(7)), task.sample(3, generator(7))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert [tuple(t.shape) for t in first] == [(3, 3, 32, 32), (3, 1, 32, 32)]


def test_facts_tell_settings_and_data_apart():
    base = WoundTask(Settings(model=TINY), wounds(), wounds())
    other_data = WoundTask(Settings(model=TINY), wounds(seed=2), wounds())
    other_loss = WoundTask(Settings(model=TINY, weights=LossWeights(dice=0.5)), wounds(), wounds())
    texts = {str(task.facts()) for task in (base, other_data, other_loss)}
    assert len(texts) == 3


def test_images_without_masks_are_refused():
    bare = ImageSet(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), ("a", "b"))
    with pytest.raises(UserError, match="3 bands instead of red, green, blue and mask"):
        make(Settings(), bare, bare)
    with pytest.raises(ValueError, match="lite0's, not residual's"):
        Settings(model=TINY, published=True)
