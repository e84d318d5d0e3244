"""A probability of "wound" for every pixel of a photograph, whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.device import Precision, autocast
from resattn.wound.photo import Rgb

Probability = NDArray[np.float32]

Window = tuple[slice, slice]
"""Rows and columns of a part of a photograph."""

_SUSPECT = 0.3
_WINDOW = 448  # pixels along a side of the closer look: the view that training shows
_SHARE = 0.4  # of that view which a small suspect fills, where the photograph has the detail
_CLOSER = 1.3  # least magnification of the closer look over the first
_LARGEST_ZOOM = 1.25  # magnification over the photograph itself that training views reach
_MOST_WINDOWS = 4
_QUARTERS = (0, 1)  # turns of the second look: what is seen either way is more likely there


@dataclass(frozen=True)
class Effort:
    """How much is done for one photograph.

    Attributes:
        side: Longer side the whole photograph is seen at.
        second: Longer side of a second, smaller look whose probabilities are averaged in; none
            if 0. What fills the view of the first look has its surroundings in the second,
            which sees the photograph upright and turned by a quarter.
        turns: Average over the eight turns and reflections.
        refine: Look a second time, closer, at what the first pass suspects.
    """

    side: int = 512
    second: int = 0
    turns: bool = False
    refine: bool = True


FULL = Effort(second=400)
"""The second side was chosen on a training fold: .883 Dice with it, .876 without."""

FAST = Effort(side=320, refine=False)


class Segmenter:
    """A network on its device, ready for any number of photographs.

    Args:
        model: Logits (B, 1, H, W) of RGB (B, 3, H, W) in 0..1, any size.
        effort: How much is done.
        device: Where it runs.
        precision: Arithmetic of the network.
    """

    def __init__(
        self,
        model: nn.Module,
        effort: Effort,
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        self.model = model.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.effort = effort
        self.device = device
        self.precision = precision

    @torch.inference_mode()
    def probability(self, photo: Rgb) -> Probability:
        """Probability (H, W) of each pixel of a photograph (3, H, W), 0 to 1."""
        image = torch.from_numpy(photo).to(self.device).float()[None] / 255
        longest = max(photo.shape[1:])
        scale = min(self.effort.side / longest, _LARGEST_ZOOM)
        whole = self._seen(image, scale)
        if self.effort.second:
            smaller = min(self.effort.second / longest, _LARGEST_ZOOM)
            whole = (whole + self._seen(image, smaller, _QUARTERS)) / 2
        if self.effort.refine:
            for window, closer in _windows(whole[0, 0].float().cpu().numpy(), scale):
                self._refine(image, whole, window, closer)
        result: Probability = whole[0, 0].float().cpu().numpy()
        return result

    def _seen(self, image: Tensor, scale: float, quarters: Sequence[int] = (0,)) -> Tensor:
        """Probability (1, 1, H, W) with the network looking at the image enlarged by `scale`.

        The mean over looks turned by so many quarters, or over all eight turns if that is wished.
        """
        size = [max(1, round(n * scale)) for n in image.shape[2:]]
        resized = F.interpolate(image, size=size, mode="bilinear", antialias=scale < 1)
        views = [_turned(quarter, mirrored=False) for quarter in quarters]
        views = list(_turns()) if self.effort.turns else views
        total = torch.zeros(())
        with autocast(self.device, self.precision):
            for turn, back in views:
                logits = self.model(turn(resized).contiguous(memory_format=torch.channels_last))
                total = total.to(self.device) + back(torch.sigmoid(logits.float()))
        mean = total / len(views)
        return F.interpolate(mean, size=image.shape[2:], mode="bilinear", antialias=scale > 1)

    def _refine(self, image: Tensor, whole: Tensor, window: Window, closer: float) -> None:
        """Averages a closer look at the window into the probabilities of the whole, in place."""
        part = image[..., window[0], window[1]]
        weight = 0.5 * _fading(part.shape[2], part.shape[3]).to(self.device)
        place = whole[..., window[0], window[1]]
        place += weight * (self._seen(part, closer) - place)


def _windows(probability: Probability, scale: float) -> Iterator[tuple[Window, float]]:
    """Windows around the largest small suspects, and the magnification to see each at.

    A region that fills its share of the view already, or that an earlier window shows well, needs
    none of its own.
    """
    least = _CLOSER * scale
    if least > 1:  # the photograph has no more detail than was seen
        return
    height, width = probability.shape
    shown = np.zeros((height, width), dtype=np.bool_)
    small = [box for box in _suspects(probability) if _extent(box) * least <= _SHARE * _WINDOW]
    for rows, columns in small[:_MOST_WINDOWS]:
        if shown[rows, columns].all():
            continue
        closer = min(_SHARE * _WINDOW / _extent((rows, columns)), 1.0)
        length = round(_WINDOW / closer)
        window = _around(rows, length, height), _around(columns, length, width)
        rim = length // 4
        shown[tuple(slice(side.start + rim, side.stop - rim) for side in window)] = True
        yield window, closer


def _suspects(probability: Probability) -> list[Window]:
    """Boxes of the suspect regions, the largest first; near regions are one."""
    near = max(3, max(probability.shape) // 64)
    labels, _ = ndimage.label(ndimage.maximum_filter(probability, near) >= _SUSPECT)
    boxes: list[Window] = ndimage.find_objects(labels)
    return sorted(boxes, key=lambda b: -(b[0].stop - b[0].start) * (b[1].stop - b[1].start))


def _extent(box: Window) -> int:
    rows, columns = box
    return max(int(rows.stop - rows.start), int(columns.stop - columns.start))


def _around(place: slice, length: int, limit: int) -> slice:
    """`length` pixels around the middle of a place, moved to lie within 0 to `limit`."""
    start = max(min((place.start + place.stop - length) // 2, limit - length), 0)
    return slice(start, min(start + length, limit))


def _fading(height: int, width: int) -> Tensor:
    """Weights (height, width): 1 inside, down to 0 over the outer eighth, so no seam shows."""
    ramps = [
        torch.minimum(d + 0.5, n - 0.5 - d).div(max(n / 8, 1)).clamp(max=1)
        for n, d in ((height, torch.arange(height)), (width, torch.arange(width)))
    ]
    return ramps[0][:, None] * ramps[1]


Turn = Callable[[Tensor], Tensor]


def _turns() -> Iterator[tuple[Turn, Turn]]:
    """The eight symmetries of the square, each with its inverse."""
    for quarter in range(4):
        yield _turned(quarter, mirrored=False)
        yield _turned(quarter, mirrored=True)


def _turned(quarter: int, *, mirrored: bool) -> tuple[Turn, Turn]:
    def there(x: Tensor) -> Tensor:
        return torch.rot90(x.flip(3) if mirrored else x, quarter, (2, 3))

    def back(x: Tensor) -> Tensor:
        x = torch.rot90(x, -quarter, (2, 3))
        return x.flip(3) if mirrored else x

    return there, back
