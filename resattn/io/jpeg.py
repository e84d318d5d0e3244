"""JPEG as a row of segments: is it whole, and what does it carry beside the pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from resattn.io.headers import HeaderError
from resattn.io.metadata import Metadata

_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_APP0, _APP1, _APP2, _APP14, _SCAN, _END = 0xE0, 0xE1, 0xE2, 0xEE, 0xDA, 0xD9
_SEGMENT_BYTES = 65533

# In the entropy-coded data of a scan: any marker but a stuffed zero, a restart or a fill byte.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def check(data: bytes) -> None:
    """Raise HeaderError unless the image ends with its end marker.

    A decoder fills the rest of a truncated JPEG with grey and only warns. The end marker of a
    thumbnail inside a segment does not count, nor does anything after the end.
    """
    if not any(marker == _END for marker, _, _ in _segments(data)):
        raise HeaderError("it has no end marker")


def pixels_only(data: bytes) -> bytes:
    """The JPEG without texts, thumbnails and stray bytes before its first scan."""
    kept = [data[:2]]
    for marker, body, start in _segments(data):
        if marker == _SCAN:
            kept.append(data[start:])
            break
        if not _APP0 < marker <= 0xEF or marker == _APP14:  # 0 and 14 tell the colour space
            kept.append(_segment(marker, body))
    return b"".join(kept)


def metadata(data: bytes) -> Metadata:
    """Colour profile, EXIF and XMP of a JPEG; a damaged block counts as absent."""
    exif = xmp = None
    profile: dict[int, bytes] = {}
    pieces = 0
    for marker, body, _ in _segments(data):
        if marker == _APP1 and body.startswith(_EXIF):
            exif = exif or body[len(_EXIF) :]
        elif marker == _APP1 and body.startswith(_XMP):
            xmp = xmp or body[len(_XMP) :]
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            number, pieces = body[len(_ICC)], body[len(_ICC) + 1]
            profile[number] = body[len(_ICC) + 2 :]
        elif marker == _SCAN:
            break
    whole = pieces > 0 and sorted(profile) == list(range(1, pieces + 1))
    icc = b"".join(profile[number] for number in sorted(profile)) if whole else None
    return Metadata(icc, exif, xmp)


def with_metadata(data: bytes, blocks: Metadata) -> bytes:
    """The JPEG with the blocks inserted after its start; EXIF or XMP beyond 64 kB is left out."""
    made = []
    if blocks.exif is not None:
        made.append((_APP1, _EXIF + blocks.exif))
    if blocks.xmp is not None:
        made.append((_APP1, _XMP + blocks.xmp))
    if blocks.icc is not None:
        room = _SEGMENT_BYTES - len(_ICC) - 2
        pieces = [blocks.icc[at : at + room] for at in range(0, len(blocks.icc), room)]
        made += [
            (_APP2, _ICC + bytes((number, len(pieces))) + piece)
            for number, piece in enumerate(pieces, start=1)
            if len(pieces) < 256
        ]
    segments = [_segment(*one) for one in made if len(one[1]) <= _SEGMENT_BYTES]
    return data[:2] + b"".join(segments) + data[2:]


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, body and offset of each segment up to the end marker."""
    offset = 2
    while True:
        found = _MARKER.search(data, offset)
        if found is None:
            return
        marker = data[found.start() + 1]
        if marker == _END:
            yield marker, b"", found.start()
            return
        if found.end() + 2 > len(data):
            return
        (length,) = struct.unpack_from(">H", data, found.end())
        yield marker, data[found.end() + 2 : found.end() + length], found.start()
        offset = found.end() + length
