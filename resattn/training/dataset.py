"""A set of equally sized images in memory, split into folds by where they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from resattn.errors import UserError


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
        if not 0 <= fold < folds:
            raise UserError(f"there is no fold {fold} of {folds}", "count folds from 0")
        order = sorted(set(self.sources), key=lambda name: hashlib.sha256(name.encode()).digest())
        held = set(order[fold * len(order) // folds : (fold + 1) * len(order) // folds])
        inside = torch.tensor([source in held for source in self.sources])
        if not bool(inside.any()) or bool(inside.all()):
            raise UserError(
                f"{len(order)} photographs do not fill {folds} folds",
                "give more images or less folds",
            )
        return self._only(~inside), self._only(inside)

    def _only(self, chosen: Tensor) -> ImageSet:
        sources = (s for s, keep in zip(self.sources, chosen.tolist(), strict=True) if keep)
        return ImageSet(self.images[chosen], tuple(sources))
