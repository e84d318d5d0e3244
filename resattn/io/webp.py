"""WebP as a row of chunks: is it whole, and what does it carry beside the pixels."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from resattn.io.headers import HeaderError, parse
from resattn.io.metadata import Metadata

_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG, _XMP_FLAG, _ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02
_PIXEL_CHUNKS = (b"ALPH", b"VP8 ", b"VP8L")  # codespell:ignore
_EXIF_PREFIX = b"Exif\0\0"


def check(data: bytes) -> None:
    """Raise HeaderError unless the file is as long as it says."""
    length = int.from_bytes(data[4:8], "little")
    if length + 8 > len(data):
        raise HeaderError(f"it has {len(data)} of {length + 8} bytes")


def is_animated(data: bytes) -> bool:
    """Whether the file holds several frames."""
    return data[12:16] == b"VP8X" and bool(data[20] & _ANIMATION_FLAG)


def metadata(data: bytes) -> Metadata:
    """Colour profile, EXIF and XMP of a WebP."""
    found = dict(_chunks(data))
    exif = found.get(b"EXIF")
    return Metadata(
        found.get(b"ICCP"),
        None if exif is None else exif.removeprefix(_EXIF_PREFIX),
        found.get(b"XMP "),
    )


def with_metadata(data: bytes, blocks: Metadata) -> bytes:
    """The WebP with the blocks inserted, in the extended layout if there are any."""
    if blocks == Metadata():
        return data
    header = parse("webp", io.BytesIO(data))
    flags = (
        (_ICC_FLAG if blocks.icc is not None else 0)
        | (_EXIF_FLAG if blocks.exif is not None else 0)
        | (_XMP_FLAG if blocks.xmp is not None else 0)
        | (_ALPHA_FLAG if header.bands == 4 else 0)
    )
    size = (header.width - 1).to_bytes(3, "little") + (header.height - 1).to_bytes(3, "little")
    chunks = [(b"VP8X", struct.pack("<I", flags) + size)]
    if blocks.icc is not None:
        chunks.append((b"ICCP", blocks.icc))
    chunks += [one for one in _chunks(data) if one[0] in _PIXEL_CHUNKS]
    if blocks.exif is not None:
        chunks.append((b"EXIF", blocks.exif))
    if blocks.xmp is not None:
        chunks.append((b"XMP ", blocks.xmp))
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 12
    while offset + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, offset)
        yield kind, data[offset + 8 : offset + 8 + length]
        offset += 8 + length + length % 2
