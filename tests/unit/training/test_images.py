import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from resattn.training.images import Draw, crops, draw, step_generator


def numbered(count, side, cell=1):
    """Images whose pixels all differ; with `cell`, each pixel repeated `cell` times both ways."""
    image = torch.arange(count * 3 * side * side).reshape(count, 3, side, side)
    return image.repeat_interleave(cell, -1).repeat_interleave(cell, -2)


@given(seed=st.integers(0, 2**32), patch=st.integers(1, 9))
def test_drawn_patches_lie_inside(seed, patch):
    choice = draw(16, 3, (9, 11), patch, step_generator(seed, 0))
    assert crops(torch.zeros(3, 1, 9, 11), choice, patch).shape == (16, 1, patch, patch)


@given(seed=st.integers(0, 1000))
def test_one_draw_cuts_matching_patches_at_both_scales(seed):
    choice = draw(8, 2, (10, 10), 4, step_generator(seed, 5))
    low = crops(numbered(2, 10), choice, 4)
    high = crops(numbered(2, 10, cell=3), choice, 4, 3)
    assert torch.equal(F.interpolate(low.double(), scale_factor=3).long(), high)


def test_the_eight_orientations_differ():
    one = torch.arange(9).reshape(1, 1, 3, 3)
    turned = crops(one, Draw([0] * 8, [0] * 8, [0] * 8, list(range(8))), 3)
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 8


def test_a_step_draws_the_same_whatever_ran_before():
    first = draw(4, 9, (50, 50), 5, step_generator(1, 17))
    draw(400, 9, (50, 50), 5, step_generator(1, 16))
    assert draw(4, 9, (50, 50), 5, step_generator(1, 17)) == first
    assert draw(4, 9, (50, 50), 5, step_generator(2, 17)) != first
    assert draw(4, 9, (50, 50), 5, step_generator(1, 18)) != first


def test_every_place_is_drawn():
    choice = draw(4000, 2, (4, 5), 3, step_generator(0, 0))
    assert {*choice.image} == {0, 1}
    assert {*choice.row} == {0, 1}
    assert {*choice.col} == {0, 1, 2}
    assert {*choice.turn} == set(range(8))


def test_a_patch_larger_than_the_images_is_refused():
    with pytest.raises(ValueError, match=r"patch of 5 does not fit into images of \(4, 9\)"):
        draw(1, 1, (4, 9), 5, step_generator(0, 0))
