"""What a reader of a report sees of an item: input, output, reference and error on one grid.

Large images are shown at their own pixels where they are worst, because the errors that scores
measure vanish in an overview. Masks are shown whole, drawn into the photograph they belong to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ResattnError
from resattn.io.image import SUFFIXES
from resattn.pipelines.pictures import Photo, RasterPicture, open_picture
from resattn.pipelines.result import Result
from resattn.tiling import Window
from resattn.upscale.resize import BICUBIC, Resampler

SIDE = 512
"""Longest side of a picture in the gallery, in pixels of the output."""

_PROBE = 128
_PROBES = 6  # per axis
_CLIP = (1.0, 99.0)
_TINT = np.array([255.0, 64.0, 96.0])
_FALSE, _MISSED = np.array([255.0, 160.0, 0.0]), np.array([64.0, 128.0, 255.0])
_HEAT = np.array([[0, 0, 0], [80, 18, 123], [182, 54, 121], [251, 135, 97], [252, 253, 191]])

Rgb = NDArray[np.uint8]
Real = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture (3, h, w) and what it shows."""

    label: str
    pixels: Rgb


@dataclass(frozen=True, slots=True)
class Sheet:
    """The layers of one item, the output first, and what there is to say about them."""

    layers: tuple[Layer, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Files:
    output: Path
    before: Path | None
    reference: Path | None


def sheet(result: Result) -> Sheet:
    """Output, input, reference and error of an item; without layers where nothing can be shown."""
    files = _files(result)
    if files is None:
        return Sheet((), "no picture among its outputs")
    try:
        return _sheet(files)
    except (ResattnError, OSError) as error:
        return Sheet((), str(error))


def thumbnail(result: Result, side: int) -> Rgb | None:
    """The output (3, h, w) at most `side` pixels long, or its middle where it is huge."""
    files = _files(result)
    if files is None:
        return None
    try:
        with open_picture(files.output) as picture:
            window = _middle(picture, 8 * SIDE)
            pixels = _read(picture, window)
            return smaller(_to_bytes(pixels, _limits(picture, pixels)), side)
    except (ResattnError, OSError):
        return None


def smaller(pixels: Rgb, side: int) -> Rgb:
    """`pixels` (3, h, w) averaged over blocks until no side is longer than `side`."""
    height, width = pixels.shape[1:]
    step = -(-max(height, width) // side)
    if step == 1:
        return pixels
    rows, cols = max(1, height // step), max(1, width // step)
    cut = pixels[:, : rows * step, : cols * step]
    tall, wide = cut.shape[1] // rows, cut.shape[2] // cols
    blocks = cut[:, : rows * tall, : cols * wide].reshape(3, rows, tall, cols, wide)
    averaged: Rgb = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
    return averaged


def _files(result: Result) -> _Files | None:
    """Which files of a result show what; a run that only measures judges its first input."""
    made = next((path for path in result.outputs if _is_image(path)), None)
    inputs = [path for path in result.inputs if _is_image(path)]
    if made is None and not result.outputs and inputs:
        made, inputs = inputs[0], inputs[1:]
    if made is None:
        return None
    # PAN, then MS: the colours are in the second. Of separate band files PAN says more.
    before = inputs[1] if len(inputs) == 2 else inputs[0] if inputs else None
    return _Files(made, before, result.reference)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in (*SUFFIXES, ".tif", ".tiff", ".jp2")


def _sheet(files: _Files) -> Sheet:
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open_picture(files.output))
        before, reference = (
            None if path is None else stack.enter_context(open_picture(path))
            for path in (files.before, files.reference)
        )
        if reference is not None and _size(reference) != _size(output):
            reference = None
        whole = Window(0, 0, *_size(output))
        if _looks_like_mask(output):
            note = "" if reference is None else "error: orange is too much, blue is missing"
            return Sheet(tuple(_mask_layers(output, before, reference, whole)), note)
        window = whole
        if max(_size(output)) > SIDE:
            window = _middle(output, SIDE) if reference is None else _worst(output, reference)
        layers = tuple(_layers(output, before, reference, window))
    return Sheet(layers, "" if window == whole else _place(window))


def _layers(
    output: Photo | RasterPicture,
    before: Photo | RasterPicture | None,
    reference: Photo | RasterPicture | None,
    window: Window,
) -> Iterator[Layer]:
    after = _read(output, window)
    limits = _limits(output, after)
    yield Layer("output", _to_bytes(after, limits))
    if before is not None:
        pixels = _enlarged(before, _size(output), window)
        # Another type means another scale: PAN beside reflectances, 16 bits beside 8.
        own = limits if before.dtype == output.dtype else _limits(before, pixels)
        yield Layer("input", _to_bytes(pixels, own))
    if reference is not None:
        truth = _read(reference, window)
        yield Layer("reference", _to_bytes(truth, limits))
        error = np.abs(after - truth).mean(axis=0)
        most = float(np.percentile(error, 99)) or 1.0
        yield Layer(f"error, palest from {most:.4g}", _heat(error / most))


def _mask_layers(
    output: Photo | RasterPicture,
    before: Photo | RasterPicture | None,
    reference: Photo | RasterPicture | None,
    window: Window,
) -> Iterator[Layer]:
    found = _read(output, window).max(axis=0) > 0
    photo = np.full((3, *found.shape), 64, np.uint8)
    if before is not None and _size(before) == _size(output):
        pixels = _read(before, window)
        photo = _to_bytes(pixels, _limits(before, pixels))
    yield Layer("output", _tinted(photo, found, _TINT))
    if reference is not None:
        true = _read(reference, window).max(axis=0) > 0
        yield Layer("reference", _tinted(photo, true, _TINT))
        wrong = _tinted(_tinted(photo, found & ~true, _FALSE), true & ~found, _MISSED)
        yield Layer("error", wrong)
    if before is not None:
        yield Layer("input", photo)


def _tinted(photo: Rgb, mask: NDArray[np.bool_], colour: NDArray[np.float64]) -> Rgb:
    mixed = 0.45 * photo + 0.55 * colour[:, None, None]
    tinted: Rgb = np.where(mask, mixed, photo).astype(np.uint8)
    return tinted


def _looks_like_mask(picture: Photo | RasterPicture) -> bool:
    if picture.count != 1 or picture.dtype != "uint8":
        return False
    values = np.unique(picture.read(_middle(picture, 8 * SIDE)))
    return len(values) <= 2 and set(values.tolist()) <= {0, 1, 255}


def _size(picture: Photo | RasterPicture) -> tuple[int, int]:
    return picture.height, picture.width


def _middle(picture: Photo | RasterPicture, side: int) -> Window:
    height, width = min(side, picture.height), min(side, picture.width)
    return Window((picture.height - height) // 2, (picture.width - width) // 2, height, width)


def _worst(output: Photo | RasterPicture, reference: Photo | RasterPicture) -> Window:
    """The part with the largest error, by at most 36 places that are looked at."""
    height, width = _size(output)
    probe = _PROBE
    rows = np.unique(np.linspace(0, max(0, height - probe), _PROBES).astype(int))
    cols = np.unique(np.linspace(0, max(0, width - probe), _PROBES).astype(int))

    def error(window: Window) -> float:
        return float(np.abs(_read(output, window) - _read(reference, window)).mean())

    places = [
        Window(int(row), int(col), min(probe, height), min(probe, width))
        for row in rows
        for col in cols
    ]
    worst = max(places, key=error)
    tall, wide = min(SIDE, height), min(SIDE, width)
    row = min(max(0, worst.row + worst.height // 2 - tall // 2), height - tall)
    col = min(max(0, worst.col + worst.width // 2 - wide // 2), width - wide)
    return Window(row, col, tall, wide)


def _place(window: Window) -> str:
    return (
        f"rows {window.row} to {window.bottom - 1}, "
        f"columns {window.col} to {window.right - 1}, pixel for pixel"
    )


def _bands(picture: Photo | RasterPicture) -> list[int]:
    """Red, green and blue: as the file says, else by the usual order of MS products."""
    if picture.colours:
        return list(picture.colours)
    opaque = [band for band in range(picture.count) if band != picture.alpha]
    if len(opaque) < 3:
        return opaque[:1] * 3
    return [opaque[4], opaque[2], opaque[1]] if len(opaque) == 8 else opaque[2::-1]


def _read(picture: Photo | RasterPicture, window: Window) -> Real:
    return np.nan_to_num(picture.read(window)[_bands(picture)].astype(np.float32))


def _enlarged(picture: Photo | RasterPicture, size: tuple[int, int], window: Window) -> Real:
    if _size(picture) == size:
        return _read(picture, window)
    resampler = Resampler(_size(picture), size, BICUBIC)
    return resampler.apply(_read(picture, resampler.need(window)), window)


def _limits(picture: Photo | RasterPicture, pixels: Real) -> tuple[Real, Real]:
    """The values (3, 1, 1) of each band that are shown as black and as white."""
    if picture.dtype == "uint8":
        most = 1.0 if float(pixels.max(initial=0)) <= 1 else 255.0
        return np.zeros((3, 1, 1), np.float32), np.full((3, 1, 1), most, np.float32)
    low, high = np.percentile(pixels, _CLIP, axis=(1, 2), keepdims=True).astype(np.float32)
    return low, np.maximum(high, low + 1e-6)


def _to_bytes(pixels: Real, limits: tuple[Real, Real]) -> Rgb:
    low, high = limits
    scaled = np.clip((pixels - low) / (high - low), 0, 1)
    shown: Rgb = np.rint(255 * scaled).astype(np.uint8)
    return shown


def _heat(share: Real) -> Rgb:
    """Shares (h, w) of the largest error in colours from black to pale yellow."""
    stops = np.linspace(0, 1, len(_HEAT))
    channels = [np.interp(np.clip(share, 0, 1), stops, _HEAT[:, band]) for band in range(3)]
    coloured: Rgb = np.rint(np.stack(channels)).astype(np.uint8)
    return coloured
