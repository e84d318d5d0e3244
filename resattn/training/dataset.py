"""A set of equally sized images in memory, split into folds by where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from resattn.errors import OutputError, UserError

_IMAGES, _SOURCES = "images", "sources"


@dataclass(frozen=True)
class ImageSet:
    """Images and their sources.

    Attributes:
        images: (N, C, H, W) uint8.
        sources: For each image, the photograph it was cut from: images of one photograph never
            lie on both sides of a split.
    """

    images: Tensor
    sources: tuple[str, ...]

    def split(self, folds: int, fold: int) -> tuple[ImageSet, ImageSet]:
        """The images to train on and those of fold `fold`, about one of `folds` of the sources.

        Sources are ordered by a hash of their names, so that adding images to a set moves few.

        Raises:
            UserError: There is no such fold, or a side would be empty.
        """
        inside = held_out(self.sources, folds, fold)
        return self._only(~inside), self._only(inside)

    def save(self, path: Path) -> None:
        """Writes the set to one file, for a machine that cannot decode photographs.

        Raises:
            OutputError: The file cannot be written.
        """
        tensors = {_IMAGES: self.images.contiguous()}
        try:
            safetensors.torch.save_file(tensors, path, {_SOURCES: json.dumps(self.sources)})
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"cannot write the images to {path}: {error}",
                "choose another --keep-data",
                code="E401",
            ) from error

    @classmethod
    def load(cls, path: Path) -> ImageSet:
        """The set that `save` wrote; the pixels are read when they are used.

        Raises:
            UserError: The file is no such set.
        """
        try:
            with safe_open(path, framework="pt") as file:
                images = file.get_tensor(_IMAGES)
                sources = tuple(json.loads(file.metadata()[_SOURCES]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is not a set of images: {error}", "make one with --keep-data"
            ) from error
        if images.ndim != 4 or images.dtype != torch.uint8 or len(sources) != len(images):
            raise UserError(
                f"{path} holds {len(sources)} names for {images.dtype} of {tuple(images.shape)}",
                "make it again with --keep-data",
            )
        return cls(images, sources)

    def _only(self, chosen: Tensor) -> ImageSet:
        sources = (s for s, keep in zip(self.sources, chosen.tolist(), strict=True) if keep)
        return ImageSet(self.images[chosen], tuple(sources))


def held_out(sources: Sequence[str], folds: int, fold: int) -> Tensor:
    """Which images (N,) of these sources lie in fold `fold`; see `ImageSet.split`.

    Raises:
        UserError: There is no such fold, or all or no images lie in it.
    """
    if not 0 <= fold < folds:
        raise UserError(f"there is no fold {fold} of {folds}", "count folds from 0")
    order = sorted(set(sources), key=lambda name: hashlib.sha256(name.encode()).digest())
    held = set(order[fold * len(order) // folds : (fold + 1) * len(order) // folds])
    inside = torch.tensor([source in held for source in sources])
    if not bool(inside.any()) or bool(inside.all()):
        raise UserError(
            f"{len(order)} photographs do not fill {folds} folds",
            "give more images or less folds",
        )
    return inside


def digest(images: Tensor) -> str:
    """SHA-256 of the values, for the record of a run."""
    return hashlib.sha256(images.contiguous().cpu().numpy().data).hexdigest()
