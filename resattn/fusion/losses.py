"""What a fused image is trained on when there is no true image: loss terms in torch.

Spectral terms compare the image, seen through the camera model, with the MS samples; the
structural term asks for the local correlation with PAN that the low-resolution pair shows to be
there, and no more. They are the differentiable twins of the scores in `resattn.metrics`.

Reference: Ciotola, Poggi and Scarpa, IEEE TGRS 61, 2023, Section III.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST = 1e-8
"""Share of a band's power below which a window is flat: its correlation then fades to zero."""


def relative_error(estimate: Tensor, reference: Tensor, known: Tensor, ratio: float) -> Tensor:
    """ERGAS over the samples (B, h, w) where `known` (h, w) is 1: a scalar, 0 is perfect."""
    count = known.sum().clamp_min(1)
    squared = ((estimate - reference).square() * known).sum((1, 2)) / count
    power = ((reference * known).sum((1, 2)) / count).square()
    spread = ((reference.square() * known).sum((1, 2)) / count - power).clamp_min(0)
    # A band that has no mean, as centred data, is measured against its spread instead.
    return 100 / ratio * (squared / (power + 1e-2 * spread + 1e-12)).mean().add(1e-12).sqrt()


def hypercomplex_quality(
    estimate: Tensor, reference: Tensor, known: Tensor, block: int = 32
) -> Tensor:
    """Q2n over the blocks of (B, h, w) that `known` (h, w) covers completely; 1 is perfect.

    Blocks are at most as large as the image; what a whole number of blocks leaves over at the
    lower and right border is not looked at. 1 where no block is known.
    """
    height, width = known.shape
    block = min(block, height, width)
    blocks = _blocks(known[None], block)[:, 0].amin(1) > 0
    if not bool(blocks.any()):
        return estimate.sum() * 0 + 1
    pair = _blocks(torch.cat([reference, estimate]), block)[blocks]
    first, second = pair.chunk(2, 1)
    mean = first.mean(2, keepdim=True)
    # A flat block would be scaled without bound: its noise is no spectrum.
    scale = first.std(2, keepdim=True) + 1e-4 * mean.abs() + 1e-12
    z, w = (first - mean) / scale + 1, (second - mean) / scale + 1
    mean_z, mean_w = z.mean(2), w.mean(2)
    z, w = z - mean_z[..., None], w - mean_w[..., None]
    count = z.shape[2] - 1
    products = _products(len(reference)).to(z)
    parts = torch.einsum("kij,nij->nk", products, z @ w.transpose(1, 2) / count)
    missing = products.shape[0] - len(reference)
    power_z = mean_z.square().sum(1) + missing
    power_w = mean_w.square().sum(1) + missing
    contrast = 2 * parts.square().sum(1).add(1e-12).sqrt()
    contrast = contrast / ((z.square().sum((1, 2)) + w.square().sum((1, 2))) / count + 1e-12)
    return (contrast * 2 * (power_z * power_w).sqrt() / (power_z + power_w)).mean()


def local_correlation(image: Tensor, other: Tensor, half: int) -> Tensor:
    """Correlation (B, H, W) of both images' local details in windows of 2·`half` pixels a side.

    Details are differences from the local mean in windows of the same size; outside the image
    there are zeros, as in `resattn.metrics.correlation`. Flat windows correlate with nothing.

    Args:
        image: (B, H, W).
        other: (B, H, W) or (1, H, W).
        half: Half the side of the window.
    """
    first, second = _details(image, half), _details(other, half)
    product = _window_mean(first * second, half)
    powers = [_window_mean(part.square(), half) for part in (first, second)]
    least = [_LEAST * part.square().mean((1, 2), keepdim=True) + 1e-20 for part in (first, second)]
    correlation: Tensor = product / ((powers[0] + least[0]) * (powers[1] + least[1])).sqrt()
    return correlation


def structural_loss(
    fused: Tensor, pan: Tensor, allowed: Tensor, known: Tensor, half: int
) -> Tensor:
    """Mean of v_b·u·[u > t], u = 1 − local correlation of (B, H, W) with PAN (1, H, W).

    v_b, the square of 1 − mean t of the band, is not in the paper: a thermal band that PAN does
    not resemble at low resolution must not be made to resemble it, wherever single windows agree
    by chance. Near 1 for bands inside PAN's spectrum.

    Args:
        fused: Fused bands.
        pan: PAN.
        allowed: t, (B, H, W): how unlike PAN each band is at low resolution, see `unlikeness`.
        known: Pixels that count, (H, W).
        half: Half the side of the window: half the ratio.
    """
    unlike = 1 - local_correlation(fused, pan, half)
    count = known.sum().clamp_min(1)
    likeness = 1 - (allowed * known).sum((1, 2), keepdim=True) / count
    excess = unlike * (unlike.detach() > allowed) * known * likeness.clamp(0, 1).square()
    return excess.sum() / (count * len(fused))


def unlikeness(enlarged: Tensor, pan_low: Tensor, half: int) -> Tensor:
    """The t of `structural_loss`, (B, H, W), of the enlarged bands and the low-pass PAN."""
    return (1 - local_correlation(enlarged, pan_low, half)).clamp(0, 2)


def _details(image: Tensor, half: int) -> Tensor:
    # Subtracting the mean first spares float32 the cancellation of 16-bit data.
    centred = image - image.mean((1, 2), keepdim=True)
    return centred - _window_mean(centred, half)


def _window_mean(image: Tensor, half: int) -> Tensor:
    """Mean of (B, H, W) over offsets 1−half … half, zeros outside."""
    size = 2 * half
    padded = F.pad(image, (half - 1, half, half - 1, half))
    return _window_sum(_window_sum(padded, size, 1), size, 2) / size**2


def _window_sum(image: Tensor, size: int, axis: int) -> Tensor:
    """Sums over `size` neighbours, from sums over 2, 4, 8, …: ten times faster than pooling."""
    count = image.shape[axis] - size + 1
    total: Tensor | None = None
    window, length, start = image, 1, 0
    while True:
        if size & length:
            part = window.narrow(axis, start, count)
            total = part if total is None else total + part
            start += length
        if start == size:
            return image if total is None else total
        kept = window.shape[axis] - length
        window = window.narrow(axis, 0, kept) + window.narrow(axis, length, kept)
        length *= 2


def _blocks(image: Tensor, size: int) -> Tensor:
    """(N, B, size²) blocks of (B, h, w)."""
    cut = image[:, : image.shape[1] // size * size, : image.shape[2] // size * size]
    tiles = cut.unfold(1, size, size).unfold(2, size, size)
    return tiles.permute(1, 2, 0, 3, 4).reshape(-1, len(image), size * size)


@cache
def _products(bands: int) -> Tensor:
    """(2^n, B, B): how products of parts of z and conj(w) add up to the parts of their product."""
    parts = 1 << (bands - 1).bit_length()
    signs = _signs(parts)
    signs[:, 1:] *= -1  # the second factor is conjugated
    table = np.zeros((parts, bands, bands), np.float32)
    first, second = np.indices((bands, bands))
    table[first ^ second, first, second] = signs[:bands, :bands]
    return torch.from_numpy(table)


def _signs(parts: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Sign of e_i e_j = ± e_(i xor j), by (a, b)(c, d) = (ac − d*b, da + bc*)."""
    if parts == 1:
        return np.ones((1, 1))
    half = _signs(parts // 2)
    conjugate = np.where(np.arange(parts // 2) == 0, 1.0, -1.0)
    return np.block([[half, half.T], [half * conjugate, -half.T * conjugate]])
