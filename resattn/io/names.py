"""File names as the user may have them: any bytes but NUL and slash, and long ones.

A name need not be valid UTF-8 and may hold control characters, so it cannot go to a terminal, to
GDAL or into a longer temporary name without care.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

NAME_BYTES = 255
"""Longest file name of the usual Linux and macOS file systems."""

_SUFFIX_BYTES = 64  # what we add at most
_SPARE_BYTES = 20  # GDAL adds such as ".msk.ovr.tmp" to the name of a file it is making
_DIGEST_LETTERS = 12


def shown(path: str | os.PathLike[str]) -> str:
    r"""The path with control characters and undecodable bytes escaped, safe to print and log.

    Example:
        >>> shown("a\x1b[31m.tif")
        'a\\x1b[31m.tif'
    """
    text = os.fspath(path)
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def is_utf8(path: str | os.PathLike[str]) -> bool:
    """Whether the path can be handed to a C library that expects UTF-8."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def beside(path: Path, suffix: str) -> Path:
    """`path` with a short ASCII `suffix` added, its name cut or replaced where that would not fit.

    What stands before the suffix is the same for every suffix. A long name is cut and told from
    others by a digest; one that is not UTF-8 is spelt in ASCII, since the result may go to GDAL.
    """
    name = path.name if is_utf8(path.name) else os.fsencode(path.name).hex()
    whole = name.encode()
    room = NAME_BYTES - _SPARE_BYTES - _SUFFIX_BYTES
    if len(whole) > room:
        digest = hashlib.sha256(whole).hexdigest()[:_DIGEST_LETTERS]
        name = whole[: room - _DIGEST_LETTERS].decode(errors="ignore") + digest
    return path.with_name(name + suffix)
