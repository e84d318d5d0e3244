"""The eight ways to turn a square, for images, windows and sizes alike."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from resattn.tiling import Window

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Turn:
    """Rows and columns exchanged, then rows or columns reversed."""

    transpose: bool = False
    flip_rows: bool = False
    flip_cols: bool = False

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the turned image."""
        return (width, height) if self.transpose else (height, width)

    def apply(self, image: Image) -> Image:
        """The turned image (..., H, W), contiguous."""
        turned = image.swapaxes(-1, -2) if self.transpose else image
        return np.ascontiguousarray(self._flipped(turned))

    def undo(self, turned: Image) -> Image:
        """The image of which `turned` is the turn, contiguous."""
        image = self._flipped(turned)
        return np.ascontiguousarray(image.swapaxes(-1, -2) if self.transpose else image)

    def window(self, window: Window, height: int, width: int) -> Window:
        """Where the pixels of `window` of an image of that size lie in the turned image."""
        if self.transpose:
            window = Window(window.col, window.row, window.width, window.height)
        return self._flipped_window(window, *self.size(height, width))

    def undo_window(self, turned: Window, height: int, width: int) -> Window:
        """The window of an image of that size whose turn is `turned`."""
        window = self._flipped_window(turned, *self.size(height, width))
        if self.transpose:
            return Window(window.col, window.row, window.width, window.height)
        return window

    def _flipped(self, image: Image) -> Image:
        return image[..., :: -1 if self.flip_rows else 1, :: -1 if self.flip_cols else 1]

    def _flipped_window(self, window: Window, height: int, width: int) -> Window:
        return Window(
            height - window.bottom if self.flip_rows else window.row,
            width - window.right if self.flip_cols else window.col,
            window.height,
            window.width,
        )


UPRIGHT = (Turn(),)
"""The image as it is."""

ALL_EIGHT = tuple(Turn(*flags) for flags in product((False, True), repeat=3))
"""Every turn once."""
