"""A folder of photographs and a folder of masks, as the trainer takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from resattn.errors import UserError
from resattn.io.image import SUFFIXES, read_image
from resattn.training.dataset import ImageSet
from resattn.training.wound import scenes
from resattn.wound.photo import read_rgb

MASK_FOLDERS = ("masks", "labels")


def read_photos(folder: Path, side: int = 512) -> ImageSet:
    """Photographs and masks as (N, 4, side, side), scaled to fit a black square.

    Args:
        folder: Holds ``images`` and ``masks`` (or ``labels``), paired by stem: PNG, JPEG or WebP,
            any mask value but zero inside wounds. EXIF orientation is applied.
        side: Pixels of the square; smaller photographs are not enlarged.

    Raises:
        UserError: E202 if a folder is missing, E203 if there are no photographs, E206 if one has
            no mask or a mask another shape.
        ItemError: A file cannot be read.
    """
    found = _by_stem(folder / "images")
    masks = next((folder / n for n in MASK_FOLDERS if (folder / n).is_dir()), folder / "masks")
    labels = _by_stem(masks)
    if not found:
        raise UserError(f"{folder}/images holds no photographs", "name another folder", code="E203")
    unpaired = [stem for stem in found if stem not in labels]
    if unpaired:
        raise UserError(
            f"{len(unpaired)} photographs have no mask in {masks}, the first is {unpaired[0]}",
            "name masks like their photographs",
            code="E206",
        )
    photos = torch.stack([_pair(found[stem], labels[stem], side) for stem in found])
    return ImageSet(photos, scenes(photos[:, :3]))


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", "check the path", code="E202")
    files = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES)
    return {path.stem: path for path in files if not path.name.startswith(".")}


def _pair(photo: Path, mask: Path, side: int) -> Tensor:
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
    bands = _fitted(image.float(), side).round(), (_fitted(area.float(), side) >= 0.5).float()
    return torch.cat(bands).to(torch.uint8)


def _fitted(image: Tensor, side: int) -> Tensor:
    """`image` (C, H, W) with its longer side at most `side`, at the top left of a black square."""
    scale = side / max(image.shape[1:])
    if scale < 1:
        size = [max(1, round(n * scale)) for n in image.shape[1:]]
        image = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)[0]
    return F.pad(image, (0, side - image.shape[2], 0, side - image.shape[1]))
