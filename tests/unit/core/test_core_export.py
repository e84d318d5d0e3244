"""Every mixer as one graph for images of other sizes, as `torch.export` makes it."""

from __future__ import annotations

import pytest
import torch
from core_cases import EXAMPLES, case
from torch import nn

from resattn.mixers.keys import Keys


class Flat(nn.Module):
    """A mixer that takes its points as tensors, as a graph must."""

    def __init__(self, mixer):
        super().__init__()
        self.mixer = mixer

    def forward(self, *tensors):
        x, *context = tensors
        return self.mixer(x, Keys(*context) if len(context) == 2 else (*context, None)[0])


def inputs(x, context):
    if isinstance(context, Keys):
        return x, context.features, context.positions
    return (x,) if context is None else (x, context)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("example", EXAMPLES)
def test_exports_once_for_sizes_that_are_multiples_of_the_window(example):
    mixer, *given = case(example, 48, 64, batch=1, dtype=torch.float32)
    net, given = Flat(mixer).eval(), inputs(*given)
    axes = (1, 2) if mixer.layout == "NHWC" else (2, 3)
    sides = {axis: 16 * torch.export.Dim(f"n{axis}", min=2, max=64) for axis in axes}
    free = tuple(sides if t.ndim == 4 else None for t in given)  # points are as many as given
    with torch.no_grad():
        program = torch.export.export(net, given, dynamic_shapes=(free,))
        other = inputs(*case(example, 80, 96, batch=1, dtype=torch.float32)[1:])
        torch.testing.assert_close(program.module()(*other), net(*other))
