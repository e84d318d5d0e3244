"""A folder of photographs and a folder of masks, as the trainer takes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from resattn.errors import UserError
from resattn.io.image import read_image
from resattn.training.wound import Photos
from resattn.wound.photo import read_rgb


def read_photos(
    images: Path, masks: Path, *, names: Iterable[str] | None = None, side: int = 512
) -> Photos:
    """Photographs with their masks, paired by stem, scaled to fit a black square.

    Args:
        images: Folder of photographs, PNG, JPEG or WebP; EXIF orientation is applied.
        masks: Folder of masks, any value but zero inside wounds.
        names: File names, with any suffix, to take; all by default. A list of names is how a
            split is kept.
        side: Pixels of the square; smaller photographs are not enlarged.

    Raises:
        UserError: E206 if a photograph has no mask or a mask another shape, E203 if there are no
            photographs, E202 if a listed one is absent.
        ItemError: A file cannot be read.
    """
    found = _by_stem(images)
    labels = _by_stem(masks)
    stems = sorted(found) if names is None else [Path(name).stem for name in names]
    absent = [stem for stem in stems if stem not in found]
    if absent:
        raise UserError(f"{images} has no photograph {absent[0]}", "mend the list", code="E202")
    if not stems:
        raise UserError(f"{images} holds no photographs", "name another folder", code="E203")
    unpaired = [stem for stem in stems if stem not in labels]
    if unpaired:
        raise UserError(
            f"{len(unpaired)} photographs have no mask in {masks}, the first is {unpaired[0]}",
            "name masks like their photographs",
            code="E206",
        )
    pairs = [_pair(found[stem], labels[stem], side) for stem in stems]
    return Photos(*(torch.stack(part) for part in zip(*pairs, strict=True)))


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "check the path", code="E202")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.name[0] != "."}


def _pair(photo: Path, mask: Path, side: int) -> tuple[Tensor, Tensor]:
    pixels, _ = read_rgb(photo)
    label = read_image(mask).pixels.max(0, keepdims=True) > 0
    if pixels.shape[1:] != label.shape[1:]:
        raise UserError(
            f"{photo.name} has {pixels.shape[2]}×{pixels.shape[1]} pixels, its mask "
            f"{label.shape[2]}×{label.shape[1]}",
            "give masks of the size of the upright photographs",
            code="E206",
        )
    image = torch.from_numpy(pixels)
    area = torch.from_numpy(label.astype(np.uint8))
    return _fitted(image.float(), side).round().to(torch.uint8), (
        _fitted(area.float(), side) >= 0.5
    ).to(torch.uint8)


def _fitted(image: Tensor, side: int) -> Tensor:
    """`image` (C, H, W) with its longer side at most `side`, at the top left of a black square."""
    scale = side / max(image.shape[1:])
    if scale < 1:
        size = [max(1, round(n * scale)) for n in image.shape[1:]]
        image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return F.pad(image, (0, side - image.shape[2], 0, side - image.shape[1]))
