"""A safetensors file taken apart without trusting it.

The reference library accepts duplicate names and leaves types and values to the caller; weights
come from strangers, so every byte of the header is accounted for here before a tensor is made.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from resattn.errors import WeightsError

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip

_MAX_HEADER = 16 << 20
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class _Slot:
    """Where a tensor lies in the data part."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


def parse(data: bytes, name: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of the safetensors file `data`, called `name` in messages.

    Raises:
        WeightsError: E601 for a pickle, E602 for anything else that is not a well-formed file,
            E605 for a type torch does not have.
    """
    # The length of a header, 640 say, may begin like a pickle; then a brace follows.
    if data.startswith(_PICKLES) and data[8:9] != b"{":
        raise WeightsError(
            f"{name} is a pickle, which can run code when it is read",
            "convert it with: resattn weights convert FILE --out NAME.safetensors",
            code="E601",
        )
    header, body = _split(data, name)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _malformed(name, "its metadata are not texts")
    slots = sorted((_slot(key, value, name) for key, value in header.items()), key=_start)
    end = 0
    for slot in slots:
        if slot.start != end:
            raise _malformed(name, f"bytes {min(end, slot.start)}..{max(end, slot.start)} overlap")
        end = slot.stop
    if end != len(body):
        raise _malformed(name, f"its tensors take {end} bytes, the file holds {len(body)}")
    return metadata, {slot.name: _tensor(slot, body) for slot in slots}


def _split(data: bytes, name: str) -> tuple[dict[str, Any], memoryview]:
    """Header and data part."""
    if len(data) < 8:
        raise _malformed(name, f"it has {len(data)} bytes")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(_MAX_HEADER, len(data) - 8):
        raise _malformed(name, f"its header claims {length} bytes of {len(data) - 8}")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _malformed(name, f"its header is no JSON object ({error})") from error
    if not isinstance(header, dict):
        raise _malformed(name, "its header is no JSON object")
    return header, memoryview(data)[8 + length :]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {next(n for n in names if names.count(n) > 1)!r}")
    return members


def _slot(key: str, value: Any, name: str) -> _Slot:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _malformed(name, f"tensor {key!r} is not described by dtype, shape, data_offsets")
    shape, offsets = value["shape"], value["data_offsets"]
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise _malformed(name, f"tensor {key!r} has shape {shape!r}, offsets {offsets!r}")
    if not isinstance(value["dtype"], str):
        raise _malformed(name, f"the type of tensor {key!r} is no text")
    if value["dtype"] not in _DTYPES:
        raise WeightsError(
            f"{name}: tensor {key!r} has type {value['dtype']!r}, not one of {', '.join(_DTYPES)}",
            "use a file made by resattn train or resattn weights convert",
            code="E605",
        )
    dtype = _DTYPES[value["dtype"]]
    start, stop = offsets
    if stop - start != math.prod(shape) * dtype.itemsize:
        raise _malformed(name, f"tensor {key!r} of shape {shape} takes {stop - start} bytes")
    return _Slot(key, dtype, tuple(shape), start, stop)


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**40 for n in value)


def _start(slot: _Slot) -> tuple[int, int]:
    return slot.start, slot.stop


def _tensor(slot: _Slot, body: memoryview) -> Tensor:
    if slot.start == slot.stop:
        return torch.empty(slot.shape, dtype=slot.dtype)
    # A copy: tensors must not write into the bytes, nor break where they are not aligned.
    return torch.frombuffer(bytearray(body[slot.start : slot.stop]), dtype=slot.dtype).view(
        slot.shape
    )


def _malformed(name: str, reason: str) -> WeightsError:
    return WeightsError(
        f"{name} is not a whole safetensors file: {reason}", "fetch or copy it again", code="E602"
    )
