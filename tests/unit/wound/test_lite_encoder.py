"""The encoder against an unfolded reference that walks the published weights by name."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from resattn.models.lite_encoder import LiteEncoder, from_published

# Blocks, kernel, stride, expansion, channels: EfficientNet-B0, table 1 of the paper.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)]
STAGES += [(3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


def same(x, weight, stride=1, groups=1):
    """TensorFlow's "same" convolution from its definition of the output size."""
    total = [max((-(-n // stride) - 1) * stride + weight.shape[-1] - n, 0) for n in x.shape[2:]]
    (above, left), (below, right) = [t // 2 for t in total], [t - t // 2 for t in total]
    return F.conv2d(F.pad(x, (left, right, above, below)), weight, stride=stride, groups=groups)


class Published:
    """A random classifier in the published layout, and the maps it computes."""

    def __init__(self, seed=0):
        self.random = torch.Generator().manual_seed(seed)
        self.state = {}
        self.conv("_conv_stem", "_bn0", (32, 3, 3, 3))
        self.blocks, dim, index = [], 32, 0
        for count, kernel, stride, expansion, width in STAGES:
            for place in range(count):
                at, wide = f"_blocks.{index}.", dim * expansion
                if expansion > 1:
                    self.conv(f"{at}_expand_conv", f"{at}_bn0", (wide, dim, 1, 1))
                self.conv(f"{at}_depthwise_conv", f"{at}_bn1", (wide, 1, kernel, kernel))
                self.conv(f"{at}_project_conv", f"{at}_bn2", (width, wide, 1, 1))
                self.blocks.append((at, stride if place == 0 else 1, expansion))
                dim, index = width, index + 1
        self.conv("_conv_head", "_bn1", (1280, 320, 1, 1))
        self.state["_fc.weight"] = torch.zeros(1000, 1280)

    def conv(self, name, norm, shape):
        draw = lambda *size: torch.randn(*size, generator=self.random)  # noqa: E731
        self.state[f"{name}.weight"] = draw(*shape) * (2 / (shape[1] * shape[2] ** 2)) ** 0.5
        self.state[f"{norm}.weight"] = 1 + 0.1 * draw(shape[0])
        self.state[f"{norm}.bias"] = 0.1 * draw(shape[0])
        self.state[f"{norm}.running_mean"] = 0.1 * draw(shape[0])
        self.state[f"{norm}.running_var"] = 1 + draw(shape[0]).square()
        self.state[f"{norm}.num_batches_tracked"] = torch.tensor(1)

    def norm(self, x, name):
        s = self.state
        mean, var = s[f"{name}.running_mean"], s[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, s[f"{name}.weight"], s[f"{name}.bias"], False, eps=1e-3)

    def maps(self, photo):
        s = self.state
        x = F.relu6(self.norm(same((photo * 255 - 127) / 128, s["_conv_stem.weight"], 2), "_bn0"))
        by_side = {}
        for at, stride, expansion in self.blocks:
            y = x
            if expansion > 1:
                y = F.relu6(self.norm(same(y, s[f"{at}_expand_conv.weight"]), f"{at}_bn0"))
            depthwise = s[f"{at}_depthwise_conv.weight"]
            y = F.relu6(self.norm(same(y, depthwise, stride, len(depthwise)), f"{at}_bn1"))
            y = self.norm(same(y, s[f"{at}_project_conv.weight"]), f"{at}_bn2")
            x = x + y if stride == 1 and x.shape == y.shape else y
            by_side[x.shape[-1]] = x
        return list(by_side.values())


def test_maps_equal_the_unfolded_network():
    published = Published()
    encoder = LiteEncoder()
    encoder.load_state_dict(from_published(published.state))
    photo = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = encoder(photo), published.maps(photo)
    assert [m.shape[1] for m in ours] == list(encoder.widths)
    assert [96 // m.shape[-1] for m in ours] == [2, 4, 8, 16, 32]
    for one, other in zip(ours, theirs, strict=True):
        # Folding reorders a product and a sum of up to 1152 float32 terms.
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_foreign_weights_are_refused():
    state = Published().state
    del state["_blocks.3._project_conv.weight"]
    with pytest.raises(ValueError, match="are not an EfficientNet-Lite0"):
        from_published(state)
