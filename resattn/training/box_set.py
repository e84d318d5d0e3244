"""Equal squares in memory with the boxes in each, split into folds by where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from resattn.errors import OutputError, UserError
from resattn.training.dataset import held_out


@dataclass(frozen=True)
class BoxSet:
    """Squares and what is marked in them.

    Attributes:
        images: (N, 3, side, side) uint8; what a picture does not fill is black.
        boxes: For each image (n, 4) float32: left, top, right, bottom in its pixels.
        labels: For each image (n,) int64: indices into `classes`.
        classes: Names.
        sources: For each image the picture it was made of: images of one picture never lie on
            both sides of a split.
    """

    images: Tensor
    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]
    classes: tuple[str, ...]
    sources: tuple[str, ...]

    def split(self, folds: int, fold: int) -> tuple[BoxSet, BoxSet]:
        """The images to train on and those of fold `fold`; see `ImageSet.split`.

        Raises:
            UserError: There is no such fold, or a side would be empty.
        """
        inside = held_out(self.sources, folds, fold)
        return self._only(~inside), self._only(inside)

    def apart(self, sources: Sequence[str]) -> tuple[BoxSet, BoxSet]:
        """The images of all other sources, and those of `sources`."""
        inside = torch.tensor([source in set(sources) for source in self.sources])
        return self._only(~inside), self._only(inside)

    def save(self, path: Path) -> None:
        """Writes the set to one file, for a machine that cannot decode pictures.

        Raises:
            OutputError: The file cannot be written.
        """
        tensors = {
            "images": self.images.contiguous(),
            "boxes": torch.cat([*self.boxes, torch.zeros(0, 4)]),
            "labels": torch.cat([*self.labels, torch.zeros(0, dtype=torch.int64)]),
            "counts": torch.tensor([len(labels) for labels in self.labels]),
        }
        words = {"classes": json.dumps(self.classes), "sources": json.dumps(self.sources)}
        try:
            safetensors.torch.save_file(tensors, path, words)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"cannot write the images to {path}: {error}",
                "choose another --keep-data",
                code="E401",
            ) from error

    @classmethod
    def load(cls, path: Path) -> BoxSet:
        """The set that `save` wrote.

        Raises:
            UserError: The file is no such set.
        """
        try:
            with safe_open(path, framework="pt") as file:
                counts = file.get_tensor("counts").tolist()
                boxes = file.get_tensor("boxes").split(counts)
                labels = file.get_tensor("labels").split(counts)
                words = file.metadata()
                classes, sources = (tuple(json.loads(words[k])) for k in ("classes", "sources"))
                images = file.get_tensor("images")
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{path} is not a set of images with boxes: {error}", "make one with --keep-data"
            ) from error
        if images.dtype != torch.uint8 or not len(images) == len(counts) == len(sources):
            raise UserError(
                f"{path} holds {len(sources)} names for {images.dtype} of {tuple(images.shape)}",
                "make it again with --keep-data",
            )
        return cls(images, tuple(boxes), tuple(labels), classes, sources)

    def _only(self, chosen: Tensor) -> BoxSet:
        kept = chosen.nonzero()[:, 0].tolist()
        return BoxSet(
            self.images[chosen],
            tuple(self.boxes[i] for i in kept),
            tuple(self.labels[i] for i in kept),
            self.classes,
            tuple(self.sources[i] for i in kept),
        )
