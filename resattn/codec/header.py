"""The fields of a `.rac` file that decide how its bytes are read (docs/formats.md)."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from resattn.codec.damage import DamageError
from resattn.tiling import Grid, Window

TYPES: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
"""Sample types; the place in this list is the number in the file."""

TILE_STEP: Final = 64
TILE_BYTES: Final = 2**28
"""Most bytes of one tile with all its bands: what a reader must be able to hold."""

BANDS: Final = 1024
NETWORK, LOSSLESS, CONSTANT = 0, 1, 2
"""Kinds of a unit."""

KEY_BYTES: Final = 8
NO_NETWORK: Final = bytes(KEY_BYTES)
"""Stands for the network of a file that was made without one."""

GROUP: Final = 3
_FIXED = struct.Struct("<IIIHHBB8sB")
_NO_ALPHA = 0xFFFF
_UNIT = np.dtype(
    [("length", "<u4"), ("crc", "<u4"), ("content", "<u4"), ("kind", "u1"), ("level", "u1")]
)

Index = NDArray[np.void]
Role = Literal["mask", "alpha", "colour"]


@dataclass(frozen=True, slots=True)
class Head:
    """What is coded, and how it is cut.

    Attributes:
        height: Rows.
        width: Columns.
        tile: Side of a tile, a multiple of 64; tiles at the lower and right border are cut.
        bands: All bands, transparency included.
        alpha: Which of them is transparency, coded without loss, or None.
        dtype: NumPy name of the sample type.
        has_mask: Whether each tile says which pixels are real.
        weights: First 8 bytes of the SHA-256 of the network's file; zeros if none is needed.
        name: What the network is called, for messages.
    """

    height: int
    width: int
    tile: int
    bands: int
    dtype: str
    alpha: int | None = None
    has_mask: bool = False
    weights: bytes = NO_NETWORK
    name: str = ""

    def pack(self) -> bytes:
        """The payload of the HEAD chunk."""
        name = self.name.encode("ascii", "replace")[:255]
        alpha = _NO_ALPHA if self.alpha is None else self.alpha
        fields = (self.width, self.height, self.tile, self.bands, alpha, TYPES.index(self.dtype))
        return _FIXED.pack(*fields, self.has_mask, self.weights, len(name)) + name

    @classmethod
    def unpack(cls, data: bytes) -> Head:
        """The head of a HEAD chunk.

        Raises:
            DamageError: If it describes nothing that can be read.
        """
        if len(data) < _FIXED.size or len(data) != _FIXED.size + data[_FIXED.size - 1]:
            raise DamageError(f"a header of {len(data)} bytes")
        width, height, tile, bands, alpha, kind, mask, weights, _ = _FIXED.unpack_from(data)
        if kind >= len(TYPES) or mask > 1 or (alpha != _NO_ALPHA and alpha >= bands):
            raise DamageError(f"sample type {kind}, mask {mask}, transparency in band {alpha}")
        name = data[_FIXED.size :].decode("ascii", "replace")
        head = cls(
            height, width, tile, bands, TYPES[kind], None if alpha == _NO_ALPHA else alpha,
            bool(mask), weights, name,
        )  # fmt: skip
        head.check()
        return head

    def check(self) -> None:
        """Refuses sizes that no reader should be asked to hold.

        Raises:
            DamageError: A side is 0, tiles are no multiples of 64, or one is above `TILE_BYTES`.
        """
        sides = min(self.height, self.width, self.tile)
        if sides < 1 or self.tile % TILE_STEP or not 1 <= self.bands <= BANDS:
            raise DamageError(
                f"{self.width}×{self.height} pixels, {self.bands} bands, tiles of {self.tile}"
            )
        if self.tile_bytes > TILE_BYTES:
            raise DamageError(f"a tile of {self.tile_bytes} bytes, the limit is {TILE_BYTES}")

    @property
    def tile_bytes(self) -> int:
        """Bytes of the largest tile with all bands."""
        area = min(self.tile, self.height) * min(self.tile, self.width)
        return area * self.bands * np.dtype(self.dtype).itemsize

    @property
    def columns(self) -> int:
        """Tiles in a row of tiles."""
        return math.ceil(self.width / self.tile)

    @property
    def tiles(self) -> int:
        """Tiles of the image."""
        return math.ceil(self.height / self.tile) * self.columns

    @property
    def roles(self) -> tuple[tuple[Role, tuple[int, ...]], ...]:
        """The units of a tile in their order, each with the bands it holds."""
        colours = [band for band in range(self.bands) if band != self.alpha]
        groups = [tuple(colours[i : i + GROUP]) for i in range(0, len(colours), GROUP)]
        roles: list[tuple[Role, tuple[int, ...]]] = [("colour", group) for group in groups]
        if self.alpha is not None:
            roles.insert(0, ("alpha", (self.alpha,)))
        if self.has_mask:
            roles.insert(0, ("mask", ()))
        return tuple(roles)

    @property
    def window(self) -> Window:
        """All pixels."""
        return Window(0, 0, self.height, self.width)

    def windows(self) -> list[Window]:
        """The tiles in the order they are stored: row after row."""
        return [tile.inner for tile in Grid(self.height, self.width, self.tile)]

    def touching(self, window: Window) -> list[int]:
        """The numbers of the tiles that hold a part of `window`."""
        rows = range(window.row // self.tile, (window.bottom - 1) // self.tile + 1)
        cols = range(window.col // self.tile, (window.right - 1) // self.tile + 1)
        return [row * self.columns + col for row in rows for col in cols]

    def place(self, tile: int) -> Window:
        """The pixels of a tile, by its number."""
        row, col = divmod(tile, self.columns)
        corner = Window(row * self.tile, col * self.tile, self.tile, self.tile)
        inside = corner.intersection(self.window)
        if inside is None:
            raise ValueError(f"tile {tile} of {self.tiles}")
        return inside


def empty_index(units: int) -> Index:
    """An index to be filled, one entry per unit."""
    return np.zeros(units, _UNIT)


def read_index(data: bytes, head: Head) -> Index:
    """The entries of a TIDX chunk.

    Raises:
        DamageError: If their number is not the head's, or a kind is unknown.
    """
    units = head.tiles * len(head.roles)
    if len(data) != units * _UNIT.itemsize:
        raise DamageError(f"an index of {len(data)} bytes for {units} units")
    index = np.frombuffer(data, _UNIT)
    if index["kind"].max() > CONSTANT:
        raise DamageError(f"a unit of kind {index['kind'].max()}")
    return index
