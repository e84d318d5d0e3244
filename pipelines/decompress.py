"""From `.rac` files back to images: all of one, a window of it, or what a damaged one has left.

The same function serves the shell (`resattn decompress`) and Python (`decompress`). Only the tiles
that are asked for are read, and memory does not grow with the image.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from resattn import device as devices
from resattn.codec.damage import DamageError
from resattn.codec.files import RacFile, damaged, open_rac, peek
from resattn.codec.header import NO_NETWORK, Head
from resattn.codec.tiles import Decoder
from resattn.errors import ItemError
from resattn.io.atomic import make_folder
from resattn.pipelines import plan as planning
from resattn.pipelines.compress_config import DecompressConfig
from resattn.pipelines.compress_networks import Networks
from resattn.pipelines.compress_quality import Tally
from resattn.pipelines.decompress_outputs import Target, create, lost, usual_suffix
from resattn.pipelines.pictures import Photo, RasterPicture, open_picture
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable
from resattn.pipelines.progress import Progress
from resattn.pipelines.provenance import tags
from resattn.pipelines.result import Result
from resattn.tiling import Window

__all__ = ["DecompressConfig", "decompress", "plan", "work"]

Pixels = NDArray[np.generic]
Present = NDArray[np.bool_]


def decompress(source: str | Path, out: str | Path, **options: Any) -> Result:
    """The image of a `.rac` file, or a window of it.

    Args:
        source: File that `compress` made.
        out: File to write: ``.png``, ``.tif``, ``.jpg`` or ``.webp``.
        options: Fields of `DecompressConfig`, and ``reference`` for the path of the original.

    Raises:
        UserError: The options or paths are wrong.
        WeightsError: The network the file was made with is not installed.
        ItemError: The file is damaged.

    Example:
        >>> decompress("photo.rac", "part.png", window="0,0,256,256")  # doctest: +SKIP
    """
    reference = options.pop("reference", None)
    config = DecompressConfig(**options)
    checked = planning.of_one(source, out, overwrite=config.overwrite)
    paired = planning.pair_references(checked, None if reference is None else Path(reference))
    return work(config)(paired.items[0], Progress(enabled=False))


def plan(
    inputs: Sequence[str],
    out: Path,
    *,
    include: str = "*",
    recursive: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Which image each file becomes: NAME.png for photographs, NAME.tif for rasters.

    Raises:
        UserError: Nothing matches, names collide, or an output is in the way.
    """
    sources = planning.named_images(
        inputs, (".rac",), what="a .rac", include=include, recursive=recursive
    )
    items = []
    for name, path in sources:
        output = planning.output_path(
            out, name, single=len(sources) == 1, tag="", suffix=usual_suffix(peek(path))
        )
        items.append(Item(name, (path,), output))
    return planning.check(items, overwrite=overwrite, skip_existing=skip_existing)


@portable
def work(config: DecompressConfig) -> Work:
    """What is done with one item under `config`; wrong options are refused here, once.

    Raises:
        UserError: The window is none, or the device is not there.
    """
    config.check()
    if config.threads:
        torch.set_num_threads(config.threads)
    devices.reuse_memory()
    networks = Networks(config.weights, config.device, config.precision)
    return functools.partial(_one, config=config, networks=networks)


def _one(item: Item, progress: Progress, *, config: DecompressConfig, networks: Networks) -> Result:
    (source,) = item.inputs
    with ExitStack() as stack:
        file = stack.enter_context(open_rac(source))
        window = _window(file, config.part())
        if not config.salvage:
            file.check_whole()
        network = networks.to_decode(file.head) if file.needs_network else None
        decoder = Decoder(file.layout, file.stream, file.scale, network)
        reader = _Reader(file, decoder, salvage=config.salvage)
        comparison = None
        if item.reference is not None:
            truth = stack.enter_context(open_picture(item.reference))
            comparison = _Comparison(file, truth, window, item.reference)
        make_folder(item.output.parent)
        made = tags("decompress", config.result_options(), **_coding(file))
        target = Target(item.output, window, item.inputs, config.overwrite, made)
        tiles = file.head.touching(window)
        with create(target, file) as sink, progress.steps(len(tiles), item.name) as bar:
            for tile in tiles:
                inside, pixels, present = reader.part(tile, window)
                sink.write(inside, pixels, present)
                if comparison is not None:
                    comparison.add(inside, pixels, present)
                bar.update()
        metrics = {} if comparison is None else comparison.tally.scores()
        warnings = (*lost(target, file), *reader.missing)
    facts = {
        "network": [network.name, network.key.hex()] if network else [],
        "damaged_tiles": len(reader.missing),
    }
    return Result(item.name, "ok", (item.output,), metrics, {}, facts, warnings)


def _coding(file: RacFile) -> dict[str, str]:
    """What coded the file, as far as it says: program, options and network by hash."""
    head, maker = file.head, file.maker
    program = {} if maker is None else {
        "coded_by": f"compress {maker.version}", "coded_config_sha256": maker.options,
    }  # fmt: skip
    network = {"network": head.name, "network_sha256": head.weights.hex()}
    return program | (network if head.weights != NO_NETWORK else {})


def _window(file: RacFile, wanted: Window | None) -> Window:
    """The part to decode.

    Raises:
        ItemError: E340 if it leaves the image.
    """
    whole = file.head.window
    if wanted is None:
        return whole
    if wanted.intersection(whole) != wanted:
        raise ItemError(
            f"--window {wanted.row},{wanted.col},{wanted.height},{wanted.width} leaves the image "
            f"of {whole.height} rows and {whole.width} columns",
            "give one inside it",
            code="E340",
        )
    return wanted


@dataclass(slots=True)
class _Reader:
    """Decodes the parts of tiles; with `salvage`, damaged ones become missing pixels."""

    file: RacFile
    decoder: Decoder
    salvage: bool
    missing: list[str] = field(default_factory=list)

    def part(self, tile: int, window: Window) -> tuple[Window, Pixels, Present | None]:
        """Where in the output the tile lies, its pixels there, and which of them are real.

        Raises:
            ItemError: E301 if the tile is damaged and nothing is to be salvaged.
        """
        place = self.file.head.place(tile)
        try:
            pixels, present = self.decoder.decode(tile)
        except DamageError as error:
            where = f"the tile of rows {place.row}–{place.bottom - 1}, "
            where += f"columns {place.col}–{place.right - 1}"
            if not self.salvage:
                raise damaged(self.file.path, f"{where}: {error}") from error
            self.missing.append(f"{where} is lost: {error}")
            pixels, present = _nothing(self.file, place)
        inside = place.intersection(window)
        if inside is None:
            raise ValueError(f"tile {tile} lies outside {window}")
        rows, cols = inside.relative_to(place).slices
        real = None if present is None else present[:, rows, cols]
        return inside.relative_to(window), pixels[:, rows, cols], real


def _nothing(file: RacFile, place: Window) -> tuple[Pixels, Present]:
    """A tile without a real pixel: the fill of each band, else 0."""
    head: Head = file.head
    shape = (head.bands, place.height, place.width)
    fill = np.array(file.scale.fill)
    if np.dtype(head.dtype).kind in "iu":
        fill = np.nan_to_num(fill)
    pixels = np.broadcast_to(fill[:, None, None], shape).astype(head.dtype)
    return pixels, np.zeros(shape, np.bool_)


class _Comparison:
    """The decoded window against the same pixels of the original.

    Raises:
        ItemError: E328 if the original has another size, number of bands or type.
    """

    def __init__(
        self, file: RacFile, truth: Photo | RasterPicture, window: Window, path: Path
    ) -> None:
        head = file.head
        expected = (head.width, head.height, head.bands, head.dtype)
        found = (truth.width, truth.height, truth.count, truth.dtype)
        if found != expected:
            raise ItemError(
                f"the reference {path.name} has {found[0]}×{found[1]} pixels, {found[2]} bands of "
                f"{found[3]}, the file {expected[0]}×{expected[1]}, {expected[2]} of {expected[3]}",
                "choose the image that was compressed",
                code="E328",
            )
        colours = tuple(band for band in range(head.bands) if band != head.alpha)
        self.tally = Tally(file.scale, colours)
        self._truth, self._origin = truth, window

    def add(self, inside: Window, pixels: Pixels, present: Present | None) -> None:
        """One part of the output."""
        origin = self._origin
        window = Window(inside.row + origin.row, inside.col + origin.col, *pixels.shape[1:])
        self.tally.add(self._truth.read(window), pixels, present)
