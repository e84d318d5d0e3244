"""The one place that configures GDAL and hands it file names.

GDAL reads its settings per thread at the moment of a call, so every call into rasterio runs
inside `environment`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError  # some getters raise it as it is
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from resattn.errors import ItemError
from resattn.io.headers import Format
from resattn.io.names import is_utf8, shown

DRIVERS: dict[Format, str] = {
    "tiff": "GTiff",
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WEBP",
    "jp2": "JP2OpenJPEG",
}

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""Whatever a call into rasterio raises about a file."""

_SETTINGS = {
    # MB; the default of 5 % of the memory grows a streamed run from 90 to 721 MB on 24 GiB.
    "GDAL_CACHEMAX": 64,
    # With its shortcut for whole images GDAL returns a truncated PNG without an error.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    # A mask belongs into the file, not beside it.
    "GDAL_TIFF_INTERNAL_MASK": "YES",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # No driver that talks to a network is ever asked for; nor may one be reached indirectly.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_TIMEOUT": 1,
    "GDAL_HTTP_MAX_RETRY": 0,
}


@contextmanager
def environment(**settings: str | int) -> Iterator[None]:
    """GDAL's settings for the calls inside the block, in this thread; 0.1 ms to enter."""
    with rasterio.Env(**(_SETTINGS | settings)):
        yield


@contextmanager
def opening(**settings: str | int) -> Iterator[None]:
    """`environment` for calls that open or create a file.

    rasterio warns there of a missing georeference, which `RasterInfo.georeferenced` says without a
    warning. Reads and writes do without this, because warning filters belong to all threads.
    """
    with environment(**settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def reason(error: BaseException) -> str:
    """GDAL's own words, which rasterio chains behind "See previous exception for details"."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shown(str(error)) or type(error).__name__


@contextmanager
def gdal_path(path: Path) -> Iterator[str]:
    """A spelling of `path` that GDAL opens while the block lasts.

    Raises:
        ItemError: E312 if the name is not UTF-8 and the system offers no other way to it.
    """
    if is_utf8(path):
        # Absolute, or GDAL would read prefixes such as "GTIFF_DIR:1:" into the name.
        yield os.fspath(path.absolute())
        return
    # The folder is what may be missing from UTF-8 when a file is still to be made.
    opened = path if path.exists() else path.parent
    try:
        descriptor = os.open(opened, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ItemError(
            f"cannot open {shown(path)}: {error.strerror}", "check the path", code="E314"
        ) from error
    try:
        alias = Path("/proc/self/fd") / str(descriptor)
        if not alias.exists():
            raise ItemError(
                f"the name {shown(path)} is not valid UTF-8", "rename the file", code="E312"
            )
        yield os.fspath(alias if opened == path else alias / path.name)
    finally:
        os.close(descriptor)
