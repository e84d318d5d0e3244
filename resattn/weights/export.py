"""Weights into a file that describes itself, and onto a shelf."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from resattn.errors import UserError
from resattn.weights.index import Entry
from resattn.weights.load import assemble
from resattn.weights.origin import Origin

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def pack(
    tensors: Mapping[str, Tensor], origin: Origin, dtype: torch.dtype = torch.float16
) -> tuple[Entry, bytes]:
    """The safetensors file and its entry in an index.

    Args:
        tensors: State dict of a model of `origin.architecture`.
        origin: What they are.
        dtype: Type that fractions are stored in; whole numbers keep theirs.

    Raises:
        UserError: The name is not one a file can have everywhere.
        WeightsError: The tensors do not fit the model (E604), or exceed `dtype` (E605).
    """
    if not _NAME.fullmatch(origin.name):
        raise UserError(
            f"{origin.name!r} cannot name weights", "use letters, digits, dots, dashes, underscores"
        )
    stored = {name: _stored(value, dtype) for name, value in tensors.items()}
    assemble(origin.architecture, origin.config, stored, origin.name)
    data = safetensors.torch.save(stored, origin.to_metadata())
    entry = Entry(
        **vars(origin),
        file=f"{origin.name}.safetensors",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        parameters=sum(value.numel() for value in stored.values()),
    )
    return entry, data


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.to(dtype) if value.is_floating_point() else value
