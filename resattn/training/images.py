"""Whole image sets as one uint8 tensor, and random crops cut from it on the device.

Decoding once and cropping on the device keeps the loader out of the way of a GPU: a batch is a
few index operations on memory that is already there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from resattn.errors import UserError


@dataclass(frozen=True)
class Draw:
    """Per sample: the image, the corner in cells, and one of the 8 orientations."""

    image: list[int]
    row: list[int]
    col: list[int]
    turn: list[int]


def check_patch(patch: int, images: Tensor, cell: int = 1) -> None:
    """Accepts a patch of `patch`² cells of `cell`² pixels that fits into `images` (N, C, H, W).

    Raises:
        UserError: It does not.
    """
    largest = min(images.shape[-2:]) // cell
    if not 1 <= patch <= largest:
        raise UserError(
            f"a patch of {patch} does not fit: the images hold 1 to {largest}",
            "choose another --set patch or a larger --side",
        )


def draw(
    count: int, images: int, cells: tuple[int, int], patch: int, generator: torch.Generator
) -> Draw:
    """A uniform choice of `count` patches of `patch`² cells among `images` grids of `cells`.

    Raises:
        ValueError: If the patch is larger than the images.
    """
    if patch > min(cells):
        raise ValueError(f"a patch of {patch} does not fit into images of {cells}")

    def pick(limit: int) -> list[int]:
        return torch.randint(limit, (count,), generator=generator).tolist()

    return Draw(pick(images), pick(cells[0] - patch + 1), pick(cells[1] - patch + 1), pick(8))


def crops(images: Tensor, choice: Draw, patch: int, cell: int = 1) -> Tensor:
    """The chosen patches (B, C, cell·patch, cell·patch) of `images` (N, C, H, W), same dtype.

    With `cell` the same draw cuts the matching patch out of images `cell` times larger.
    """
    side = patch * cell
    return torch.stack(
        [
            _turned(images[i, :, r * cell : r * cell + side, c * cell : c * cell + side], turn)
            for i, r, c, turn in zip(choice.image, choice.row, choice.col, choice.turn, strict=True)
        ]
    )


def _turned(patch: Tensor, turn: int) -> Tensor:
    """One of the eight symmetries of the square."""
    if turn & 1:
        patch = patch.flip(-1)
    if turn & 2:
        patch = patch.flip(-2)
    return patch.transpose(-1, -2) if turn & 4 else patch


def step_generator(seed: int, step: int) -> torch.Generator:
    """Random numbers of one step, independent of all that ran before.

    A run resumed at step n draws what an uninterrupted run would have drawn.
    """
    return torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + step) % 2**63)
