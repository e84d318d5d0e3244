"""Reading and writing photographs; the one place where OpenCV is imported.

OpenCV crashes on file names that are not UTF-8 and accepts truncated JPEGs, so it is only ever
given bytes that were read and checked here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError, OutputError, UserError
from resattn.io import jpeg, png, webp
from resattn.io.atomic import write_bytes
from resattn.io.headers import Format, Header, HeaderError
from resattn.io.metadata import Metadata, orientation
from resattn.io.names import shown
from resattn.io.sniff import Limits, identify, local_path, open_regular

Pixels = NDArray[np.generic]
EncodedAs = Literal["png", "jpeg", "webp"]

SUFFIXES: dict[str, EncodedAs] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
"""File name endings that `write_image` knows."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image file said of itself; the sizes are those of the upright pixels.

    Attributes:
        orientation: The EXIF orientation that was undone, 1 if none.
        metadata: Colour profile, EXIF and XMP as stored in the file.
    """

    path: Path
    format: Format | Literal["dicom"]
    height: int
    width: int
    dtype: str
    orientation: int
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Image:
    """An upright image: `pixels` (B, H, W), B = 1 grey or 3 RGB; `alpha` (H, W) of that type."""

    pixels: Pixels
    alpha: Pixels | None
    info: ImageInfo


def read_image(path: str | Path, *, limits: Limits | None = None) -> Image:
    """A PNG, JPEG or WebP, upright, as grey or RGB in its own depth of 8 or 16 bits.

    Palettes become RGB, grey of 1, 2 or 4 bits becomes 8 bits, EXIF orientation is applied once.

    Args:
        path: A local file.
        limits: What the file may claim; `Limits()` by default.

    Raises:
        ItemError: E301 if the file is truncated or damaged, E304–E315 as `resattn.io.sniff`
            says, E310 also for CMYK, 12-bit and animated images and for rasters.
        UserError: E210 if OpenCV cannot be loaded.
    """
    source = local_path(path)
    header = identify(source, limits or Limits())
    _refuse_unread_kinds(source, header)
    with open_regular(source) as stream:
        data = stream.read()
    try:
        _check(header.format, data)
        decoded = _decode(data, header)
    except HeaderError as error:
        raise ItemError(
            f"{shown(source)} is truncated or damaged: {error}",
            "obtain the file again",
            code="E301",
        ) from error
    except NotImplementedError as error:
        raise _unread(source, str(error)) from error
    blocks = _metadata(header.format, data)
    turned = orientation(blocks.exif)
    upright = np.ascontiguousarray(_upright(decoded, turned))
    pixels, alpha = _planes(upright, _is_grey(header, data, upright))
    info = ImageInfo(
        path=source,
        format=header.format,
        height=upright.shape[0],
        width=upright.shape[1],
        dtype=str(upright.dtype),
        orientation=turned,
        metadata=blocks,
    )
    return Image(pixels, alpha, info)


def encode_image(
    pixels: Pixels,
    *,
    alpha: Pixels | None = None,
    format: EncodedAs = "png",
    quality: int | None = None,
    metadata: Metadata | None = None,
) -> bytes:
    """The bytes of an image file.

    Args:
        pixels: (B, H, W), B = 1 grey or 3 RGB, uint8, or uint16 for PNG.
        alpha: (H, W) of the same type; PNG and WebP only.
        format: How to encode.
        quality: 1–100 for JPEG (default 95, colour not subsampled) and for lossy WebP;
            None makes WebP lossless. PNG has none.
        metadata: Blocks to embed.

    Raises:
        ValueError: If the format cannot hold such pixels.
        UserError: E210 if OpenCV cannot be loaded.
    """
    bands = _stacked(pixels, alpha)
    if bands.dtype == np.uint16 and format != "png":
        raise ValueError(f"{format} holds 8 bits, not 16: choose png")
    if alpha is not None and format not in ("png", "webp"):
        raise ValueError(f"{format} holds no transparency: choose png or webp")
    cv2 = opencv()
    done, encoded = cv2.imencode(f".{format}", bands, _parameters(cv2, format, quality))
    if not done:
        raise ValueError(f"pixels of shape {pixels.shape} cannot be encoded as {format}")
    data: bytes = encoded.tobytes()
    if metadata is None:
        return data
    embed = {"png": png.with_metadata, "jpeg": jpeg.with_metadata, "webp": webp.with_metadata}
    return embed[format](data, metadata)


def write_image(
    target: Path,
    pixels: Pixels,
    *,
    alpha: Pixels | None = None,
    quality: int | None = None,
    metadata: Metadata | None = None,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
    """Write an image file, verified, in the format of the target's suffix.

    Args:
        target: The file to be made, ending in one of `SUFFIXES`.
        pixels: As in `encode_image`.
        alpha: As in `encode_image`.
        quality: As in `encode_image`.
        metadata: As in `encode_image`.
        inputs: Files being read, none of which may be the target.
        overwrite: Replace the target if it exists.

    Raises:
        OutputError: E406 if the suffix is unknown or its format cannot hold such pixels,
            E401–E404 as `resattn.io.atomic.write_bytes` says.
    """
    format = SUFFIXES.get(target.suffix.lower())
    if format is None:
        raise OutputError(
            f"{shown(target)} does not end in one of {', '.join(SUFFIXES)}",
            "choose such a name",
            code="E406",
        )
    try:
        data = encode_image(pixels, alpha=alpha, format=format, quality=quality, metadata=metadata)
    except ValueError as error:
        raise OutputError(f"cannot write {shown(target)}: {error}", code="E406") from error
    write_bytes(target, data, inputs=inputs, overwrite=overwrite)


def opencv() -> ModuleType:
    """The module, told to keep quiet; for `resattn.io` alone.

    Raises:
        UserError: E202 if OpenCV cannot be loaded.
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            f"OpenCV cannot be loaded: {error}",
            "install the system libraries it wants (Debian: libgl1 libglib2.0-0 libxcb1), or "
            "replace the package opencv-python by opencv-python-headless",
            code="E210",
        ) from error
    cv2.utils.logging.setLogLevel(0)  # what it has to say about a file is said by our errors
    module: ModuleType = cv2
    return module


def _refuse_unread_kinds(path: Path, header: Header) -> None:
    if header.format in ("tiff", "jp2"):
        raise _unread(path, "a raster here, not a photograph")
    if header.format == "jpeg" and header.bands not in (1, 3):
        raise _unread(path, f"a JPEG of {header.bands} colours (CMYK)")


def _unread(path: Path, kind: str) -> ItemError:
    return ItemError(
        f"{shown(path)} is {kind}, which is not read", "convert it to an RGB PNG", code="E310"
    )


def _check(format: Format, data: bytes) -> None:
    if format == "png":
        png.check(data)
    elif format == "jpeg":
        jpeg.check(data)
    elif format == "webp":
        webp.check(data)
        if webp.is_animated(data):
            raise NotImplementedError("an animation")


def _metadata(format: Format, data: bytes) -> Metadata:
    reader = {"png": png.metadata, "jpeg": jpeg.metadata, "webp": webp.metadata}.get(format)
    return Metadata() if reader is None else reader(data)


def _decode(data: bytes, header: Header) -> Pixels:
    """Pixels (H, W, C), not turned, in the order blue, green, red, alpha."""
    cv2 = opencv()
    strip = {"png": png.pixels_only, "jpeg": jpeg.pixels_only}.get(header.format, bytes)
    try:
        found = cv2.imdecode(np.frombuffer(strip(data), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise HeaderError(str(error.err)) from error
    if found is None:
        raise HeaderError("the decoder gave up")
    decoded: Pixels = found if found.ndim == 3 else found[..., None]
    if decoded.shape[:2] != (header.height, header.width):
        raise HeaderError(f"it holds {decoded.shape[:2]} pixels where the header promised others")
    if decoded.dtype not in (np.uint8, np.uint16):
        raise NotImplementedError(f"of type {decoded.dtype}")
    return decoded


# EXIF orientation n is undone by: transpose first?, then flip rows?, flip columns?
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def _upright(pixels: Pixels, turned: int) -> Pixels:
    transpose, flip_rows, flip_columns = _TURNS[turned]
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _is_grey(header: Header, data: bytes, decoded: Pixels) -> bool:
    if decoded.shape[-1] == 1:
        return True
    # OpenCV spreads grey with transparency over four bands.
    return header.format == "png" and png.colour_type(data) in (png.GREY, png.GREY_ALPHA)


def _planes(decoded: Pixels, grey: bool) -> tuple[Pixels, Pixels | None]:
    alpha = decoded[..., -1].copy() if decoded.shape[-1] in (2, 4) else None
    colour = decoded[..., :1] if grey else decoded[..., 2::-1]
    return np.ascontiguousarray(colour.transpose(2, 0, 1)), alpha


def _stacked(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Pixels (H, W, C) as OpenCV encodes them."""
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise ValueError(f"pixels of shape {pixels.shape}, not (1, H, W) or (3, H, W)")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"pixels of type {pixels.dtype}, not uint8 or uint16")
    if alpha is None:
        return np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
    if alpha.shape != pixels.shape[1:] or alpha.dtype != pixels.dtype:
        raise ValueError(f"alpha {alpha.shape} {alpha.dtype} for pixels {pixels.shape}")
    colour = pixels[::-1] if pixels.shape[0] == 3 else np.repeat(pixels, 3, axis=0)
    return np.ascontiguousarray(np.concatenate([colour, alpha[None]]).transpose(1, 2, 0))


def _parameters(cv2: Any, format: EncodedAs, quality: int | None) -> list[int]:
    if format == "jpeg":
        full_colour = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        return [
            cv2.IMWRITE_JPEG_QUALITY,
            95 if quality is None else quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            full_colour,
        ]
    if format == "webp":
        return [cv2.IMWRITE_WEBP_QUALITY, 101 if quality is None else quality]  # 101: lossless
    return [cv2.IMWRITE_PNG_COMPRESSION, 6]
