import pytest
import torch
from torch.nn import functional as F

from resattn.models.super_resolve import GatedSr, GatedSrConfig

SMALL = GatedSrConfig(scale=3, dim=8, blocks=2)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GatedSr(SMALL).eval()


def image(height, width, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 13), (33, 20)])
def test_any_size_is_enlarged_by_the_scale(model, size):
    with torch.no_grad():
        assert model(image(*size)).shape == (1, 3, 3 * size[0], 3 * size[1])


def test_shipped_size_is_within_its_budget():
    assert sum(p.numel() for p in GatedSr(GatedSrConfig()).parameters()) <= 300_000


def test_without_correction_it_copies_pixels(model):
    with torch.no_grad():
        model.tail.weight.zero_()
        model.tail.bias.zero_()
        x = image(5, 6)
        assert torch.equal(model(x), F.interpolate(x, scale_factor=3, mode="nearest"))


def test_radius_is_exact(model):
    side, centre = 2 * model.radius + 5, model.radius + 2
    x = image(side, side).requires_grad_()
    cell = slice(3 * centre, 3 * centre + 3)
    model(x)[..., cell, cell].sum().backward()
    rows, cols = (x.grad.abs().sum((0, 1)) > 0).nonzero().T
    assert (centre - rows.min(), rows.max() - centre) == (model.radius, model.radius)
    assert (centre - cols.min(), cols.max() - centre) == (model.radius, model.radius)


@pytest.mark.parametrize("tile", [4, 7, 16, 25])
def test_tiles_with_the_halo_give_the_whole(model, tile):
    x, halo = image(40, 37), model.radius
    with torch.no_grad():
        whole = model(x)
        for row in range(0, 40, tile):
            for col in range(0, 37, tile):
                top, left = max(0, row - halo), max(0, col - halo)
                part = model(x[..., top : row + tile + halo, left : col + tile + halo])
                bottom, right = min(40, row + tile), min(37, col + tile)
                inner = part[
                    ..., 3 * (row - top) : 3 * (bottom - top), 3 * (col - left) : 3 * (right - left)
                ]
                expected = whole[..., 3 * row : 3 * bottom, 3 * col : 3 * right]
                # Kernels for other sizes may add in another order: fp32 rounding, no more.
                torch.testing.assert_close(inner, expected, rtol=0, atol=1e-6)


def test_phases_are_the_interleaved_image(model):
    x = image(6, 5)
    with torch.no_grad():
        assert torch.equal(F.pixel_shuffle(model.phases(x), 3), model(x))


def test_config_survives_json():
    assert GatedSrConfig.from_json(SMALL.to_json()) == SMALL


@pytest.mark.parametrize("field", ["scale", "dim", "blocks"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, not 0"):
        GatedSrConfig(**{field: 0})
