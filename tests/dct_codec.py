"""A stand-in for the learned codec: a block cosine transform with the same face.

It has no weights to train, yet its quality rises with the level and its rate with the content, so
the codec around a network can be tested on numbers that mean something.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from resattn.models.compress import Latents

BLOCK = 16
SHA256 = "5eed" * 16


class DctCodec(nn.Module):
    """Each 16 × 16 block and channel by itself; z says how busy 64 × 64 pixels are."""

    skip = 3

    def __init__(self) -> None:
        super().__init__()
        k = torch.arange(BLOCK, dtype=torch.float64)
        basis = torch.cos(math.pi / BLOCK * (k + 0.5) * k[:, None]) * math.sqrt(2 / BLOCK)
        basis[0] /= math.sqrt(2)
        self.register_buffer("basis", basis.float())
        rank = (k[:, None] + k).long().flatten()
        self.register_buffer("rank", rank.repeat(3)[:, None, None])
        self.register_buffer("z_counts", _tables([2.0, 4.0, 8.0], 127))
        self.register_buffer("q_counts", _tables([0.12 * 1.12**i for i in range(64)], 2047))

    def analyse(self, image: Tensor, level: int) -> Latents:
        folded = image.unfold(2, BLOCK, BLOCK).unfold(3, BLOCK, BLOCK) - 0.5
        cosine = self.basis @ folded @ self.basis.T  # (B, 3, h, w, 16, 16)
        y = cosine.permute(0, 1, 4, 5, 2, 3).flatten(1, 3)
        q = (y / _step(level)).round().clamp(-1023, 1023)
        busy = nn.functional.max_pool2d(q.abs().unflatten(1, (3, -1)).amax(2), 4)
        z = (4 * torch.log2(1 + busy)).round().int()
        q = torch.where(self.scale_index(z, level) < self.skip, 0, q).int()
        return Latents(z, q)

    def scale_index(self, z: Tensor, level: int) -> Tensor:
        fine = z.long().repeat_interleave(4, 2).repeat_interleave(4, 3)
        wide = fine.repeat_interleave(BLOCK**2, 1)
        return (wide + 14 - self.rank + level // 32).clamp(0, 63)

    def synthesise(self, latents: Latents, level: int) -> Tensor:
        height, width = latents.q.shape[2:]
        y = latents.q.float() * _step(level)
        cosine = y.unflatten(1, (3, BLOCK, BLOCK)).permute(0, 1, 4, 5, 2, 3)
        folded = self.basis.T @ cosine @ self.basis + 0.5
        image = folded.permute(0, 1, 2, 4, 3, 5).reshape(len(y), 3, height * BLOCK, width * BLOCK)
        return image.clamp(0, 1)


def _step(level: int) -> float:
    return 0.5 * 2 ** (-level / 11)


def _tables(scales: list[float], size: int) -> Tensor:
    value = (torch.arange(size) - size // 2).abs().double()
    weight = torch.exp(-value / torch.tensor(scales, dtype=torch.float64)[:, None])
    total = 2**24 - size
    counts = (weight / weight.sum(1, keepdim=True) * total).floor().long()
    counts[:, size // 2] += total - counts.sum(1)
    return counts
