"""What a photo carries beside its pixels, and the edits it needs when the pixels change.

Colour profile, EXIF and XMP travel as the bytes they were. EXIF is edited in two places only: the
orientation becomes upright, because the pixels were turned, and the location is removed unless
the user wants it kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

_ORIENTATION, _GPS = 0x0112, 0x8825
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


@dataclass(frozen=True, slots=True)
class Metadata:
    """Blocks as stored: an ICC profile, EXIF as a TIFF structure, XMP as XML."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    def for_turned_pixels(self, *, keep_location: bool = False) -> Metadata:
        """The blocks to store with pixels that are upright now, without the place by default."""
        exif = None if self.exif is None else _upright(self.exif, keep_location=keep_location)
        shows_place = self.xmp is not None and b"GPS" in self.xmp
        return replace(self, exif=exif, xmp=None if shows_place and not keep_location else self.xmp)


def orientation(exif: bytes | None) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 if it is missing, damaged or no such number."""
    if exif is None:
        return 1
    try:
        found = [value for _, tag, _, _, value in _entries(exif) if tag == _ORIENTATION]
    except struct.error:
        return 1
    return found[0] if found and 1 <= found[0] <= 8 else 1


def _upright(exif: bytes, *, keep_location: bool) -> bytes | None:
    data = bytearray(exif)
    order = _order(exif)
    try:
        for where, tag, _, _, value in list(_entries(exif)):
            if tag == _ORIENTATION:
                struct.pack_into(order + "H", data, where + 8, 1)
            elif tag == _GPS and not keep_location:
                _erase_directory(data, value)
                # An empty directory, rather than a missing one, keeps every other offset.
                struct.pack_into(order + "H", data, value, 0)
        _drop_thumbnail(data)
    except struct.error:
        return None  # a damaged block is of no use to the output
    return bytes(data)


def _order(exif: bytes) -> str:
    return ">" if exif[:2] == b"MM" else "<"


def _entries(
    exif: bytes | bytearray, directory: int | None = None
) -> Iterator[tuple[int, int, int, int, int]]:
    """Offset, tag, type, count and value of the entries of a directory, the first by default."""
    order = _order(bytes(exif[:2]))
    if directory is None:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, directory)
    for index in range(count):
        where = directory + 2 + 12 * index
        tag, kind, length = struct.unpack_from(order + "HHI", exif, where)
        layout = order + ("H" if kind == 3 else "I")
        yield where, tag, kind, length, struct.unpack_from(layout, exif, where + 8)[0]


def _erase_directory(data: bytearray, directory: int) -> None:
    for where, _, kind, length, value in list(_entries(data, directory)):
        size = _TYPE_BYTES.get(kind, 1) * length
        if size > 4 and value + size <= len(data):
            data[value : value + size] = bytes(size)
        end = min(where + 12, len(data))
        data[where:end] = bytes(end - where)


def _drop_thumbnail(data: bytearray) -> None:
    # It shows the picture before the change; the next-directory offset leads to it.
    order = _order(bytes(data[:2]))
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    struct.pack_into(order + "I", data, directory + 2 + 12 * count, 0)
