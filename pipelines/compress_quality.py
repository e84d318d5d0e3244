"""A written file against the image it was made of, beside other formats of the same size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.codec.damage import DamageError
from resattn.codec.files import damaged, open_rac
from resattn.codec.network import Network
from resattn.codec.samples import Scale
from resattn.codec.tiles import Decoder, decibel
from resattn.io import lossy
from resattn.pipelines.pictures import Photo, RasterPicture
from resattn.tiling import Window

Pixels = NDArray[np.generic]
Present = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scores:
    """Of the file, of other formats, and what could not be measured."""

    result: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """PSNR and MS-SSIM of an image seen tile after tile.

    PSNR is that of all samples of the colour bands, its peak white minus black. MS-SSIM is the mean
    over tiles, by their area: of an image of one tile it is the usual one.

    Args:
        scale: Of all bands.
        colours: The bands that count: all but transparency.
    """

    scale: Scale
    colours: tuple[int, ...]
    _error: float = field(default=0.0, init=False)
    _samples: int = field(default=0, init=False)
    _similarity: float = field(default=0.0, init=False)
    _area: int = field(default=0, init=False)
    _holes: bool = field(default=False, init=False)

    def add(self, original: Pixels, decoded: Pixels, present: Present | None) -> None:
        """One tile (B, h, w) with all bands, and which of its pixels are real."""
        from resattn.metrics.ms_ssim import LEAST_SIDE, ms_ssim  # brings scipy, only for scores

        chosen, scale = list(self.colours), self.scale.bands(self.colours)
        first, second = original[chosen], decoded[chosen]
        real = None if present is None or present.all() else present[chosen]
        count = first.size if real is None else int(real.sum())
        self._error += scale.error(first, second, real) * count
        self._samples += count
        self._holes |= real is not None
        height, width = first.shape[1:]
        if not self._holes and min(height, width) >= LEAST_SIDE:
            score = ms_ssim(scale.levels.to_unit(second), scale.levels.to_unit(first), peak=1)
            self._similarity += score * height * width
            self._area += height * width

    def scores(self) -> dict[str, float]:
        """The scores; MS-SSIM only where tiles are large enough and nothing is missing."""
        if not self._samples:
            return {}
        scores = {"psnr": decibel(self._error / self._samples)}
        if self._area and not self._holes:
            scores["ms_ssim"] = self._similarity / self._area
        return scores


def of_file(
    path: Path, picture: Photo | RasterPicture, network: Network | None, *, baselines: bool
) -> Scores:
    """Scores of a file that was just written, decoded from the disk in full.

    Args:
        path: The file.
        picture: What it was made of.
        network: What it was made with.
        baselines: Also encode the image as `lossy.CODECS` at this size.

    Raises:
        ItemError: E301 if it does not decode to what was coded.
    """
    with open_rac(path) as file:
        head = file.head
        colours = tuple(band for band in range(head.bands) if band != head.alpha)
        tally = Tally(file.scale, colours)
        decoder = Decoder(file.layout, file.stream, file.scale, network)
        for tile in range(head.tiles):
            try:
                decoded, present = decoder.decode(tile)
            except DamageError as error:
                raise damaged(path, f"tile {tile}: {error}") from error
            tally.add(picture.read(head.place(tile)), decoded, present)
    if not baselines:
        return Scores(tally.scores(), {}, ())
    why = _unfit(picture, head.tiles)
    if why:
        return Scores(tally.scores(), {}, (f"no baselines: {why}",))
    rows, absent = _at_size(picture, path.stat().st_size)
    note = f"no encoder here for {', '.join(absent)}"
    return Scores(tally.scores(), rows, (note,))


def _unfit(picture: Photo | RasterPicture, tiles: int) -> str:
    """Why other formats cannot hold such an image, or an empty string."""
    if picture.dtype != "uint8" or picture.count not in (1, 3):
        return f"other formats hold grey or RGB of 8 bits, not {picture.count} × {picture.dtype}"
    return "the image has more than one tile" if tiles > 1 else ""


def _at_size(
    picture: Photo | RasterPicture, size: int
) -> tuple[dict[str, Mapping[str, float]], list[str]]:
    """Scores of each codec's best file of at most `size` bytes, and the codecs that are absent."""
    window = Window(0, 0, picture.height, picture.width)
    pixels = picture.read(window).astype(np.uint8, copy=False)
    rows: dict[str, Mapping[str, float]] = {}
    absent = list(lossy.ABSENT)
    for codec in lossy.CODECS:
        data = _largest(pixels, codec, size)
        if data is None:
            absent.append(codec)
            continue
        tally = Tally(Scale.of_type("uint8", len(pixels)), tuple(range(len(pixels))))
        tally.add(pixels, lossy.decode(data), None)
        bpp = 8 * len(data) / (window.height * window.width)
        rows[codec] = {"bpp": bpp, **tally.scores()}
    return rows, absent


def _largest(pixels: NDArray[np.uint8], codec: str, size: int) -> bytes | None:
    """The best file of at most `size` bytes, or the smallest one if none is so small."""
    settings = lossy.qualities(codec)
    best = lossy.encode(pixels, codec, settings[0])
    low, high = 1, len(settings) - 1
    while best is not None and low <= high:
        middle = (low + high) // 2
        data = lossy.encode(pixels, codec, settings[middle])
        if data is not None and len(data) <= size:
            best, low = data, middle + 1
        else:
            high = middle - 1
    return best
