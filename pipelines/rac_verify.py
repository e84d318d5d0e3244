"""Whether all of a `.rac` file is sound, without making a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resattn.codec.damage import DamageError
from resattn.codec.files import RacFile, damaged, open_rac
from resattn.codec.tiles import Decoder
from resattn.errors import ItemError, WeightsError
from resattn.pipelines.compress_networks import Networks


@dataclass(frozen=True, slots=True)
class Verified:
    """A file without a fault.

    Attributes:
        units: How many were checked.
        by_content: Whether every one was also decoded to its integers or samples.
    """

    units: int
    by_content: bool


def verify(path: Path, networks: Networks) -> Verified:
    """Checks every checksum of a file, and what every unit decodes to.

    Where the network is not installed, units of it are checked by their bytes alone.

    Raises:
        ItemError: E301 with every damaged tile, or E304–E315 as `open_rac` says.
    """
    with open_rac(path) as file:
        file.check_whole()
        try:
            network = networks.to_decode(file.head) if file.needs_network else None
        except WeightsError:
            network = None
        decoder = Decoder(file.layout, file.stream, file.scale, network)
        faults = list(_faults(file, decoder))
        if faults:
            raise _faulty(path, faults)
        by_content = network is not None or not file.needs_network
        return Verified(len(file.layout.index), by_content)


def _faults(file: RacFile, decoder: Decoder) -> list[str]:
    faults = []
    for tile in range(file.head.tiles):
        try:
            decoder.check(tile)
        except DamageError as error:
            place = file.head.place(tile)
            faults.append(f"tile {tile} at row {place.row}, column {place.col}: {error}")
    return faults


def _faulty(path: Path, faults: list[str]) -> ItemError:
    shown, more = faults[:5], len(faults) - 5
    return damaged(path, "; ".join(shown) + (f"; and {more} more" if more > 0 else ""))
