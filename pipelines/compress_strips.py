"""Coded tiles as a file: made by one process of a run, put into the output by another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resattn.codec.tiles import Unit
from resattn.pipelines.parcel import Array, Parcel
from resattn.pipelines.plan import Item


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded tile.

    Attributes:
        units: All of it.
        clipped: Samples beyond the measured range.
    """

    units: tuple[Unit, ...]
    clipped: int


def write(path: Path, tiles: Iterable[Coded]) -> None:
    """The file of some tiles.

    Raises:
        OutputError: As `Parcel.write`.
    """
    tiles = list(tiles)
    units = [unit for tile in tiles for unit in tile.units]
    rows = [(unit.kind, unit.level, unit.content, len(unit.payload)) for unit in units]
    payload = b"".join(unit.payload for unit in units)
    arrays: dict[str, Array] = {
        "units": np.array(rows, np.int64).reshape(-1, 4),
        "payload": np.frombuffer(payload, np.uint8),
        "tiles": np.array([(len(tile.units), tile.clipped) for tile in tiles], np.int64),
    }
    Parcel(None, arrays).write(path)


def read(strips: Sequence[Item]) -> Iterator[Coded]:
    """The tiles of all strips, in order.

    Raises:
        ItemError: E301, a file is gone or damaged.
    """
    for item in strips:
        arrays = Parcel.read(item.output).arrays
        payload, rows = arrays["payload"].tobytes(), iter(arrays["units"].tolist())
        start = 0
        for count, clipped in arrays["tiles"].tolist():
            units = []
            for _ in range(count):
                kind, level, content, length = next(rows)
                units.append(Unit(kind, level, payload[start : start + length], content))
                start += length
            yield Coded(tuple(units), clipped)
