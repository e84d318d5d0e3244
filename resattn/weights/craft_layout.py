"""From the names of the released CRAFT checkpoints to ours."""

from __future__ import annotations

import math
import re

from torch import Tensor

from resattn.models.craft import CraftConfig

_DERIVED = re.compile(r"(relative_position_index|biases)_[hv]")

# Position bias: ours is one sequence, theirs four.
_BIAS = {
    "pos_proj": "0", "pos1.0": "1", "pos1.2": "3", "pos2.0": "4", "pos2.2": "6", "pos3.0": "7",
    "pos3.2": "9",
}  # fmt: skip

_WINDOW = {
    "norm1": "attention.norm", "qkv": "attention.mixer.qkv", "proj": "attention.mixer.proj",
    "get_v": "attention.mixer.value_conv", "norm2": "norm", "mlp.fc1": "mlp.0", "mlp.fc2": "mlp.2",
}  # fmt: skip
_WINDOW |= {
    f"attns.{branch}.pos.{theirs}": f"attention.mixer.bias.{branch}.net.{ours}"
    for branch in (0, 1)
    for theirs, ours in _BIAS.items()
}
_EDGE = {"conv": "conv", "fc": "peak", "last_fc": "merge"}
_FUSION = {
    "norm1.body": "attention.norm", "attn.temperature": "attention.mixer.temperature",
    "attn.q": "attention.mixer.q.0", "attn.q_dwconv": "attention.mixer.q.1",
    "attn.kv": "attention.mixer.kv.0", "attn.kv_dwconv": "attention.mixer.kv.1",
    "attn.project_out": "attention.mixer.proj", "norm2.body": "norm",
    "ffn.project_in": "ffn.expand", "ffn.dwconv": "ffn.local", "ffn.project_out": "ffn.merge",
}  # fmt: skip
_OUTER = {
    "conv_first": "head", "norm.body": "norm", "conv_after_body": "conv", "upsample.0": "tail",
}  # fmt: skip
_BLOCK = re.compile(r"layers\.(\d+)\.residual_group\.(srwa|hfer|hf)_blocks\.(\d+)\.(.+)")
_GROUP = re.compile(r"layers\.(\d+)\.conv")


def to_ours(theirs: dict[str, Tensor]) -> tuple[CraftConfig, dict[str, Tensor]]:
    """The settings and the state dict of `Craft` that a released checkpoint holds.

    Raises:
        KeyError: A name is not one of CRAFT's.
    """
    scale = math.isqrt(theirs["upsample.0.bias"].numel() // 3)
    ours = {_rename(name): value for name, value in theirs.items() if not _DERIVED.match(name)}
    return CraftConfig(scale=scale), ours


def _rename(name: str) -> str:
    module, dot, leaf = name.rpartition(".")
    if leaf == "temperature":
        module, dot, leaf = name, "", ""
    return _module(module) + dot + leaf


def _module(name: str) -> str:
    if group := _GROUP.fullmatch(name):
        return f"groups.{group[1]}.conv"
    block = _BLOCK.fullmatch(name)
    if block is None:
        return _OUTER[name]
    group_index, kind, index, inner = block[1], block[2], int(block[3]), block[4]
    if kind == "srwa":
        return f"groups.{group_index}.refine.{index // 2}.low.{index % 2}.{_WINDOW[inner]}"
    part, names = ("high", _EDGE) if kind == "hfer" else ("fuse", _FUSION)
    return f"groups.{group_index}.refine.{index}.{part}.{names[inner]}"
