"""From image files to enlarged image files: prepare, infer, finish, measure.

The same function serves the shell (`resattn super-resolve`) and Python (`super_resolve`).
Photographs and rasters take the same path; a raster is read, enlarged and written by windows, so
memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from resattn.errors import UserError
from resattn.io.atomic import check_target, make_folder
from resattn.io.image import SUFFIXES
from resattn.pipelines import plan as planning
from resattn.pipelines import provenance, strips
from resattn.pipelines import super_resolve_quality as quality
from resattn.pipelines.compute_config import ComputeConfig
from resattn.pipelines.levels import levels_of, parse_range
from resattn.pipelines.memory import parse_bytes
from resattn.pipelines.pictures import (
    Photo,
    RasterPicture,
    bands_in_order,
    open_picture,
)
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Work, portable_with
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.pipelines.super_resolve_cells import CellMaker
from resattn.pipelines.super_resolve_networks import Chosen, choose, use_threads
from resattn.pipelines.super_resolve_outputs import (
    RASTER_SUFFIXES,
    Sink,
    Target,
    check_photo,
    create,
    losses,
    output_suffix,
    profile_of,
)
from resattn.pipelines.super_resolve_preview import Glimpse, preview_path, side_by_side
from resattn.tiling import Window
from resattn.upscale.enlarge import Enlarger
from resattn.upscale.levels import Levels

LEAST_SCALE, LARGEST_SCALE = 1.0, 8.0

_CELL_BYTES = 128 * 2**20
"""Most that all bands of one cell of the output may take."""

_STRIP_ROWS = 512
"""Least rows of an output that are worth a unit of their own."""

_READ = (*SUFFIXES, *RASTER_SUFFIXES, ".jp2")


@dataclass(frozen=True, slots=True)
class SuperResolveConfig(ComputeConfig):
    """Everything that decides what `super_resolve` computes, as the command line names it.

    Attributes:
        scale: Enlargement, 1 to 8.
        model: ``fast`` or ``quality``.
        weights: A listed name or a file instead, used for every scale.
        ensemble: Average over the eight turns of the image.
        range: Values that count as black and white, see `levels_of`.
        preview: Write a bicubic/network PNG beside the output.
        cog: Write rasters as Cloud-Optimized GeoTIFF.
        keep_location: Keep the place in a photograph's metadata.
        max_pixels: Most pixels an input may claim; 0 takes the limit of its kind.
        tile: Output pixels per side taken at once, in whole cells and as `ram` allows; it never
            changes a pixel.
        overlap: Context beyond what the networks need, in input pixels.
        seed: Nothing here is random; taken so that every verb has it.
    """

    scale: float = 4.0
    model: str = "fast"
    weights: str = ""
    ensemble: bool = False
    range: str = "auto"
    preview: bool = False
    cog: bool = False
    keep_location: bool = False
    max_pixels: int = 0

    def result_options(self) -> dict[str, Any]:
        """The options that can change a pixel: what the provenance hash covers."""
        names = ("scale", "ensemble", "range", "device", "precision", "overlap")
        values = asdict(self)
        return {name: values[name] for name in names}


def super_resolve(source: str | Path, out: str | Path, **options: Any) -> Result:
    """The enlarged image of one file, written to `out`.

    Args:
        source: Photograph or raster.
        out: File to write; its suffix is the format.
        options: Fields of `SuperResolveConfig`, and ``reference`` for a path to compare with.

    Raises:
        UserError: The options or paths are wrong.
        ItemError: The image cannot be enlarged.

    Example:
        >>> result = super_resolve("photo.jpg", "large.png", scale=2)  # doctest: +SKIP
    """
    reference = options.pop("reference", None)
    config = SuperResolveConfig(**options)
    _check_suffix(Path(out))
    checked = planning.of_one(source, out, overwrite=config.overwrite)
    paired = planning.pair_references(checked, None if reference is None else Path(reference))
    return work(config)(paired.items[0], Progress(enabled=False))


def plan(
    inputs: Sequence[str],
    out: Path,
    *,
    scale: float,
    include: str = "*",
    recursive: bool = True,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Which file each input becomes; of folders, the files whose names end like images'.

    Raises:
        UserError: Nothing matches, names collide, or an output is in the way.
    """
    sources = planning.named_images(inputs, _READ, include=include, recursive=recursive)
    items = []
    for name, path in sources:
        output = planning.output_path(
            out,
            name,
            single=len(sources) == 1,
            tag=f"x{scale:g}",
            suffix=output_suffix(path),
        )
        _check_suffix(output)
        items.append(Item(name, (path,), output))
    return planning.check(items, overwrite=overwrite, skip_existing=skip_existing)


def _check_suffix(output: Path) -> None:
    known = (*SUFFIXES, *RASTER_SUFFIXES)
    if output.suffix.lower() not in known:
        raise UserError(
            f"--out {output.name}: no format is called {output.suffix or 'by no suffix'}",
            f"end it in one of {', '.join(known)}",
            code="E207",
        )


def companions(item: Item, config: SuperResolveConfig) -> tuple[Path, ...]:
    """Files beside the output."""
    return (preview_path(item.output),) if config.preview else ()


@portable_with(companions)
def work(config: SuperResolveConfig) -> Work:
    """What is done with one file under `config`; wrong options are refused here, once."""
    if not LEAST_SCALE <= config.scale <= LARGEST_SCALE:
        raise UserError(
            f"--scale {config.scale:g}", f"choose {LEAST_SCALE:g} to {LARGEST_SCALE:g}", code="E208"
        )
    parse_range(config.range)
    parse_bytes(config.ram)
    use_threads(config.threads)
    chosen = choose(
        config.scale, config.model, str(config.weights), config.device, config.precision
    )
    return _Enlarging(config, chosen)


@dataclass(frozen=True, slots=True)
class _Enlarging:
    """A network at work; large rasters can be divided, see `Divisible`."""

    config: SuperResolveConfig
    chosen: Chosen

    def __call__(self, item: Item, progress: Progress) -> Result:
        return _enlarge(item, progress, config=self.config, chosen=self.chosen)

    def strips(self, item: Item) -> Sequence[Window]:
        if item.output.suffix.lower() not in RASTER_SUFFIXES:
            return ()
        with open_picture(item.inputs[0], max_pixels=self.config.max_pixels) as picture:
            if isinstance(picture, Photo):  # decoded whole by whoever reads a part of it
                return ()
            enlarger = _enlarger(picture, self.config, self.chosen)
            _check_reference(picture, item, enlarger.height, enlarger.width)
            rows = -(-_STRIP_ROWS // enlarger.side) * enlarger.side
            return strips.cut(enlarger.height, enlarger.width, rows)

    def strip(self, item: Item, progress: Progress) -> Result:
        del progress  # the strip is one step of it
        return _enlarge_strip(item, config=self.config, chosen=self.chosen)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An open image, how it becomes larger, and the file it becomes."""

    picture: Photo | RasterPicture
    levels: Levels
    enlarger: Enlarger
    target: Target


def _enlarge(
    item: Item, progress: Progress, *, config: SuperResolveConfig, chosen: Chosen
) -> Result:
    with open_picture(item.inputs[0], max_pixels=config.max_pixels) as picture:
        prepared = prepare(picture, item, config, chosen)
        with create(prepared.target, picture) as sink:
            if item.strips:
                make = strips.reader(item.strips, profile_of(prepared.target, picture))
            else:
                make = CellMaker(picture, prepared.levels, prepared.enlarger, sink.nodata).window
            glimpse = infer(prepared, sink, make, item.name, config, progress)
        outputs = [item.output]
        if config.preview:
            outputs.append(side_by_side(picture, glimpse, prepared.levels, prepared.target))
        metrics, baselines = _measure(prepared, item, config)
    return Result(
        name=item.name,
        status="ok",
        outputs=tuple(outputs),
        metrics=metrics,
        baselines=baselines,
        facts=_facts(prepared, chosen),
        warnings=losses(prepared.target, picture),
    )


def _enlarge_strip(item: Item, *, config: SuperResolveConfig, chosen: Chosen) -> Result:
    strip = item.part()
    with open_picture(item.inputs[0], max_pixels=config.max_pixels) as picture:
        prepared = prepare(picture, item, replace(config, overwrite=True), chosen)
        profile = profile_of(prepared.target, picture)
        maker = CellMaker(picture, prepared.levels, prepared.enlarger, profile.nodata)
        windows = strips.squares(strip, strip.height)
        made = ((window, *maker.window(window)) for window in windows)
        strips.write(item.output, strip, profile, made)
    return Result(item.name, "ok", (item.output,))


def prepare(
    picture: Photo | RasterPicture, item: Item, config: SuperResolveConfig, chosen: Chosen
) -> Prepared:
    """Levels, geometry and output, with everything refused that would fail only after the work.

    Raises:
        ItemError: The output cannot be written or does not fit the reference.
    """
    enlarger = _enlarger(picture, config, chosen)
    target = Target(
        path=item.output,
        height=enlarger.height,
        width=enlarger.width,
        tags=provenance.tags(
            "super-resolve",
            config.result_options(),
            model=chosen.name,
            weights_sha256=chosen.sha256,
        ),
        side=enlarger.side,
        inputs=item.inputs,
        overwrite=config.overwrite,
        cog=config.cog,
        keep_location=config.keep_location,
        ram_bytes=parse_bytes(config.ram),
    )
    _check_before_work(picture, item, target)
    if config.preview:
        check_target(preview_path(item.output), overwrite=config.overwrite)
    return Prepared(picture, levels_of(picture, config.range), enlarger, target)


def _enlarger(
    picture: Photo | RasterPicture, config: SuperResolveConfig, chosen: Chosen
) -> Enlarger:
    band_bytes = picture.count * np.dtype(picture.dtype).itemsize
    return Enlarger(
        picture.height,
        picture.width,
        config.scale,
        chosen.network,
        ensemble=config.ensemble,
        overlap=config.overlap,
        largest=int((_CELL_BYTES / band_bytes) ** 0.5),
    )


def _check_before_work(picture: Photo | RasterPicture, item: Item, target: Target) -> None:
    make_folder(target.path.parent)
    check_target(target.path, inputs=item.inputs, overwrite=target.overwrite)
    if target.suffix not in RASTER_SUFFIXES:
        check_photo(target, picture)
    _check_reference(picture, item, target.height, target.width)


def _check_reference(picture: Photo | RasterPicture, item: Item, height: int, width: int) -> None:
    if item.reference is not None:
        bands = len(bands_in_order(picture))
        quality.check_reference(item.reference, height, width, bands)


def infer(
    prepared: Prepared,
    sink: Sink,
    make: strips.Make,
    name: str,
    config: SuperResolveConfig,
    progress: Progress,
) -> Glimpse:
    """Puts what `make` makes into the output window by window; returns what its middle holds."""
    enlarger = prepared.enlarger
    glimpse = Glimpse(enlarger.height, enlarger.width)
    windows = enlarger.windows(min(config.tile, _largest_tile(prepared.picture, config)))
    with progress.steps(len(windows), name) as bar:
        for window in windows:
            pixels, valid = make(window.inner)
            glimpse.take(window.inner, pixels)
            sink.write(window.inner, pixels, valid)
            bar.update()
    return glimpse


def _largest_tile(picture: Photo | RasterPicture, config: SuperResolveConfig) -> int:
    """Side of the output that takes a quarter of ``--ram``."""
    pixel_bytes = picture.count * np.dtype(picture.dtype).itemsize
    return int((parse_bytes(config.ram) / 4 / pixel_bytes) ** 0.5)


def _measure(
    prepared: Prepared, item: Item, config: SuperResolveConfig
) -> tuple[quality.Scores, Mapping[str, quality.Scores]]:
    """Scores against the reference, if there is one, of the result and of both baselines."""
    if item.reference is None:
        return {}, {}
    return quality.compare(
        prepared.picture, item.output, item.reference, prepared.levels, round(config.scale)
    )


def _facts(prepared: Prepared, chosen: Chosen) -> dict[str, Any]:
    picture, target, levels = prepared.picture, prepared.target, prepared.levels
    return {
        "size": f"{picture.width}×{picture.height} -> {target.width}×{target.height}",
        "network": chosen.name,
        "weights": {"name": chosen.name, "sha256": chosen.sha256},
        "black": list(levels.black),
        "white": list(levels.white),
        "cell": prepared.enlarger.side,
    }
