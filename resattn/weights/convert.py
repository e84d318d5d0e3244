"""Official checkpoints that a user owns, read safely and renamed to our layout."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from resattn.config import Config
from resattn.errors import WeightsError
from resattn.weights import bvr_layout, craft_layout, header, lambda_pnn_layout, unpickle
from resattn.weights.export import pack
from resattn.weights.index import Entry
from resattn.weights.origin import KEY, Origin, described

_TIME_LIMIT_S = 300
Renamed = tuple[Config, dict[str, Tensor]]


@dataclass(frozen=True)
class Layout:
    """One published way of naming the weights of a model.

    Attributes:
        task: The verb the model serves.
        architecture: Ours.
        marks: Names that together occur in this layout alone.
        rename: From their tensors to our settings and state dict.
        licence: Under which the authors publish.
    """

    task: str
    architecture: str
    marks: tuple[str, ...]
    rename: Callable[[dict[str, Tensor]], Renamed]
    licence: str


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "craft": Layout(
            "super-resolve",
            "craft",
            ("conv_first.weight", "layers.0.residual_group.hf_blocks.0.attn.temperature"),
            craft_layout.to_ours,
            "Apache-2.0",
        ),
        "lambda-pnn": Layout(
            "pansharpen",
            "lambda-pnn",
            ("CBAM_1.ChannelGate.mlp.1.weight", "conv_3.weight"),
            lambda_pnn_layout.to_ours,
            "LicenseRef-NonProfit-NC",
        ),
        "relationnet++": Layout(
            "detect",
            "detector",
            ("backbone.conv1.weight", "bbox_head.cls_transformer.decoder.0.in_proj_weight"),
            bvr_layout.to_ours,
            "MIT",
        ),
    }
)


def take(source: Path, name: str) -> tuple[Entry, bytes]:
    """A file of ours called `name`, from an official checkpoint or from weights trained here.

    Raises:
        WeightsError: As `convert` says, and as `resattn.weights.load` does for a file of ours.
    """
    if source.suffix == ".safetensors" and source.is_file():
        metadata, tensors = header.parse(source.read_bytes(), source.name)
        if KEY in metadata:
            origin = described(metadata, str(source))
            return pack(tensors, dataclasses.replace(origin, name=name), _stored_type(tensors))
    return convert(source, name)


def _stored_type(tensors: Mapping[str, Tensor]) -> torch.dtype:
    return next(iter(tensors.values())).dtype if tensors else torch.float32


def convert(source: Path, name: str) -> tuple[Entry, bytes]:
    """A file of ours made from an official checkpoint, with its entry called `name`.

    Args:
        source: ``.pth``, ``.pt`` or ``.safetensors`` in a layout of `LAYOUTS`.
        name: Name for the weights.

    Raises:
        WeightsError: E602 if the file cannot be read, E604 if its tensors fit no known layout.
    """
    tensors = tensors_of(source)
    key = detect(tensors, str(source))
    layout = LAYOUTS[key]
    try:
        config, renamed = layout.rename(tensors)
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{source} looks like {key} but holds an unknown tensor: {error}",
            "it is of a variant that is not supported",
            code="E604",
        ) from error
    origin = Origin(
        name=name,
        task=layout.task,
        architecture=layout.architecture,
        config=config.to_dict(),
        data="see the authors' publication",
        data_licence="unknown",
        licence=layout.licence,
        command=f"resattn weights import {source.name}",
    )
    return pack(renamed, origin, torch.float32)


def detect(tensors: Mapping[str, Tensor], name: str) -> str:
    """The key of the layout these tensors have.

    Raises:
        WeightsError: None has these names (E604).
    """
    for key, layout in LAYOUTS.items():
        if all(mark in tensors for mark in layout.marks):
            return key
    raise WeightsError(
        f"{name} is of no known layout; it begins with {sorted(tensors)[:3]}",
        f"known layouts: {', '.join(LAYOUTS)}",
        code="E604",
    )


def tensors_of(source: Path) -> dict[str, Tensor]:
    """The floating-point tensors of a checkpoint of any origin.

    Pickles are read by a separate process with no more rights than it needs.

    Raises:
        WeightsError: The file cannot be read (E600) or is no checkpoint (E602).
    """
    if not source.is_file():
        raise WeightsError(f"there is no file {source}", "check the path")
    with tempfile.TemporaryDirectory(prefix="resattn-") as folder:
        target = Path(folder) / "tensors.safetensors"
        if source.suffix == ".safetensors":
            target = source
        else:
            _unpickle(source, target)
        return header.parse(target.read_bytes(), source.name)[1]


def _unpickle(source: Path, target: Path) -> None:
    program = str(Path(unpickle.__file__).resolve())
    command = [sys.executable, "-I", program, str(source.resolve()), str(target)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False, env={}
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(
            f"reading {source} took more than {_TIME_LIMIT_S} s", "it is no checkpoint", code="E602"
        ) from error
    if done.returncode == 0:
        return
    reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it died"
    hint = "it is damaged, or holds more than tensors"
    if done.returncode == unpickle.OLD_TORCH:
        hint = "pip install 'torch>=2.10'"
    raise WeightsError(f"cannot take tensors from {source}: {reason}", hint, code="E602")
