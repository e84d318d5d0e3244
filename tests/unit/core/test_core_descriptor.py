from __future__ import annotations

import pytest

from resattn.models.descriptor import ModelDescriptor


def test_halo_is_the_radius_rounded_up_to_grid_and_multiple():
    model = ModelDescriptor("m", 3, 3, multiple=4, radius=17, grid=(6, 16), tiling="exact")
    assert model.halo() == (24, 32)
    assert ModelDescriptor("m", 3, 3, radius=0, tiling="exact").halo() == (0, 0)


def test_exact_tiling_needs_a_radius():
    with pytest.raises(ValueError, match="'statistics' needs a receptive radius"):
        ModelDescriptor("m", 3, 3, tiling="statistics")
    with pytest.raises(ValueError, match="no halo"):
        ModelDescriptor("m", 3, 3).halo()


def test_descriptors_round_trip_through_json():
    model = ModelDescriptor("craft.x4", 3, 3, 4, 1, 40, (16, 16), "statistics")
    assert ModelDescriptor.from_json(model.to_json()) == model
