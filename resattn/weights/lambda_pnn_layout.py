"""From the names of the released lambda-PNN checkpoints to ours."""

from __future__ import annotations

import torch
from torch import Tensor

from resattn.models.lambda_pnn import LambdaPnnConfig

_MODULES = {
    "conv_1": "enter", "conv_2": "widen", "conv_3": "leave",
    "res_block_1.body.0": "body.0.spread", "res_block_1.body.2": "body.0.gather",
    "res_block_2.body.0": "body.1.spread", "res_block_2.body.2": "body.1.gather",
    "CBAM_1.ChannelGate.mlp.1": "first.mixer.channel.0",
    "CBAM_1.ChannelGate.mlp.3": "first.mixer.channel.2",
    "CBAM_1.SpatialGate.spatial.conv_1": "first.mixer.pixel",
    "CBAM_2.ChannelGate.mlp.1": "last.mixer.channel.0",
    "CBAM_2.ChannelGate.mlp.3": "last.mixer.channel.2",
    "CBAM_2.SpatialGate.spatial.conv_1": "last.mixer.pixel",
}  # fmt: skip


def to_ours(theirs: dict[str, Tensor]) -> tuple[LambdaPnnConfig, dict[str, Tensor]]:
    """The settings and the state dict of `LambdaPnn` that a released checkpoint holds.

    Theirs sees the bands before PAN, ours PAN first.

    Raises:
        KeyError: A name is not one of lambda-PNN's.
        ValueError: It is narrower or wider than the published network.
    """
    config = LambdaPnnConfig.paper(bands=len(theirs["conv_3.bias"]))
    width = len(theirs["conv_1.bias"])
    if width != config.width:
        raise ValueError(f"conv_1 has {width} channels, the published network {config.width}")
    ours = {}
    for name, value in theirs.items():
        module, _, leaf = name.rpartition(".")
        ours[f"{_MODULES[module]}.{leaf}"] = value
    enter = ours["enter.weight"]
    ours["enter.weight"] = torch.cat([enter[:, -1:], enter[:, :-1]], 1)
    return config, ours
