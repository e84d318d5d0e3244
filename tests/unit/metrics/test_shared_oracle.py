"""The scale is fixed by stored images with known scores; ours must land on it."""

from __future__ import annotations

import pytest

from resattn.metrics.ergas import ergas
from resattn.metrics.q2n import q2n
from resattn.metrics.sam import sam


@pytest.mark.shared
@pytest.mark.parametrize("scene", ["wv3_rr128", "ik_rr320"])
def test_reduced_resolution_scores(oracle, scene):
    reference = oracle.read(f"{scene}/ref.tif")
    for name, expected in oracle.scores(scene).items():
        fused = oracle.read(name)
        assert ergas(fused, reference, ratio=4) == pytest.approx(expected["ERGAS"], abs=1e-6)
        assert sam(fused, reference) == pytest.approx(expected["SAM"], abs=1e-6)
        # The stored value was made by code that pads 320 to 512 and scores the margin as well.
        padded = q2n(fused, reference, padding="power-of-two")
        assert padded == pytest.approx(expected["Q2n"], abs=1e-4)
