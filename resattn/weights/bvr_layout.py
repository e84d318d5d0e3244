"""From the names of RelationNet++ checkpoints, as mmdet 2 writes them, to ours."""

from __future__ import annotations

import re
from typing import Final, Literal

import torch
from torch import Tensor

from resattn.models.detect_points import KINDS, BvrConfig
from resattn.models.detect_pyramid import STRIDES, Norm
from resattn.models.detector import Backbone, DetectorConfig
from resattn.models.resnet import folded

State = dict[str, Tensor]
Name = Literal["atss", "fcos", "retinanet"]

_HEAD, _POINTS = "bbox_head.bbox_head.", "bbox_head.keypoint_head.keypoint_"
_LAST: Final[dict[Name, dict[str, str]]] = {
    "atss": {"atss_cls": "cls", "atss_reg": "box", "atss_centerness": "centre"},
    "fcos": {"conv_cls": "cls", "conv_reg": "box", "conv_centerness": "centre"},
    "retinanet": {"retina_cls": "cls", "retina_reg": "box"},
}
_ANCHORS: Final[dict[Name, int]] = {"atss": 1, "fcos": 1, "retinanet": 9}
_PARTS: Final = {"conv": "0.", "gn": "1.", None: ""}
_TABLE: Final = "_transformer.relative_positional_encoding."
_NORM: Final = ("weight", "bias", "running_mean", "running_var")
_SIDE: Final = 1333  # longer side of the pictures these networks were trained on

_LEAF = r"(?:\.(conv|gn))?\.(weight|bias)"
_CONV = re.compile(
    rf"(neck\.lateral|neck\.fpn|{re.escape(_HEAD)}cls|{re.escape(_HEAD)}reg)_convs\.(\d+){_LEAF}"
)
_POINT = re.compile(
    rf"{re.escape(_POINTS)}(layers|cls_heads|offset_heads)\.({'|'.join(KINDS)})\.(\d+){_LEAF}"
)
_ATTENTION = re.compile(
    r"bbox_head\.(cls|reg)_transformer\.decoder\.(\d)\.(in_proj_|out_proj\.)(weight|bias)"
)
_LOCATION = re.compile(
    rf"bbox_head\.(cls|reg){re.escape(_TABLE)}embedding_transform\.0\.conv\.(weight|bias)"
)
_UNIT = re.compile(r"backbone\.(?:layer(\d)\.(\d+)\.)?(conv(\d)|downsample\.0)\.weight")
_BRANCHES = {"cls": "cls", "reg": "box"}
_GROUPS = {"layers": "trunks", "cls_heads": "scores", "offset_heads": "offsets"}


def to_ours(theirs: State) -> tuple[DetectorConfig, State]:
    """The settings and the state dict of `Detector` that a checkpoint holds.

    Batch norms are folded into their convolutions; tabled sines are made again.

    Raises:
        KeyError: A name is not one of these networks'.
        ValueError: The backbone is neither ResNet-18 nor ResNet-50.
    """
    host = next(h for h, names in _LAST.items() if f"{_HEAD}{next(iter(names))}.weight" in theirs)
    config = _config(theirs, host)
    ours: State = {}
    for name, value in theirs.items():
        if name.startswith("backbone."):
            ours |= _encoder(name, theirs)
        elif not name.endswith((".base_embedding", ".scale")):
            ours |= _renamed(name, value, _LAST[host])
    if host != "retinanet":
        scales = [theirs[f"{_HEAD}scales.{i}.scale"] for i in range(len(STRIDES))]
        ours["host.scale.factors"] = torch.stack(scales).flatten()
    if config.bvr is not None and config.bvr.shared:
        ours = {name: value for name, value in ours.items() if ".tables.1." not in name}
    return config, ours


def _config(theirs: State, host: Name) -> DetectorConfig:
    cls = theirs[f"{_HEAD}{next(iter(_LAST[host]))}.weight"]
    tables = [theirs[f"bbox_head.{b}{_TABLE}embedding_transform.0.conv.weight"] for b in _BRANCHES]
    sines = theirs.get(f"bbox_head.cls{_TABLE}base_embedding")
    coarser = theirs["neck.fpn_convs.3.conv.weight"]
    bvr = BvrConfig(
        heads=len(tables[0]),
        extent=400 if sines is None else sines.shape[1] - 1,
        depth=_count(theirs, f"{_POINTS}layers.center."),
        head_depth=_count(theirs, f"{_POINTS}cls_heads.center.") - 1,
        norm=_norm(theirs, f"{_POINTS}layers.center.0"),
        published=True,
        shared=torch.equal(*tables),
    )
    return DetectorConfig(
        host=host,
        backbone=_backbone(theirs),
        classes=len(cls) // _ANCHORS[host],
        side=_SIDE,
        width=cls.shape[1],
        depth=_count(theirs, f"{_HEAD}cls_convs."),
        norm=_norm(theirs, f"{_HEAD}cls_convs.0"),
        neck_norm=_norm(theirs, "neck.fpn_convs.0"),
        extra="output" if coarser.shape[1] == cls.shape[1] else "input",
        offset=0.0,
        bvr=bvr,
    )


def _count(theirs: State, prefix: str) -> int:
    """How many modules are listed under the prefix."""
    return len({name.removeprefix(prefix).split(".")[0] for name in theirs if prefix in name})


def _norm(theirs: State, block: str) -> Norm:
    return "group" if f"{block}.gn.weight" in theirs else "none"


def _backbone(theirs: State) -> Backbone:
    blocks = tuple(_count(theirs, f"backbone.layer{i}.") for i in (1, 2, 3, 4))
    known: dict[tuple[int, ...], Backbone] = {(2, 2, 2, 2): "resnet18", (3, 4, 6, 3): "resnet50"}
    if blocks not in known:
        raise ValueError(f"a backbone of {blocks} blocks; known: {', '.join(map(str, known))}")
    return known[blocks]


def _encoder(name: str, theirs: State) -> State:
    """A convolution with the norm behind it; the norm's own names give nothing."""
    unit = _UNIT.fullmatch(name)
    if unit is None:
        if re.fullmatch(r"backbone\..*(bn\d|downsample\.1)\.\w+", name):
            return {}
        raise KeyError(name)
    stage, block, conv, index = unit.groups()
    norm = name.removesuffix(f"{conv}.weight") + (f"bn{index}" if index else "downsample.1")
    parts = folded(theirs[name], {leaf: theirs[f"{norm}.{leaf}"] for leaf in _NORM})
    place = "stem"
    if stage is not None:
        place = f"stages.{int(stage) - 1}.{block}."
        place += f"convs.{int(index) - 1}" if index else "short"
    return {f"encoder.{place}.{leaf}": v for leaf, v in zip(("weight", "bias"), parts, strict=True)}


def _renamed(name: str, value: Tensor, last: dict[str, str]) -> State:
    """What one tensor outside the backbone is called here, in one or two parts."""
    if conv := _CONV.fullmatch(name):
        return {f"{_block(conv[1], int(conv[2]))}.{_PARTS[conv[3]]}{conv[4]}": value}
    if point := _POINT.fullmatch(name):
        group, kind, index, part, leaf = point.groups()
        place = f"bridge.head.{_GROUPS[group]}.{KINDS.index(kind)}.{index}"
        return {f"{place}.{_PARTS[part]}{leaf}": value}
    if attention := _ATTENTION.fullmatch(name):
        branch, index, part, leaf = attention.groups()
        place = f"bridge.{_BRANCHES[branch]}.{index}"
        if part == "out_proj.":
            return {f"{place}.proj.{leaf}": value}
        dim = len(value) // 3
        return {f"{place}.q.{leaf}": value[:dim], f"{place}.kv.{leaf}": value[dim:]}
    if location := _LOCATION.fullmatch(name):
        table = int(location[1] == "reg")
        return {
            f"bridge.tables.{table}.map.{location[2]}": value.flatten(1)
            if value.ndim > 1
            else value
        }
    module, _, leaf = name.removeprefix(_HEAD).rpartition(".")
    return {f"host.{last[module]}.{leaf}": value}


def _block(prefix: str, index: int) -> str:
    if prefix == "neck.lateral":
        return f"neck.lateral.{index}"
    if prefix == "neck.fpn":
        return f"neck.smooth.{index}" if index < 3 else f"neck.coarser.{index - 3}"
    return f"{_BRANCHES[prefix.removeprefix(_HEAD)]}.{index}"
