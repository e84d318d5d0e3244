"""Two files that must lie on one grid and one scale before a score of them means anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resattn.errors import ItemError
from resattn.io.image import SUFFIXES
from resattn.metrics.pair import Array, Mask
from resattn.metrics.scene import Reader
from resattn.pipelines.pansharpen_quality import peak_of
from resattn.pipelines.pictures import Photo, RasterPicture, bands_in_order
from resattn.tiling import Grid, Window
from resattn.upscale.fill import filled
from resattn.upscale.resize import Kernel, Resampler

IMAGE_SUFFIXES = (*SUFFIXES, ".tif", ".tiff", ".jp2")

_SAME_PLACE = 1e-3
"""Pixels by which the corners of two georeferenced files may differ."""

_TILE = 1024


@dataclass(frozen=True, slots=True)
class View:
    """An image as scores see it: float64 bands and (h, w) validity, by windows."""

    picture: Photo | RasterPicture
    bands: tuple[int, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.picture.height, self.picture.width

    @property
    def name(self) -> str:
        """The file's name."""
        return self.picture.info.path.name

    def read(self, window: Window) -> tuple[Array, Mask]:
        """Bands (B, h, w), zero where invalid, and the pixels (h, w) valid in all of them."""
        bands = list(self.bands)
        values = self.picture.read(window)[bands].astype(np.float64)
        valid: Mask = np.asarray(np.isfinite(values).all(axis=0), np.bool_)
        known = self.picture.valid(window)
        if known is not None:
            valid &= known[bands].all(axis=0)
        return np.where(valid, values, 0.0), valid


def views(
    estimate: Photo | RasterPicture, truth: Photo | RasterPicture, *, scale_is_known: bool
) -> tuple[View, View]:
    """Both images with their bands in one order, transparency left out.

    Bands go by colour where both files say which is which, else by their order.

    Args:
        estimate: The image to judge.
        truth: What it is held against.
        scale_is_known: The user said which value is white, so types may differ.

    Raises:
        ItemError: E328 if sizes, bands or places differ, E316 if types do.
    """
    if estimate.colours and truth.colours:
        orders = bands_in_order(estimate), bands_in_order(truth)
    else:
        orders = _opaque(estimate), _opaque(truth)
    pair = View(estimate, orders[0]), View(truth, orders[1])
    _check_size(*pair)
    _check_type(*pair, scale_is_known=scale_is_known)
    _check_place(*pair)
    return pair


def white(truth: View) -> float:
    """The value that counts as white: 2^bits − 1, or 1 for fractions.

    All bits of the type for photographs and for 8 bits, those that the reference uses for other
    rasters.
    """
    if isinstance(truth.picture, Photo):
        return float(np.iinfo(truth.picture.dtype).max)
    if truth.picture.dtype == "uint8":
        return 255.0
    largest = max(float(truth.read(tile.inner)[0].max()) for tile in Grid(*truth.size, size=_TILE))
    return peak_of(truth.picture.dtype, largest)


def check_same_size(estimate: View, truth: View) -> None:
    """Refuses two masks that do not lie on one grid.

    Raises:
        ItemError: E328.
    """
    if estimate.size != truth.size:
        raise _differs(
            estimate, truth, *(f"{v.size[1]}×{v.size[0]} pixels" for v in (estimate, truth))
        )


def _opaque(picture: Photo | RasterPicture) -> tuple[int, ...]:
    return tuple(band for band in range(picture.count) if band != picture.alpha)


def _check_size(estimate: View, truth: View) -> None:
    if (estimate.size, len(estimate.bands)) != (truth.size, len(truth.bands)):
        raise _differs(estimate, truth, _shape(estimate), _shape(truth))


def _differs(estimate: View, truth: View, ours: str, theirs: str) -> ItemError:
    return ItemError(
        f"{estimate.name} has {ours}, its reference {truth.name} has {theirs}",
        "give both on one grid with the same bands",
        code="E328",
    )


def _shape(view: View) -> str:
    bands = len(view.bands)
    return f"{bands} band{'s' * (bands != 1)} of {view.size[1]}×{view.size[0]} pixels"


def _check_type(estimate: View, truth: View, *, scale_is_known: bool) -> None:
    ours, theirs = estimate.picture.dtype, truth.picture.dtype
    if ours != theirs and not scale_is_known:
        raise ItemError(
            f"{estimate.name} holds {ours}, its reference {truth.name} holds {theirs}: "
            "whether their values are on one scale cannot be seen",
            "convert one, or say which value is white in both with --peak",
            code="E316",
        )


def _check_place(estimate: View, truth: View) -> None:
    """Two georeferenced files must lie on the same ground."""
    if isinstance(estimate.picture, Photo) or isinstance(truth.picture, Photo):
        return
    ours, theirs = estimate.picture.info, truth.picture.info
    if not (ours.georeferenced and theirs.georeferenced):
        return
    if ours.crs is not None and theirs.crs is not None and ours.crs != theirs.crs:
        raise _differs(estimate, truth, f"the CRS {_crs(ours.crs)}", _crs(theirs.crs))
    to_theirs = ~theirs.transform @ ours.transform
    rows, cols = truth.size
    away = max(
        abs(moved - place)
        for corner in ((0, 0), (cols, 0), (0, rows), (cols, rows))
        for moved, place in zip(to_theirs @ corner, corner, strict=True)
    )
    if away > _SAME_PLACE:
        raise _differs(estimate, truth, f"a grid {away:.3g} pixels away", "another")


def _crs(crs: object) -> str:
    return str(crs)[:60]


def enlarged(source: View, size: tuple[int, int], kernel: Kernel) -> Reader:
    """The source interpolated to `size`, cut to what its type can hold; every pixel is valid."""
    resampler = Resampler(source.size, size, kernel)
    kind = np.dtype(source.picture.dtype)
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else (-np.inf, np.inf)

    def read(window: Window) -> tuple[Array, Mask]:
        values, valid = source.read(resampler.need(window))
        pixels = values.astype(np.float32)
        if not valid.all():
            known = np.broadcast_to(valid, pixels.shape)
            pixels = filled(pixels, known, kernel.radius, rest=0.0)
        drawn = np.clip(resampler.apply(pixels, window), low, high).astype(np.float64)
        return drawn, np.ones(drawn.shape[1:], np.bool_)

    return read
