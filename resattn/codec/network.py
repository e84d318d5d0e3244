"""A network with its range coder: one tile of three channels to bytes and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resattn import device as devices
from resattn.codec.damage import DamageError
from resattn.codec.entropy import Coder, integers_crc
from resattn.codec.header import KEY_BYTES
from resattn.models.compress import CompressNet, Latents

Unit = NDArray[np.float32]
LEVELS = 64
"""Quality levels of every network, fixed by the format."""

STRIDE = 64
"""Tiles are padded to multiples of it; z has one value for so many pixels."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A coded tile.

    Attributes:
        payload: Its bytes.
        content: CRC-32 of its integers.
        latents: The integers, for those who want to see the tile at once.
    """

    payload: bytes
    content: int
    latents: Latents


class Network:
    """Codes tiles with one set of weights.

    Tiles of any size are padded by repeating their last row and column, and cut back.

    Args:
        model: In evaluation mode.
        name: What the weights are called.
        sha256: Of their file, hexadecimal.
        device: Where to compute.
        precision: Arithmetic of everything but the integers.
    """

    def __init__(
        self,
        model: CompressNet,
        name: str,
        sha256: str,
        device: torch.device | None = None,
        precision: devices.Precision = "fp32",
    ) -> None:
        self.name = name
        self.key = bytes.fromhex(sha256)[:KEY_BYTES]
        self._device = device or torch.device("cpu")
        self._precision = precision
        self._model = model.to(self._device)
        self._channels = len(model.z_counts)
        self._coder = Coder(_array(model.z_counts), _array(model.q_counts), int(model.skip))

    def encode(self, channels: Unit, level: int) -> Stream:
        """The stream of three channels (3, h, w) of 0..1 at a quality level."""
        image = torch.from_numpy(self._padded(channels)[None]).to(self._device)
        with torch.inference_mode(), devices.autocast(self._device, self._precision):
            latents = self._model.analyse(image, level)
            index = _array(self._model.scale_index(latents.z, level))[0]
        z, q = (_array(part)[0].astype(np.int16) for part in (latents.z, latents.q))
        return Stream(self._coder.encode(z, q, index), integers_crc(z, q), latents)

    def decode(self, payload: bytes, content: int, shape: tuple[int, int], level: int) -> Unit:
        """The three channels (3, h, w) of a stream.

        Raises:
            DamageError: As `latents`.
        """
        return self.picture(self.latents(payload, content, shape, level), shape, level)

    def latents(self, payload: bytes, content: int, shape: tuple[int, int], level: int) -> Latents:
        """The integers of a stream, which prove that it is whole and that this is its network.

        Raises:
            DamageError: If the stream is none of this network, or its integers have another CRC.
        """
        if level >= LEVELS:
            raise DamageError(f"quality level {level}, there are {LEVELS}")
        rows, cols = (-(-length // STRIDE) for length in shape)

        def scale_index(z: NDArray[np.int16]) -> NDArray[np.int64]:
            with torch.inference_mode():
                index: NDArray[np.int64] = _array(self._model.scale_index(self._tensor(z), level))[
                    0
                ]
            return index

        z, q = self._coder.decode(payload, (self._channels, rows, cols), scale_index)
        if integers_crc(z, q) != content:
            raise DamageError("it decodes to other integers than were coded")
        return Latents(self._tensor(z), self._tensor(q))

    def picture(self, latents: Latents, shape: tuple[int, int], level: int) -> Unit:
        """The channels (3, h, w) that `latents` stand for."""
        with torch.inference_mode(), devices.autocast(self._device, self._precision):
            image = self._model.synthesise(latents, level)
        height, width = shape
        channels: Unit = _array(image.float())[0, :, :height, :width]
        return channels

    def _padded(self, channels: Unit) -> Unit:
        rows, cols = (-length % STRIDE for length in channels.shape[1:])
        return np.pad(channels, ((0, 0), (0, rows), (0, cols)), mode="edge")

    def _tensor(self, integers: NDArray[np.int16]) -> Tensor:
        return torch.from_numpy(integers[None]).to(self._device)


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()
