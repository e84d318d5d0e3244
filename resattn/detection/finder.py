"""A detector looking at pictures of any size: scaled as in training, by windows, in flat memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.detection.found import Found
from resattn.detection.mosaic import Mosaic
from resattn.detection.picture import Picture
from resattn.detection.seams import Seams
from resattn.device import Precision, autocast
from resattn.errors import UserError
from resattn.models.detector import Detections
from resattn.tiling import Window

TILE: Final = 512
FLOOR: Final = 0.05
"""Least score that is ever kept: average precision asks for the unlikely ones too."""

_BATCH: Final = {"cpu": 1}
TOGETHER: Final = 8
"""Windows that an accelerator looks at at once."""

Placed = tuple[tuple[int, int], Window]


class Detecting(Protocol):
    """What a network has to do: `resattn.models.detector.Detector` does."""

    def detect(
        self, images: Tensor, *, score: float = ..., iou: float = ..., limit: int = ...
    ) -> list[Detections]:
        """Objects in RGB images (B, 3, H, W) in 0..1, in their pixels, best first."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How pictures are looked at.

    Attributes:
        tile: Side of a window as the network sees it.
        overlap: Pixels that windows share, as the network sees them; no object larger than that
            is sure to be seen whole.
        side: Longer side that photographs are scaled down to; 0 keeps their pixels.
        zoom: How many times rasters are enlarged.
        score: Least score.
        iou: Overlap that two objects of one class may have.
        limit: Most objects of one window.

    Raises:
        UserError: E208 if a value makes no sense.
    """

    tile: int = TILE
    overlap: int = TILE // 4
    side: int = 0
    zoom: int = 1
    score: float = FLOOR
    iou: float = 0.6
    limit: int = 300

    def __post_init__(self) -> None:
        if self.zoom < 1 or self.tile < 32 * self.zoom or not 0 <= self.overlap <= self.tile // 2:
            raise UserError(
                f"--tile {self.tile}, --overlap {self.overlap}, --zoom {self.zoom}",
                "give a tile of at least 32 pixels of the picture, an overlap of at most half of "
                "it, a zoom of 1 or more",
                code="E208",
            )

    def scale(self, picture: Picture) -> float:
        """Pixels the network sees for one of the picture."""
        if picture.streamed:
            return float(self.zoom)
        return min(1.0, self.side / max(picture.size)) if self.side else 1.0

    def mosaic(self, picture: Picture) -> Mosaic:
        """The windows of a picture."""
        scale = self.scale(picture)
        side = max(1, round(self.tile / scale))
        return Mosaic(*picture.size, side, min(round(self.overlap / scale), side // 2))


def _nobody(_: int) -> None:
    """Listens and does nothing."""


class Finder:
    """A network on its device, ready for any number of pictures.

    Args:
        model: Finds boxes in images.
        sight: How pictures are looked at.
        device: Where it runs.
        precision: Arithmetic of the network.
    """

    def __init__(
        self,
        model: Detecting,
        sight: Sight,
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        if isinstance(model, nn.Module):
            model.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.model = model
        self.sight = sight
        self.device = device
        self.precision = precision
        self._batch = _BATCH.get(device.type, TOGETHER)

    def find(self, picture: Picture, seen: Callable[[int], object] = _nobody) -> Found:
        """Every object of a picture once, best first.

        Args:
            picture: Open.
            seen: Told how many windows were looked at since it was told last.
        """
        windows = range(len(self.sight.mosaic(picture)))
        return self.merged(picture, self.views(picture, windows, seen))

    def views(
        self, picture: Picture, windows: range, seen: Callable[[int], object] = _nobody
    ) -> Iterator[Found]:
        """What each of some windows shows by itself, see `merged`.

        Args:
            picture: Open.
            windows: Their numbers in the mosaic. From a multiple of `TOGETHER` on, the network is
                given the batches that it is given when it looks at all of them.
            seen: As `find`.
        """
        scale = self.sight.scale(picture)
        chosen = itertools.islice(self.sight.mosaic(picture), windows.start, windows.stop)
        for batch in _batches(chosen, self._batch):
            full = [placed for placed in batch if not picture.empty(placed[1])]
            found = iter(self._look(picture, [window for _, window in full], scale))
            for placed in batch:
                yield next(found) if placed in full else Found.none()
            seen(len(batch))

    def merged(self, picture: Picture, views: Iterable[Found]) -> Found:
        """Every object once, best first, from what each window of the mosaic shows, in order."""
        seams = Seams(*picture.size, self.sight.iou)
        for (place, window), found in zip(self.sight.mosaic(picture), views, strict=True):
            seams.add(place, window, found)
        return seams.result()

    @torch.inference_mode()
    def _look(self, picture: Picture, windows: Sequence[Window], scale: float) -> list[Found]:
        if not windows:
            return []
        pixels = np.stack([picture.read(window) for window in windows])
        images = torch.from_numpy(pixels).to(self.device).float() / 255
        if scale != 1:
            size = [max(1, round(length * scale)) for length in images.shape[2:]]
            images = F.interpolate(images, size=size, mode="bilinear", antialias=scale < 1)
        with autocast(self.device, self.precision):
            found = self.model.detect(
                images, score=self.sight.score, iou=self.sight.iou, limit=self.sight.limit
            )
        seen = images.shape[3], images.shape[2]
        return [_placed(one, w, seen) for one, w in zip(found, windows, strict=True)]


def _placed(found: Detections, window: Window, seen: tuple[int, int]) -> Found:
    """Boxes of an image of `seen` columns and rows, in pixels of the picture."""
    step = np.array([window.width / seen[0], window.height / seen[1]] * 2)
    corner = np.array([window.col, window.row] * 2)
    boxes = found.boxes.double().cpu().numpy() * step + corner
    scores, labels = found.scores.double().cpu().numpy(), found.labels.cpu().numpy()
    inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return Found(boxes, scores, labels).only(inside)


def _batches(windows: Iterable[Placed], size: int) -> Iterator[list[Placed]]:
    batch: list[Placed] = []
    for placed in windows:
        batch.append(placed)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
