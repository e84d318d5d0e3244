"""A tile with all its bands to units and back: by the network, exactly, or as one value."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from resattn.codec.container import Layout
from resattn.codec.damage import DamageError
from resattn.codec.header import CONSTANT, LOSSLESS, NETWORK, Head
from resattn.codec.lossless import as_bits, pack, samples_crc, unpack
from resattn.codec.network import LEVELS, Network
from resattn.codec.samples import Scale, from_channels, to_channels

Pixels = NDArray[np.generic]
Present = NDArray[np.bool_]

_SMALL_BYTES = 4096
_FLAT = 0.5
"""Exact coding is tried where more than this share of neighbours are equal, as in drawings."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A coded unit: its kind, quality level, bytes and the CRC-32 of what they stand for."""

    kind: int
    level: int
    payload: bytes
    content: int

    @property
    def entry(self) -> tuple[int, int, int, int, int]:
        """Its line in the index."""
        crc = zlib.crc32(self.payload)
        return len(self.payload), crc, self.content, self.kind, self.level


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a tile.

    Attributes:
        level: Quality level of the network.
        psnr: Least PSNR of each unit in decibel, which then chooses the level; 0 for none.
        lossless: Keep every bit.
    """

    level: int = 0
    psnr: float = 0.0
    lossless: bool = False


class Encoder:
    """Codes the tiles of one image.

    Args:
        head: The image.
        scale: Of all its bands.
        network: None where everything is to be exact.
    """

    def __init__(self, head: Head, scale: Scale, network: Network | None) -> None:
        self._head, self._scale, self._network = head, scale, network

    def encode(self, pixels: Pixels, present: Present | None, wish: Wish) -> list[Unit]:
        """The units of a tile.

        Args:
            pixels: All bands (B, h, w).
            present: Which of them are real; only for images with a mask.
            wish: Quality.
        """
        units = []
        for role, bands in self._head.roles:
            chosen = list(bands)
            if role == "mask":
                units.append(self._mask(pixels, present))
            elif role == "alpha":
                units.append(_exact(pixels[chosen]))
            else:
                real = None if present is None else present[chosen]
                source = _Source(pixels[chosen], real, self._scale.bands(bands))
                units.append(self._colour(source, wish))
        return units

    def _mask(self, pixels: Pixels, present: Present | None) -> Unit:
        if present is None:
            present = np.ones(pixels.shape, np.bool_)
        colours = np.delete(present, [] if self._head.alpha is None else self._head.alpha, axis=0)
        alike = bool((colours == colours[:1]).all())
        return _exact((colours[:1] if alike else colours).astype(np.uint8), level=int(not alike))

    def _colour(self, source: _Source, wish: Wish) -> Unit:
        pixels = source.pixels
        if self._network is None or wish.lossless or _is_constant(pixels):
            return _exact(pixels)
        if wish.psnr:
            unit = _at_psnr(source, self._network, wish.psnr)
        else:
            unit = _at_level(source.channels(), self._network, wish.level)
        if unit is None:
            return _exact(pixels)
        if len(unit.payload) * 4 > pixels.nbytes or pixels.nbytes <= _SMALL_BYTES or _flat(pixels):
            exact = _exact(pixels)
            return exact if len(exact.payload) <= len(unit.payload) else unit
        return unit


class Decoder:
    """Decodes the tiles of one file.

    Args:
        layout: The file's.
        stream: The file, open for reading.
        scale: Of all bands.
        network: The one it was made with; None is enough for exact files.
    """

    def __init__(
        self, layout: Layout, stream: BinaryIO, scale: Scale, network: Network | None
    ) -> None:
        self._layout, self._stream, self._scale, self._network = layout, stream, scale, network

    def decode(self, tile: int) -> tuple[Pixels, Present | None]:
        """All bands (B, h, w) of a tile, and which of them are real if the image has a mask.

        Raises:
            DamageError: If a unit is damaged or of another network.
        """
        head = self._layout.head
        window = head.place(tile)
        pixels = np.empty((head.bands, window.height, window.width), head.dtype)
        present: Present | None = None
        for unit, (role, bands) in zip(self._layout.units(tile), head.roles, strict=True):
            shape = (len(bands), window.height, window.width)
            if role == "mask":
                present = self._mask(unit, pixels.shape)
            elif self._layout.index["kind"][unit] == NETWORK:
                real = None if present is None else present[list(bands)]
                pixels[list(bands)] = self._coded(unit, shape, self._scale.bands(bands), real)
            else:
                pixels[list(bands)] = self._exact(unit, shape, head.dtype)
        return pixels, present

    def check(self, tile: int) -> None:
        """Raises DamageError unless every unit of a tile holds the very content it should.

        Needs no synthesis: a network's unit is known by its integers.
        """
        head = self._layout.head
        window = head.place(tile)
        for unit, (role, bands) in zip(self._layout.units(tile), head.roles, strict=True):
            if role == "mask":
                self._mask(unit, (head.bands, window.height, window.width))
            elif self._layout.index["kind"][unit] != NETWORK:
                self._exact(unit, (len(bands), window.height, window.width), head.dtype)
            elif self._network is None:
                self._layout.payload(self._stream, unit)
            else:
                entry = self._layout.index[unit]
                payload = self._layout.payload(self._stream, unit)
                shape = (window.height, window.width)
                self._network.latents(payload, int(entry["content"]), shape, int(entry["level"]))

    def _coded(
        self, unit: int, shape: tuple[int, int, int], scale: Scale, present: Present | None
    ) -> Pixels:
        if self._network is None:
            raise DamageError("it needs a network, and its header names none")
        entry = self._layout.index[unit]
        payload = self._layout.payload(self._stream, unit)
        level = int(entry["level"])
        channels = self._network.decode(payload, int(entry["content"]), shape[1:], level)
        bands = from_channels(channels, shape[0])
        return scale.from_unit(bands, present, self._layout.head.dtype)

    def _mask(self, unit: int, shape: tuple[int, ...]) -> Present:
        head = self._layout.head
        colours = head.bands - (head.alpha is not None)
        planes = colours if self._layout.index["level"][unit] else 1
        stored = self._exact(unit, (planes, shape[1], shape[2]), "uint8")
        present = np.ones(shape, np.bool_)
        present[[band for band in range(head.bands) if band != head.alpha]] = stored != 0
        return present

    def _exact(self, unit: int, shape: tuple[int, int, int], dtype: str) -> Pixels:
        entry = self._layout.index[unit]
        payload = self._layout.payload(self._stream, unit)
        if entry["kind"] == CONSTANT:
            if len(payload) != shape[0] * np.dtype(dtype).itemsize:
                raise DamageError(f"{len(payload)} bytes for one sample of each band")
            little = np.frombuffer(payload, np.dtype(dtype).newbyteorder("<"))
            return np.broadcast_to(little.astype(dtype)[:, None, None], shape)
        if entry["kind"] != LOSSLESS:
            raise DamageError(f"a unit of kind {entry['kind']} where samples are due")
        pixels = unpack(payload, shape, dtype)
        if samples_crc(pixels) != entry["content"]:
            raise DamageError("it decodes to other samples than were coded")
        return pixels


@dataclass(frozen=True, slots=True)
class _Source:
    """One to three bands as they are to be coded."""

    pixels: Pixels
    present: Present | None
    scale: Scale

    def channels(self) -> NDArray[np.float32]:
        """What the network is given."""
        return to_channels(self.scale.to_unit(self.pixels, self.present))

    def psnr(self, channels: NDArray[np.float32]) -> float:
        """Of what the network gave back, once it is samples again."""
        bands = from_channels(channels, len(self.pixels))
        decoded = self.scale.from_unit(bands, self.present, str(self.pixels.dtype))
        return decibel(self.scale.error(self.pixels, decoded, self.present))


def _at_level(channels: NDArray[np.float32], network: Network, level: int) -> Unit:
    stream = network.encode(channels, level)
    return Unit(NETWORK, level, stream.payload, stream.content)


def _at_psnr(source: _Source, network: Network, psnr: float) -> Unit | None:
    """The unit of the lowest level that reaches `psnr`, or None if none does."""
    channels, shape = source.channels(), source.pixels.shape[1:]
    best, low, high = None, 0, LEVELS - 1
    while low <= high:
        level = (low + high) // 2
        stream = network.encode(channels, level)
        if source.psnr(network.picture(stream.latents, shape, level)) >= psnr:
            best, high = Unit(NETWORK, level, stream.payload, stream.content), level - 1
        else:
            low = level + 1
    return best


def decibel(error: float) -> float:
    """PSNR of a mean squared error relative to the squared peak."""
    return math.inf if error == 0 else -10 * math.log10(error)


def _exact(pixels: Pixels, level: int = 0) -> Unit:
    if _is_constant(pixels):
        little = pixels[:, 0, 0].astype(pixels.dtype.newbyteorder("<"))
        payload = little.tobytes()
        return Unit(CONSTANT, level, payload, zlib.crc32(payload))
    return Unit(LOSSLESS, level, pack(pixels), samples_crc(pixels))


def _is_constant(pixels: Pixels) -> bool:
    bits = as_bits(pixels)  # 0 and −0 are two values, and a NaN equals itself
    return bool((bits == bits[:, :1, :1]).all())


def _flat(pixels: Pixels) -> bool:
    return float((pixels[:, :, 1:] == pixels[:, :, :-1]).mean()) > _FLAT
