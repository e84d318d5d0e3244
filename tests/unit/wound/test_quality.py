"""Flags go up for what they name and stay down for a good photograph."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from resattn.wound.quality import flags


def photograph(side=512):
    """Textured skin with a red disc, sharp edges, and its mask."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((side, side))
    mask = np.hypot(rows - side / 2, cols - side / 2) < side / 6
    skin = np.array([190, 150, 130])[:, None, None] + rng.normal(0, 6, (3, side, side))
    wound = np.array([140, 40, 40])[:, None, None] + rng.normal(0, 10, (3, side, side))
    return np.where(mask, wound, skin).clip(0, 255).astype(np.uint8), mask


def test_a_good_photograph_has_no_flag():
    photo, mask = photograph()
    assert flags(photo, mask, 0.95) == []
    barred = photo.copy()
    barred[:, 400:] = 0  # black bars are no darkness
    assert flags(barred, mask, 0.95) == []


@pytest.mark.parametrize(
    ("flag", "change"),
    [
        ("blurred", lambda photo: ndimage.gaussian_filter(photo, (0, 5, 5))),
        ("dark", lambda photo: photo // 6),
        ("overexposed", lambda photo: (photo * 2.0).clip(0, 255).astype(np.uint8)),
    ],
)
def test_each_fault_raises_its_flag(flag, change):
    photo, mask = photograph()
    assert flag in flags(change(photo), mask, 0.95)


def test_a_wound_cut_off_by_border_or_bar_is_told():
    photo, mask = photograph()
    cut = photo[:, : photo.shape[1] // 2], mask[: mask.shape[0] // 2]
    assert flags(*cut, 0.95) == ["touches_border"]
    barred = photo.copy()
    barred[:, 256:] = 0
    half = mask & (np.arange(512)[:, None] < 256)
    assert "touches_border" in flags(barred, half, 0.95)


def test_doubt_and_absence_are_told():
    photo, mask = photograph()
    assert flags(photo, mask, 0.5) == ["low_confidence"]
    assert flags(photo, np.zeros_like(mask), 0.99)[0] == "no_wound"


def test_sharpness_does_not_depend_on_the_resolution():
    """A phone's 12 megapixels of the same scene are neither sharper nor softer."""
    photo, mask = photograph()
    large = photo.repeat(3, 1).repeat(3, 2)
    assert flags(large, mask.repeat(3, 0).repeat(3, 1), 0.95) == []
