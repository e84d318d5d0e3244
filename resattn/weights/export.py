"""Weights into a file that describes itself, and onto a shelf."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from resattn.weights.index import Entry
from resattn.weights.load import assemble


@dataclass(frozen=True)
class Origin:
    """What a file of weights says about itself; the fields are those of `Entry`."""

    name: str
    task: str
    architecture: str
    config: Mapping[str, Any]
    data: str
    data_licence: str
    licence: str
    command: str
    metrics: Mapping[str, float] = field(default_factory=dict)


def pack(
    tensors: Mapping[str, Tensor], origin: Origin, dtype: torch.dtype = torch.float16
) -> tuple[Entry, bytes]:
    """The safetensors file and its entry in an index.

    Args:
        tensors: State dict of a model of `origin.architecture`.
        origin: What they are.
        dtype: Type they are stored in.

    Raises:
        WeightsError: The tensors do not fit the model (E604), or exceed `dtype` (E605).
    """
    stored = {name: value.detach().cpu().to(dtype).contiguous() for name, value in tensors.items()}
    assemble(origin.architecture, origin.config, stored, origin.name)
    # The metadata are one text: the library writes a table of them in random order.
    facts = json.dumps(vars(origin), sort_keys=True, default=dict)
    data = safetensors.torch.save(stored, {"resattn": facts})
    entry = Entry(
        **vars(origin),
        file=f"{origin.name}.safetensors",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        parameters=sum(value.numel() for value in stored.values()),
    )
    return entry, data
