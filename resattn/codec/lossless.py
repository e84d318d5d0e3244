"""Samples to bytes and back without any loss: differences to neighbours, then deflate.

All arithmetic is modulo 2ⁿ on the samples' bits, so every type goes the same way, floating-point
numbers and their NaNs included.
"""

from __future__ import annotations

import zlib
from itertools import product

import numpy as np
from numpy.typing import NDArray

from resattn.codec.damage import DamageError

Pixels = NDArray[np.generic]
Bits = NDArray[np.unsignedinteger]

LEFT, UP, GREEN = 1, 2, 4
"""Bits of the method: subtract the sample to the left, the one above, the middle of 3 bands."""

_TRIAL = 128
_LEVEL = 6


def pack(pixels: Pixels) -> bytes:
    """The bytes of samples (B, h, w): one for the method, then a zlib stream."""
    bits = as_bits(pixels)
    part = bits[:, :_TRIAL, :_TRIAL]
    tried = {method: len(_deflated(part, method)) for method in _methods(len(bits))}
    method = min(tried, key=tried.__getitem__)
    return bytes([method]) + _deflated(bits, method)


def unpack(data: bytes, shape: tuple[int, int, int], dtype: str) -> Pixels:
    """The samples of `pack`.

    Args:
        data: What `pack` made.
        shape: Bands, rows and columns.
        dtype: NumPy name of the type.

    Raises:
        DamageError: If the bytes are not those of such samples.
    """
    kind = np.dtype(dtype)
    expected = int(np.prod(shape)) * kind.itemsize
    if not data or data[0] not in _methods(shape[0]):
        raise DamageError(f"no such method: {data[:1].hex() or 'none'}")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data[1:], expected + 1)
    except zlib.error as error:
        raise DamageError(str(error)) from error
    if len(raw) != expected or not inflater.eof or inflater.unused_data:
        raise DamageError(f"{len(raw)} bytes of samples where {expected} are due")
    planes = np.frombuffer(raw, np.uint8).reshape(shape[0], kind.itemsize, *shape[1:])
    little = np.ascontiguousarray(np.moveaxis(planes[:, ::-1], 1, -1))
    bits = little.view(f"<u{kind.itemsize}")[..., 0].astype(f"u{kind.itemsize}")
    return _restored(bits, data[0]).view(kind)


def samples_crc(pixels: Pixels) -> int:
    """CRC-32 of the samples, little-endian, band after band."""
    return zlib.crc32(as_bits(pixels).astype(f"<u{pixels.dtype.itemsize}").tobytes())


def _methods(bands: int) -> list[int]:
    colours = (0, GREEN) if bands == 3 else (0,)
    return [sum(bits) for bits in product((0, LEFT), (0, UP), colours)]


def as_bits(pixels: Pixels) -> Bits:
    """The samples as unsigned integers of their width, bit for bit."""
    bits: Bits = np.ascontiguousarray(pixels).view(f"u{pixels.dtype.itemsize}")
    return bits


def _deflated(bits: Bits, method: int) -> bytes:
    residual = bits.copy()
    if method & GREEN:
        residual[::2] -= bits[1]
    if method & LEFT:
        residual[:, :, 1:] -= residual[:, :, :-1].copy()
    if method & UP:
        residual[:, 1:] -= residual[:, :-1].copy()
    size = bits.dtype.itemsize
    little = residual.astype(f"<u{size}")[..., None].view(np.uint8)
    planes = np.moveaxis(little, -1, 1)[:, ::-1]  # most significant first: long runs of zeros
    return zlib.compress(planes.tobytes(), _LEVEL)


def _restored(residual: Bits, method: int) -> Bits:
    bits = residual
    if method & UP:
        bits = np.cumsum(bits, axis=1, dtype=bits.dtype)
    if method & LEFT:
        bits = np.cumsum(bits, axis=2, dtype=bits.dtype)
    if method & GREEN:
        bits = bits.copy()
        bits[::2] += bits[1]
    return bits
