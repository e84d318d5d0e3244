"""The `.rac` file as bytes: signature, chunks with checksums, an index, then the units.

The index has a fixed size and stands before the data, so one seek finds any tile and a file that
was cut short still shows what it has. Only lengths that the file's own size allows are read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from resattn.codec.damage import DamageError
from resattn.codec.header import Head, Index, read_index

SIGNATURE: Final = b"\x8aRAC\r\n\x1a\n"
VERSION: Final = 1
HEAD, INDEX = b"HEAD", b"TIDX"
BANDS, ICC, EXIF, XMP, GEO, MADE = b"BAND", b"ICCP", b"EXIF", b"XMP_", b"GEOK", b"MADE"

_CHUNKS = 64


class VersionError(Exception):
    """The file is of a version that this reader does not know."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All of a file but its units.

    Attributes:
        head: What is coded.
        chunks: Metadata by tag.
        index: One entry per unit, tile after tile.
        offsets: Where each unit starts, and where the last one ends.
        size: Bytes of the file.
    """

    head: Head
    chunks: Mapping[bytes, bytes]
    index: Index
    offsets: NDArray[np.int64]
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether the file ends where its last unit does."""
        return int(self.offsets[-1]) == self.size

    def units(self, tile: int) -> range:
        """The numbers of the units of a tile."""
        count = len(self.head.roles)
        return range(tile * count, (tile + 1) * count)

    def payload(self, stream: BinaryIO, unit: int) -> bytes:
        """The bytes of a unit, checked.

        Raises:
            DamageError: If the file ends before them, or their checksum is another.
        """
        start, length = int(self.offsets[unit]), int(self.index["length"][unit])
        if start + length > self.size:
            raise DamageError("the file ends before it")
        stream.seek(start)
        data = stream.read(length)
        if zlib.crc32(data) != self.index["crc"][unit]:
            raise DamageError("its checksum differs")
        return data


def chunk(tag: bytes, payload: bytes) -> bytes:
    """A chunk: tag, length, payload, CRC-32 of tag and payload."""
    crc = zlib.crc32(payload, zlib.crc32(tag))
    return tag + struct.pack("<I", len(payload)) + payload + struct.pack("<I", crc)


def front(head: Head, chunks: Mapping[bytes, bytes], index: Index) -> bytes:
    """Everything before the units; its length does not depend on the values in `index`."""
    made = [chunk(HEAD, head.pack()), *(chunk(tag, data) for tag, data in chunks.items())]
    return SIGNATURE + bytes([VERSION]) + b"".join(made) + chunk(INDEX, index.tobytes())


def read_layout(stream: BinaryIO) -> Layout:
    """The layout of a file.

    Args:
        stream: The file, open for reading and seekable.

    Raises:
        VersionError: If it is of a later version.
        DamageError: If it is no `.rac` file, or damaged before its units.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    start = stream.read(len(SIGNATURE) + 1)
    if start[:-1] != SIGNATURE:
        raise DamageError("it does not start like a .rac file")
    if start[-1] != VERSION:
        raise VersionError(f"version {start[-1]}, this program reads {VERSION}")
    head: Head | None = None
    chunks: dict[bytes, bytes] = {}
    for tag, payload in _chunks(stream, size):
        if tag == HEAD and head is None:
            head = Head.unpack(payload)
        elif head is None or tag == HEAD or tag in chunks:
            raise DamageError(f"a chunk {tag!r} where none may be")
        elif tag == INDEX:
            index = read_index(payload, head)
            lengths = index["length"].astype(np.int64)
            offsets = stream.tell() + np.concatenate([[0], np.cumsum(lengths)])
            return Layout(head, chunks, index, offsets, size)
        else:
            chunks[tag] = payload
    raise DamageError("it has no index")


def _chunks(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(_CHUNKS):
        start = stream.read(8)
        if len(start) < 8:
            raise DamageError("it ends before its index")
        tag, length = start[:4], int.from_bytes(start[4:], "little")
        if stream.tell() + length + 4 > size:
            raise DamageError(f"its chunk {tag!r} claims {length} bytes, beyond its end")
        payload = stream.read(length)
        if zlib.crc32(payload, zlib.crc32(tag)) != int.from_bytes(stream.read(4), "little"):
            raise DamageError(f"the checksum of its chunk {tag!r} differs")
        yield tag, payload
    raise DamageError(f"more than {_CHUNKS} chunks")
