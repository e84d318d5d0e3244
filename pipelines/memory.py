"""Sizes of memory as people write them."""

from __future__ import annotations

import re
from typing import Final

from resattn.errors import UserError

_SIZES: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def parse_bytes(text: str) -> int:
    """Bytes of a size such as ``2GB``, ``512MB`` or ``1e9``; units are decimal.

    Raises:
        UserError: The text is not a size.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([kmgt]?)i?b?", text.strip().lower())
    value = float(match[1]) * _SIZES[match[2]] if match else 0.0
    if value < 1:
        raise UserError(f"--ram {text!r} is not a size", "write for example 2GB or 512MB")
    return int(value)
