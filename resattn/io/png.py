"""PNG as a row of chunks: is it whole, and what does it carry beside the pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from resattn.io.headers import HeaderError
from resattn.io.metadata import Metadata

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"
_PROFILE_BYTES = 16 * 2**20
GREY, PALETTE, GREY_ALPHA = 0, 3, 4


def colour_type(data: bytes) -> int:
    """The colour type of the header chunk: 0 grey, 2 RGB, 3 palette, 4 grey-alpha, 6 RGBA."""
    return data[25]


def check(data: bytes) -> None:
    """Raise HeaderError unless all chunks that matter are whole, up to the end chunk.

    Decoders may stop early or go on after a wrong checksum without saying so.
    """
    kind = b""
    for kind, _, intact in _chunks(data):
        critical = not kind[0] & 0x20
        if critical and not intact:
            raise HeaderError(f"the checksum of its {kind.decode('ascii', 'replace')} chunk")
    if kind != b"IEND":
        raise HeaderError("it ends before its last chunk")


def pixels_only(data: bytes) -> bytes:
    """The PNG without what could change how a decoder shows it: gamma, profiles, frames, texts."""
    kept = (one for one in _chunks(data) if not one[0][0] & 0x20 or one[0] == b"tRNS")
    return SIGNATURE + b"".join(chunk(kind, body) for kind, body, _ in kept)


def metadata(data: bytes) -> Metadata:
    """Colour profile, EXIF and XMP of a PNG; a damaged block counts as absent."""
    icc = exif = xmp = None
    for kind, body, intact in _chunks(data):
        if not intact:
            continue
        if kind == b"eXIf":
            exif = body
        elif kind == b"iCCP":
            icc = _inflated(body.partition(b"\0")[2][1:])
        elif kind == b"iTXt" and body.startswith(_XMP + b"\0"):
            compressed, text = body[len(_XMP) + 1], body[len(_XMP) + 3 :]
            text = text.partition(b"\0")[2].partition(b"\0")[2]
            xmp = _inflated(text) if compressed else text
    return Metadata(icc, exif, xmp)


def with_metadata(data: bytes, blocks: Metadata) -> bytes:
    """The PNG with the blocks inserted after its header chunk."""
    made = []
    if blocks.icc is not None:
        made.append(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(blocks.icc)))
    if blocks.exif is not None:
        made.append(chunk(b"eXIf", blocks.exif))
    if blocks.xmp is not None:
        made.append(chunk(b"iTXt", _XMP + b"\0\0\0\0\0" + blocks.xmp))
    header_end = len(SIGNATURE) + 25
    return data[:header_end] + b"".join(made) + data[header_end:]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    offset = len(SIGNATURE)
    while offset + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        body = data[offset + 8 : offset + 8 + length]
        stored = data[offset + 8 + length : offset + 12 + length]
        intact = stored == struct.pack(">I", zlib.crc32(kind + body))
        yield kind, body, intact
        if kind == b"IEND":
            return
        offset += 12 + length


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _inflated(data: bytes) -> bytes | None:
    # Bounded: a few kilobytes can inflate to gigabytes.
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, _PROFILE_BYTES)
    except zlib.error:
        return None
    return text if inflater.eof else None
