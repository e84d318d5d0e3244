"""EfficientNet-Lite0 as an encoder: five feature maps, at strides 2 to 32.

Inverted residuals with ReLU6 and without squeeze-and-excite, so nothing depends on the size of
the image. Batch norms are folded into the convolutions: the encoder is meant to start from the
published ImageNet weights (`from_published`, never shipped here), and fixed statistics train 10 %
faster on a CPU and do not care how small the batch is.

Reference: Tan and Le, EfficientNet, ICML 2019, table 1 (B0); the Lite variant drops SE and swish.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Per stage: blocks, kernel, stride, expansion, channels.
_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_NORM_EPS: Final = 1e-3
_NORM_OF: Final = {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
}


class SameConv(nn.Conv2d):
    """Convolution with a bias and zero padding after TensorFlow's rule.

    At stride 2 that rule pads one pixel more on the right and below than on the left and above.
    """

    def __init__(
        self, dim_in: int, dim: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        reach = (kernel - 1) // 2
        super().__init__(dim_in, dim, kernel, stride, 0 if stride == 2 else reach, groups=groups)
        self.margin = (reach - 1, reach, reach - 1, reach) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, C, H, W) to (B, D, H / stride, W / stride), for sides that are multiples."""
        padded = F.pad(x, self.margin) if self.margin else x
        if not (self.groups > 1 and x.device.type == "cpu" and _learns(self.weight)):
            return super().forward(padded)
        # The gradient of a depthwise weight takes a CPU 2 to 5 times longer in bfloat16 than in
        # float32 (torch 2.13, 2026-11-22).
        with torch.autocast("cpu", enabled=False):
            return super().forward(padded.float()).to(x.dtype)


def _learns(weight: Tensor) -> bool:
    return weight.requires_grad and torch.is_grad_enabled()


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; the input is added where the shape allows."""

    def __init__(self, dim_in: int, dim: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = dim_in * expansion
        widen = [SameConv(dim_in, wide, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        self.body = nn.Sequential(
            *widen,
            SameConv(wide, wide, kernel, stride=stride, groups=wide),
            nn.ReLU6(inplace=True),
            SameConv(wide, dim, 1),
        )
        self.adds = stride == 1 and dim_in == dim

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, C, H, W) to (B, D, H / stride, W / stride)."""
        y: Tensor = self.body(x)
        return x + y if self.adds else y


class LiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its classifier: 2.9 M parameters."""

    widths = (16, 24, 40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConv(3, 32, 3, stride=2), nn.ReLU6(inplace=True))
        blocks, dim = [], 32
        for count, kernel, stride, expansion, width in _STAGES:
            for index in range(count):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(dim, width, kernel, step, expansion))
                dim = width
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """RGB (B, 3, H, W) in 0..1, sides multiples of 32, to maps at strides 2, 4, 8, 16, 32."""
        x = self.stem((x * 255 - 127) / 128)
        maps: list[Tensor] = []
        for block in self.blocks:
            y = block(x)
            if y.shape[-1] != x.shape[-1]:
                maps.append(x)
            x = y
        return [*maps, x]


@torch.no_grad()
def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published weights, norms folded in, under the names of `LiteEncoder`.

    Args:
        state: State dict of an EfficientNet-Lite0 classifier in the widespread PyTorch layout
            (``_conv_stem``, ``_blocks.N._expand_conv``, ``_bn0``, …).

    Raises:
        ValueError: If the tensors are not those of this encoder, in its order.
    """
    folded = []
    for name, kernel in state.items():
        place, _, conv = name.removesuffix(".weight").rpartition(".")
        if conv not in _NORM_OF or not name.endswith(".weight"):
            continue
        norm = f"{place}.{_NORM_OF[conv]}".removeprefix(".")
        gain = state[f"{norm}.weight"] * torch.rsqrt(state[f"{norm}.running_var"] + _NORM_EPS)
        offset = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
        folded += [kernel * gain[:, None, None, None], offset]
    ours = LiteEncoder().state_dict()
    if [t.shape for t in folded] != [t.shape for t in ours.values()]:
        raise ValueError(
            f"these {len(state)} tensors are not an EfficientNet-Lite0: "
            f"{len(folded)} of {len(ours)} encoder tensors fit"
        )
    return dict(zip(ours, folded, strict=True))
