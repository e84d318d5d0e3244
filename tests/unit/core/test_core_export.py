from __future__ import annotations

import pytest
import torch
from core_cases import case

# Not: shifted windows (minutes), channel, transposed and deformable (size-dependent), keys.
EXPORTED = ["eca-0", "cbam-0", "additive-0", "large-kernel-0", "window-2", "position-0"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("example", EXPORTED)
def test_exports_once_for_sizes_that_are_multiples_of_the_window(example):
    mixer, x, context = case(example, 48, 64, batch=1, dtype=torch.float32)
    mixer.eval()
    axes = (1, 2) if mixer.layout == "NHWC" else (2, 3)
    sides = {axis: 16 * torch.export.Dim(f"n{axis}", min=2, max=64) for axis in axes}
    inputs = (x,) if context is None else (x, context)
    with torch.no_grad():
        program = torch.export.export(mixer, inputs, dynamic_shapes=(sides,) * len(inputs))
        _, other, context = case(example, 80, 96, batch=1, dtype=torch.float32)
        inputs = (other,) if context is None else (other, context)
        torch.testing.assert_close(program.module()(*inputs), mixer(*inputs))
