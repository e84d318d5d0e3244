"""What a `.rac` file says of itself; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resattn.codec.files import RacFile, open_rac
from resattn.codec.header import CONSTANT, LOSSLESS, NETWORK, NO_NETWORK

_KINDS = {"network": NETWORK, "exact": LOSSLESS, "constant": CONSTANT}


def describe(path: Path) -> dict[str, Any]:
    """Sizes, type, network, tiles by kind, quality levels and metadata of a file.

    Raises:
        ItemError: E301–E315 as `resattn.codec.files.open_rac` says.
    """
    with open_rac(path) as file:
        head, index = file.head, file.layout.index
        coded = index["level"][index["kind"] == NETWORK]
        return {
            "file": path.name,
            "width": head.width,
            "height": head.height,
            "bands": head.bands,
            "dtype": head.dtype,
            "transparency": head.alpha,
            "mask": head.has_mask,
            "bytes": file.layout.size,
            "bpp": round(8 * file.layout.size / (head.width * head.height), 6),
            "whole": file.layout.is_whole,
            "tile": head.tile,
            "tiles": head.tiles,
            "units": {name: int((index["kind"] == kind).sum()) for name, kind in _KINDS.items()},
            "levels": [int(coded.min()), int(coded.max())] if coded.size else [],
            "network": _network(file),
            "made_by": _maker(file),
            "metadata": {
                tag.decode("latin-1"): len(data) for tag, data in file.layout.chunks.items()
            },
        }


def _network(file: RacFile) -> Mapping[str, str] | None:
    head = file.head
    if head.weights == NO_NETWORK:
        return None
    return {"name": head.name, "sha256_prefix": head.weights.hex()}


def _maker(file: RacFile) -> Mapping[str, str] | None:
    maker = file.maker
    if maker is None:
        return None
    return {"command": "compress", "version": maker.version, "config_sha256_prefix": maker.options}
