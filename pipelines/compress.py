"""From images to `.rac` files: prepare, code tile after tile, write, measure.

The same function serves the shell (`resattn compress`) and Python (`compress`). The network is
loaded once for all images; memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resattn import device as devices
from resattn.codec.files import RacWriter
from resattn.codec.header import LOSSLESS, NETWORK
from resattn.codec.network import Network
from resattn.codec.tiles import Encoder, Wish
from resattn.errors import UserError
from resattn.io.atomic import make_folder
from resattn.io.image import SUFFIXES
from resattn.pipelines import compress_quality, compress_strips, strips
from resattn.pipelines import plan as planning
from resattn.pipelines.compress_config import CompressConfig
from resattn.pipelines.compress_networks import Networks
from resattn.pipelines.compress_rate import level_for_rate
from resattn.pipelines.compress_source import Prepared, prepare
from resattn.pipelines.compress_strips import Coded
from resattn.pipelines.parcel import Parcel
from resattn.pipelines.pictures import Photo, RasterPicture, open_picture
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.tiling import Window

__all__ = ["CompressConfig", "compress", "plan", "work"]

SUFFIX = ".rac"

_STRIP_BYTES = 2**24
"""Most samples of a strip, in bytes; a tile may have more."""

_READ = (*SUFFIXES, ".tif", ".tiff", ".jp2")


def compress(source: str | Path, out: str | Path, **options: Any) -> Result:
    """One image as a `.rac` file.

    Args:
        source: Photograph or raster.
        out: File to write, ending in ``.rac``.
        options: Fields of `CompressConfig`.

    Raises:
        UserError: The options or paths are wrong.
        WeightsError: There is no network to use.
        ItemError: The image cannot be read.

    Example:
        >>> compress("photo.png", "photo.rac", quality=60).metrics["bpp"]  # doctest: +SKIP
        0.41
    """
    config = CompressConfig(**options)
    _check_suffix(Path(out))
    checked = planning.of_one(source, out, overwrite=config.overwrite)
    return work(config)(checked.items[0], Progress(enabled=False))


def plan(
    inputs: Sequence[str],
    out: Path,
    *,
    include: str = "*",
    recursive: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Which file each image becomes: NAME.rac.

    Raises:
        UserError: Nothing matches, names collide, or an output is in the way.
    """
    sources = planning.named_images(inputs, _READ, include=include, recursive=recursive)
    items = []
    for name, path in sources:
        single = len(sources) == 1
        output = planning.output_path(out, name, single=single, tag="", suffix=SUFFIX)
        _check_suffix(output)
        items.append(Item(name, (path,), output))
    return planning.check(items, overwrite=overwrite, skip_existing=skip_existing)


@portable
def work(config: CompressConfig) -> Work:
    """What is done with one item under `config`; wrong options are refused here, once.

    Raises:
        UserError: Options contradict each other, or the device is not there.
        WeightsError: There is no network to use.
    """
    config.check()
    if config.threads:
        torch.set_num_threads(config.threads)
    devices.reuse_memory()
    networks = Networks(config.weights, config.device, config.precision)
    network = None if config.lossless else networks.to_encode()
    return _Compressing(config, network)


@dataclass(frozen=True, slots=True)
class _Compressing:
    """A network at work; large rasters can be divided, see `Fitted`. Their rows are tiles."""

    config: CompressConfig
    network: Network | None

    def __call__(self, item: Item, progress: Progress) -> Result:
        return _one(item, progress, config=self.config, network=self.network)

    def strips(self, item: Item) -> Sequence[Window]:
        with self._picture(item) as picture:
            if isinstance(picture, Photo):  # decoded whole by whoever reads a part of it
                return ()
            head = prepare(picture, self.config, self.network).head
            return strips.cut(head.tiles, 1, max(1, _STRIP_BYTES // head.tile_bytes))

    def fit(self, item: Item, progress: Progress) -> Result:
        del progress  # what is asked for may need a search, on few tiles
        with self._picture(item) as picture:
            wish, warnings = self._coder(picture).wish(self.config)
        Parcel({"wish": asdict(wish), "warnings": warnings}).write(item.output)
        return Result(item.name, "ok", (item.output,))

    def strip(self, item: Item, progress: Progress) -> Result:
        del progress  # the strip is one step of it
        rows, (wish, _) = item.part(), _fitted(item)
        with self._picture(item) as picture:
            coder = self._coder(picture)
            tiles = (coder.code(number, wish) for number in range(rows.row, rows.bottom))
            compress_strips.write(item.output, tiles)
        return Result(item.name, "ok", (item.output,))

    def _picture(self, item: Item) -> AbstractContextManager[Photo | RasterPicture]:
        (source,) = item.inputs
        return open_picture(source, max_pixels=self.config.max_pixels)

    def _coder(self, picture: Photo | RasterPicture) -> _Coder:
        return _Coder(picture, prepare(picture, self.config, self.network), self.network)


def _fitted(item: Item) -> tuple[Wish, tuple[str, ...]]:
    """What `_Coder.wish` gave the process that fitted."""
    if item.fit is None:
        raise ValueError(f"{item.name} has nothing that was fitted")
    about = Parcel.read(item.fit).about
    return Wish(**about["wish"]), about["warnings"]


def _one(
    item: Item, progress: Progress, *, config: CompressConfig, network: Network | None
) -> Result:
    (source,) = item.inputs
    with open_picture(source, max_pixels=config.max_pixels) as picture:
        prepared = prepare(picture, config, network)
        coder = _Coder(picture, prepared, network)
        wish, warnings = coder.wish(config) if item.fit is None else _fitted(item)
        make_folder(item.output.parent)
        with (
            RacWriter(
                item.output, prepared.head, prepared.chunks,
                inputs=item.inputs, overwrite=config.overwrite,
            ) as writer,
            progress.steps(prepared.head.tiles, item.name) as bar,
        ):  # fmt: skip
            tiles = compress_strips.read(item.strips) if item.strips else coder.tiles(wish)
            for tile in tiles:
                coder.count(tile)
                writer.write(tile.units)
                bar.update()
        size = item.output.stat().st_size
        metrics = {"bpp": 8 * size / (picture.height * picture.width)}
        scores = compress_quality.Scores({}, {}, ())
        if config.score or config.baselines:
            scores = compress_quality.of_file(
                item.output, picture, network, baselines=config.baselines
            )
    facts = {
        "coded": coder.summary(),
        "bytes": size,
        "network": [network.name, network.key.hex()] if network else [],
    }
    return Result(
        item.name,
        "ok",
        (item.output,),
        {**metrics, **scores.result},
        scores.baselines,
        facts,
        (*warnings, *coder.warnings(), *scores.warnings),
    )


class _Coder:
    """Codes the tiles of one picture and counts what becomes of them."""

    def __init__(
        self, picture: Photo | RasterPicture, prepared: Prepared, network: Network | None
    ) -> None:
        self._picture, self._prepared, self._network = picture, prepared, network
        self._encoder = Encoder(prepared.head, prepared.scale, network)
        self._kinds = np.zeros(3, np.int64)
        self._levels: set[int] = set()
        self._clipped = 0

    def wish(self, config: CompressConfig) -> tuple[Wish, tuple[str, ...]]:
        """What is asked of every tile, and what there is to say about it."""
        if config.lossless or self._network is None:
            return Wish(lossless=True), ()
        if config.target_psnr:
            return Wish(psnr=config.target_psnr), ()
        if config.target_bpp:
            level, warnings = level_for_rate(
                self._picture, self._prepared, self._encoder, config.target_bpp
            )
            return Wish(level=level), warnings
        return Wish(level=config.level), ()

    def tiles(self, wish: Wish) -> Iterator[Coded]:
        """Every tile, in order."""
        return (self.code(number, wish) for number in range(self._prepared.head.tiles))

    def code(self, number: int, wish: Wish) -> Coded:
        """One tile."""
        head, clipped = self._prepared.head, 0
        window = head.place(number)
        pixels = self._picture.read(window)
        present = self._picture.present(window) if head.has_mask else None
        units = self._encoder.encode(pixels, present, wish)
        if self._prepared.is_clipped and any(unit.kind == NETWORK for unit in units):
            clipped = self._prepared.scale.clipped(pixels, present)
        return Coded(tuple(units), clipped)

    def count(self, tile: Coded) -> None:
        """Takes note of what became of a tile, for `summary` and `warnings`."""
        self._clipped += tile.clipped
        for unit in tile.units:
            self._kinds[unit.kind] += 1
            if unit.kind == NETWORK:
                self._levels.add(unit.level)

    def summary(self) -> str:
        """Such as ``12 parts at level 44, 1 exactly, 3 of one value``."""
        parts = []
        if self._kinds[NETWORK]:
            low, high = min(self._levels), max(self._levels)
            level = f"level {low}" if low == high else f"levels {low} to {high}"
            parts.append(f"{self._kinds[NETWORK]} parts at {level}")
        names = ("exactly", "of one value")
        counts = self._kinds[LOSSLESS:]
        parts += [f"{n} {name}" for n, name in zip(counts, names, strict=True) if n]
        return ", ".join(parts)

    def warnings(self) -> tuple[str, ...]:
        """Whether samples were clipped."""
        if not self._clipped:
            return ()
        return (
            f"{self._clipped} samples lie beyond the range that was measured and were clipped: "
            "widen --range, or keep every bit with --lossless",
        )


def _check_suffix(output: Path) -> None:
    if output.suffix.lower() != SUFFIX:
        raise UserError(
            f"--out {output.name}: suffix {output.suffix or 'missing'}",
            f"end the name in {SUFFIX}",
            code="E207",
        )
