"""Small licensed samples, so that every command can be tried without network.

Sources and rights of each file are in this folder's README.md.
"""

from __future__ import annotations

from pathlib import Path

from resattn.errors import UserError

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The samples' file names without ending, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.tif"))


def path(name: str) -> Path:
    """The file of a sample.

    Args:
        name: One of `names()`, such as "landsat8_pan".

    Raises:
        UserError: E209 if there is no such sample.

    Example:
        >>> path("landsat8_pan").name
        'landsat8_pan.tif'
    """
    if name not in names():
        raise UserError(
            f"there is no sample {name!r}", f"choose one of {', '.join(names())}", code="E209"
        )
    return _FOLDER / f"{name}.tif"
