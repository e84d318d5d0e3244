"""An enlarged file against the true image, beside bicubic and Lanczos, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.fusion.taps import Image
from resattn.metrics.luma import luma, ssim_y
from resattn.pipelines.pictures import (
    Photo,
    RasterPicture,
    bands_in_order,
    open_picture,
)
from resattn.tiling import Grid, Window
from resattn.upscale.fill import filled
from resattn.upscale.levels import Levels
from resattn.upscale.resize import BICUBIC, LANCZOS, Kernel, Resampler

Scores = dict[str, float]
Draw = Callable[[Window], Image]
"""Bands (B, h, w) of a window, transparency left out, nominally 0..1."""

_TILE = 512
_OVERLAP = 10  # SSIM looks at 11 × 11 pixels
_OWN_PIXELS = 2**40  # what was just written is no bomb

BASELINES = (BICUBIC, LANCZOS)


def check_reference(reference: Path, height: int, width: int, bands: int) -> None:
    """Refuse, before any work, a reference on another grid.

    Raises:
        ItemError: E328 if it has another size or number of bands, or as `open_picture` says.
    """
    with open_picture(reference) as picture:
        found = (picture.width, picture.height, len(bands_in_order(picture)))
    if found != (width, height, bands):
        raise ItemError(
            f"the reference {reference.name} has {found[0]}×{found[1]} pixels and {found[2]} "
            f"bands, the output will have {width}×{height} and {bands}",
            "choose the matching reference, or the --scale that gives its size",
            code="E328",
        )


def compare(
    source: Photo | RasterPicture, output: Path, reference: Path, levels: Levels, border: int
) -> tuple[Scores, Mapping[str, Scores]]:
    """PSNR and SSIM of luma of the written file, and of each baseline made from the same source.

    Three colour bands or a grey one are scored as luma; of more bands each is scored as a grey
    image and the mean is taken. Transparency does not count.

    Args:
        source: The image that was enlarged.
        output: The file that was written.
        reference: The true image, on the same grid.
        levels: The values that count as 0 and 1.
        border: Pixels left out at each edge.
    """
    with (
        open_picture(output, max_pixels=_OWN_PIXELS) as estimate,
        open_picture(reference) as truth,
    ):
        scored = levels.bands(bands_in_order(source))
        real = _drawn(truth, scored)
        size = (truth.height, truth.width)
        candidates = {"result": _drawn(estimate, scored)} | {
            kernel.name: interpolated(source, size, levels, kernel) for kernel in BASELINES
        }
        scores = {
            name: luma_scores(draw, real, _validity(truth, estimate), size, border)
            for name, draw in candidates.items()
        }
    return scores.pop("result"), scores


def interpolated(
    source: Photo | RasterPicture, size: tuple[int, int], levels: Levels, kernel: Kernel = BICUBIC
) -> Draw:
    """The source enlarged to `size` by an interpolation kernel, without transparency."""
    resampler = Resampler((source.height, source.width), size, kernel)
    bands = list(bands_in_order(source))
    scored = levels.bands(tuple(bands))
    lowest, highest = _limits(source.dtype, scored)

    def draw(window: Window) -> Image:
        need = resampler.need(window)
        unit = scored.to_unit(source.read(need)[bands])
        valid = source.valid(need)
        if valid is not None and not valid.all():
            unit = filled(unit, valid[bands], kernel.radius, rest=0.5)
        return np.clip(resampler.apply(unit, window), lowest, highest)

    return draw


def _limits(dtype: str, levels: Levels) -> tuple[Image, Image]:
    """What a file of that type can hold, (B, 1, 1) each, where black is 0 and white is 1."""
    kind = np.dtype(dtype)
    ends = np.array([-np.inf, np.inf])
    if kind.kind in "iu":
        ends = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max])
    both = np.broadcast_to(ends[:, None, None, None], (2, len(levels.black), 1, 1))
    return levels.to_unit(both[0]), levels.to_unit(both[1])


def _drawn(picture: Photo | RasterPicture, levels: Levels) -> Draw:
    bands = list(bands_in_order(picture))
    return lambda window: levels.to_unit(picture.read(window)[bands])


def _validity(
    first: Photo | RasterPicture, second: Photo | RasterPicture
) -> Callable[[Window], NDArray[np.bool_] | None]:
    def valid(window: Window) -> NDArray[np.bool_] | None:
        masks = [m for m in (first.valid(window), second.valid(window)) if m is not None]
        if not masks or all(mask.all() for mask in masks):
            return None
        both: NDArray[np.bool_] = np.logical_and.reduce([mask.all(axis=0) for mask in masks])
        return both

    return valid


@dataclass(slots=True)
class _Sums:
    """What tiles add up to."""

    error: float = 0.0
    pixels: int = 0
    similarity: float = 0.0
    positions: int = 0
    holes: bool = field(default=False)

    def scores(self) -> Scores:
        """The scores of the whole; SSIM only where every pixel counts and a window fits."""
        if not self.pixels:
            return {}
        mean = self.error / self.pixels
        scores = {"psnr_y": math.inf if mean == 0 else 10 * math.log10(255**2 / mean)}
        if self.positions and not self.holes:
            scores["ssim_y"] = self.similarity / self.positions
        return scores


def luma_scores(
    draw: Draw,
    real: Draw,
    validity: Callable[[Window], NDArray[np.bool_] | None],
    size: tuple[int, int],
    border: int,
) -> Scores:
    """PSNR and SSIM of luma of one image against another, tile by tile.

    Args:
        draw: The image to judge, of one, three or more bands.
        real: The true one.
        validity: Pixels (h, w) that count; None where all do.
        size: Rows and columns of both.
        border: Pixels left out at each edge.
    """
    height, width = size[0] - 2 * border, size[1] - 2 * border
    sums = _Sums()
    if min(height, width) < 1:
        return {}
    for tile in Grid(height, width, _TILE):
        inner = tile.inner
        window = Window(
            inner.row + border,
            inner.col + border,
            min(inner.height + _OVERLAP, height - inner.row),
            min(inner.width + _OVERLAP, width - inner.col),
        )
        valid = validity(window)
        _add(sums, draw(window) * 255, real(window) * 255, valid, inner)
    return sums.scores()


def _add(
    sums: _Sums, estimate: Image, truth: Image, valid: NDArray[np.bool_] | None, inner: Window
) -> None:
    """One tile: its own pixels for the error, and the overlap too for the similarity."""
    planes = (
        [slice(None)] if len(estimate) == 3 else [slice(b, b + 1) for b in range(len(estimate))]
    )
    if valid is not None:
        sums.holes = True
        estimate, truth = np.where(valid, estimate, 0), np.where(valid, truth, 0)
    own = (slice(inner.height), slice(inner.width))
    rows, cols = (length - _OVERLAP for length in estimate.shape[1:])
    counted = inner.height * inner.width if valid is None else int(valid[own].sum())
    for plane in planes:
        difference = luma(estimate[plane]) - luma(truth[plane])
        sums.error += float(np.square(difference[own]).sum())
        sums.pixels += counted
        if min(rows, cols) > 0 and valid is None:
            sums.similarity += ssim_y(estimate[plane], truth[plane]) * rows * cols
            sums.positions += rows * cols
