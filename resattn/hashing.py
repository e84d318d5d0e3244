"""SHA-256 of files, arrays and JSON values, the same on every machine.

A journal entry or a provenance tag compares these across runs and hosts, so byte order, key order
and spacing are fixed here once.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def array_sha256(array: NDArray[np.generic]) -> str:
    """Hex SHA-256 of an array's type, shape and values; independent of strides and byte order."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    digest = hashlib.sha256(f"{little.dtype.str} {little.shape} ".encode())
    digest.update(little.tobytes())
    return digest.hexdigest()


def canonical_json(value: Any) -> bytes:
    """One spelling of a JSON value: sorted keys, no spaces, ASCII.

    Raises:
        ValueError: If the value holds NaN or infinity, which JSON has no word for.
        TypeError: If the value holds something JSON cannot express.

    Example:
        >>> canonical_json({"b": 1, "a": [True, None]})
        b'{"a":[true,null],"b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def json_sha256(value: Any) -> str:
    """Hex SHA-256 of `canonical_json(value)`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
