"""Size and kind of an image from its first bytes, before any decoder sees the file.

A decoder allocates what a header claims; a kilobyte can claim terabytes. These readers look at
the few fields that say so and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal

Format = Literal["tiff", "png", "jpeg", "webp", "jp2"]


class HeaderError(Exception):
    """The header ends early or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file claims to hold: rows, columns and bands (palette images have one)."""

    format: Format
    height: int
    width: int
    bands: int


def parse(format: Format, stream: BinaryIO) -> Header:
    """The header of an image whose format is known.

    Raises:
        HeaderError: If the fields are not where the format says, or a side is zero.
    """
    stream.seek(0)
    try:
        height, width, bands = _PARSERS[format](stream)
    except (struct.error, OSError, ValueError) as error:  # a seek beyond what a file can have
        raise HeaderError("the header points outside the file") from error
    if min(height, width, bands) < 1:
        raise HeaderError(f"the header says {height}×{width} pixels in {bands} bands")
    return Header(format, height, width, bands)


Sizes = tuple[int, int, int]


def _take(stream: BinaryIO, layout: str, offset: int | None = None) -> tuple[int, ...]:
    if offset is not None:
        stream.seek(offset)
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))


def _png(stream: BinaryIO) -> Sizes:
    width, height, _, colour = _take(stream, ">IIBB", 16)
    return height, width, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)


def _jpeg(stream: BinaryIO) -> Sizes:
    offset, skipped = 2, 0
    while skipped < _JPEG_STRAY_BYTES:
        lead, marker, length = _take(stream, ">BBH", offset)
        if lead != 0xFF or marker == 0xFF:  # stray and fill bytes, which decoders skip too
            offset, skipped = offset + 1, skipped + 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            _, height, width, bands = _take(stream, ">BHHB")
            return height, width, bands
        elif marker in (0xD9, 0xDA):
            raise HeaderError("the JPEG has no frame header")
        else:
            offset += 2 + length
    raise HeaderError("the JPEG has no marker where one is due")


def _webp(stream: BinaryIO) -> Sizes:
    (kind,) = struct.unpack(">4s", _read(stream, 12, 4))
    if kind == b"VP8X":
        flags = _read(stream, 20, 10)
        width = int.from_bytes(flags[4:7], "little") + 1
        height = int.from_bytes(flags[7:10], "little") + 1
        return height, width, 4 if flags[0] & 0x10 else 3
    if kind == b"VP8L":
        bits = int.from_bytes(_read(stream, 21, 4), "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, 4 if bits >> 28 & 1 else 3
    if kind == b"VP8 ":
        width, height = _take(stream, "<HH", 26)
        return height & 0x3FFF, width & 0x3FFF, 3
    raise HeaderError("the WebP has no image chunk")


def _jp2(stream: BinaryIO) -> Sizes:
    start = stream.read(65536)
    box = start.find(b"ihdr")
    if box >= 0:
        height, width, bands = struct.unpack_from(">IIH", start, box + 4)
        return height, width, bands
    right, bottom, left, top = struct.unpack_from(">IIII", start, 8)
    (bands,) = struct.unpack_from(">H", start, 40)
    return bottom - top, right - left, bands


_JPEG_STRAY_BYTES = 4096

_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SAMPLES = 256, 257, 277
_TIFF_ENTRIES = 4096
"""Far above any real directory; a hostile one would cost seconds otherwise."""


def _tiff(stream: BinaryIO) -> Sizes:
    order = "<" if stream.read(2) == b"II" else ">"
    big = _take(stream, order + "H")[0] == 43
    if big:
        (directory,) = _take(stream, order + "Q", 8)
        (entries,) = _take(stream, order + "Q", directory)
    else:
        (directory,) = _take(stream, order + "I", 4)
        (entries,) = _take(stream, order + "H", directory)
    if entries > _TIFF_ENTRIES:
        raise HeaderError(f"the TIFF directory claims {entries} entries")
    start, step = directory + (8 if big else 2), 20 if big else 12
    found = {_TIFF_SAMPLES: 1}
    for index in range(entries):
        tag, kind = _take(stream, order + "HH", start + index * step)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SAMPLES) and kind in _TIFF_INTEGERS:
            where = start + index * step + (12 if big else 8)
            (found[tag],) = _take(stream, order + _TIFF_INTEGERS[kind], where)
    return found.get(_TIFF_HEIGHT, 0), found.get(_TIFF_WIDTH, 0), found[_TIFF_SAMPLES]


def _read(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    data = stream.read(length)
    if len(data) < length:
        raise HeaderError("the header is cut short")
    return data


_PARSERS: dict[Format, Callable[[BinaryIO], Sizes]] = {
    "tiff": _tiff,
    "png": _png,
    "jpeg": _jpeg,
    "webp": _webp,
    "jp2": _jp2,
}
