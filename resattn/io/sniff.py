"""What a file is by its bytes, and whether it may be opened: names lie, and so do headers.

GDAL chooses a driver by content, so `scene.tif` can be a VRT that reads any file of the machine
or a description of a web service. A file is opened here first, its first bytes choose the one
driver allowed to read it, and its claimed size is held against `Limits`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from resattn.errors import ItemError, UserError
from resattn.io.faultpoints import reach
from resattn.io.headers import Format, Header, HeaderError, parse
from resattn.io.names import shown


def _from_environment(name: str, usual: int) -> int:
    text = os.environ.get(name) or str(usual)
    if not re.fullmatch(r"[1-9]\d{0,17}", text):
        raise UserError(f"{name} {text!r} is no number above 0", "mend or unset it", code="E208")
    return int(text)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an input may claim before it is refused; a guard against bombs, not against work.

    The last two are seldom met by sound files; `RESATTN_MAX_BANDS` and `RESATTN_MAX_BLOCK_BYTES`
    move them for commands and functions alike, their workers included.

    Args:
        pixels: Pixels of one band where the file is read by windows (TIFF, JPEG 2000).
        whole_pixels: The same where a decoder needs the whole image (PNG, JPEG, WebP).
        bands: Bands of one file.
        block_bytes: Decoded bytes of one block (tile or strip) with all bands stored in it.
    """

    pixels: int = 2**32
    whole_pixels: int = 2**28
    bands: int = field(default_factory=partial(_from_environment, "RESATTN_MAX_BANDS", 1024))
    block_bytes: int = field(
        default_factory=partial(_from_environment, "RESATTN_MAX_BLOCK_BYTES", 256 * 2**20)
    )


_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
)

_REFUSED = (
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"\x89HDF", "HDF5"),
    (b"CDF\x01", "netCDF"),
    (b"CDF\x02", "netCDF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
)

_STREAMED: tuple[Format, ...] = ("tiff", "jp2")
_HEAD_BYTES = 4096


def local_path(name: str | os.PathLike[str]) -> Path:
    """The absolute path of an input, refusing names that GDAL would take for something else.

    Raises:
        ItemError: E309 for URLs and GDAL's virtual file systems, E312 for a name with a NUL.
    """
    text = os.fspath(name)
    if "\0" in text:
        raise ItemError(f"{shown(text)!r} holds a NUL character", "rename it", code="E312")
    path = Path(text).absolute()
    remote = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text) and not path.exists()
    if remote or any(part.startswith("/vsi") for part in (text, os.fspath(path))):
        raise ItemError(
            f"{shown(text)} names a network or virtual file",
            "copy it to a local file first: nothing is read over the network",
            code="E309",
        )
    return path


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file open for reading bytes; pipes, devices and folders are refused.

    Raises:
        ItemError: E314 if it is missing or not readable, E315 if it is not a regular file.
    """
    try:
        reach("open")
        # Without O_NONBLOCK the open of a named pipe waits for a writer, for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ItemError(
                f"{shown(path)} is not a regular file", "name an image file", code="E315"
            )
        with os.fdopen(descriptor, "rb") as stream:
            reach("read")
            yield stream
    except OSError as error:
        raise ItemError(
            f"cannot read {shown(path)}: {error.strerror or error}",
            "check the path and its permissions",
            code="E314",
        ) from error


def identify(path: Path, limits: Limits) -> Header:
    """What the file claims to be, after holding it against the limits.

    Raises:
        ItemError: E301 if the header is damaged, E304 if it is empty or no image, E305 or E306
            if it claims more than `limits`, E308 for a VRT or a web service description, E310
            for a known format that is not read, E314 or E315 as `open_regular` says.
    """
    with open_regular(path) as stream:
        format = _format(path, stream.read(_HEAD_BYTES))
        try:
            header = parse(format, stream)
        except HeaderError as error:
            raise ItemError(
                f"{shown(path)} is damaged: {error}", "obtain the file again", code="E301"
            ) from error
    check_size(path, header, limits)
    return header


def check_size(path: Path, header: Header, limits: Limits) -> None:
    """Refuse a header that claims more pixels or bands than the limits.

    Raises:
        ItemError: E305 for pixels, E306 for bands.
    """
    pixels = header.height * header.width
    allowed = limits.pixels if header.format in _STREAMED else limits.whole_pixels
    if pixels > allowed:
        raise ItemError(
            f"{shown(path)} claims {header.width}×{header.height} = {pixels} pixels, "
            f"the limit is {allowed}",
            "raise --max-pixels if the file is to be trusted",
            code="E305",
        )
    if header.bands > limits.bands:
        raise ItemError(
            f"{shown(path)} claims {header.bands} bands, the limit is {limits.bands}",
            "split the file by bands, or raise RESATTN_MAX_BANDS if it is to be trusted",
            code="E306",
        )


def _format(path: Path, head: bytes) -> Format:
    if not head:
        raise ItemError(f"{shown(path)} is empty", "obtain the file again", code="E304")
    for magic, format in _MAGIC:
        if head.startswith(magic):
            return format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<") and re.search(rb"<(vrtdataset|gdal_wms|gdal_wmts|wcs_gdal)", text):
        raise ItemError(
            f"{shown(path)} is a virtual raster, which may read other files or the network",
            "make a GeoTIFF of it with gdal_translate",
            code="E308",
        )
    known = next((name for magic, name in _REFUSED if head.startswith(magic)), None)
    if head[4:8] == b"ftyp":
        known = "HEIF or AVIF"
    if known:
        raise ItemError(
            f"{shown(path)} is {known}, which is not read",
            "convert it to TIFF or PNG",
            code="E310",
        )
    raise ItemError(
        f"{shown(path)} is no image that is known",
        "give TIFF, PNG, JPEG, WebP or JPEG 2000",
        code="E304",
    )
