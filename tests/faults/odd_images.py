"""What the readers decide about odd and broken images found in the wild.

`python -m tests.faults.odd_images FOLDER` writes the decisions on the files of FOLDER to
odd_images.csv, for a review of every line that changed.
"""

from __future__ import annotations

import csv
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from resattn.errors import ItemError
from resattn.io.atomic import write_csv
from resattn.io.image import read_image
from resattn.io.raster import open_raster

TABLE = Path(__file__).with_name("odd_images.csv")
ARCHIVE = Path(__file__).with_name("odd_images.zip")
HEADER = ("file", "raster", "photograph")


def decide(path: Path) -> tuple[str, str]:
    """Shape and type, or the code of the refusal, as a raster and as a photograph."""
    try:
        with open_raster(path) as raster:
            pixels = raster.read()
            assert raster.valid().shape == pixels.shape[1:]
        as_raster = _described(pixels)
    except ItemError as error:
        as_raster = error.code
    try:
        as_photograph = _described(read_image(path).pixels)
    except ItemError as error:
        as_photograph = error.code
    return as_raster, as_photograph


def decisions() -> Iterator[tuple[str, tuple[str, str]]]:
    """The checked-in table."""
    with TABLE.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            yield row["file"], (row["raster"], row["photograph"])


def _described(pixels) -> str:
    return "×".join(map(str, pixels.shape)) + f" {pixels.dtype}"


if __name__ == "__main__":
    logging.disable()
    files = sorted(Path(sys.argv[1]).iterdir())
    rows = [(path.name, *decide(path)) for path in files]
    write_csv(TABLE, HEADER, rows, overwrite=True)
