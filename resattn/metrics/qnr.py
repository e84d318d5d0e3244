"""The QNR family: quality without a reference, at full resolution.

`d_lambda_k` and `d_s` make `hqnr`; `d_lambda` is the spectral half of the older QNR. All work on
the PAN grid with 32-pixel blocks, as release 1.0 of the Pansharpening Toolbox does. None of them
notices bands that are shifted against PAN: `r_ergas`, `r_q2n` and `d_rho` come first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.observe import low_pass
from resattn.metrics.pair import Array, Mask, image, pair
from resattn.metrics.q2n import q2n
from resattn.metrics.uqi import band_quality


def d_lambda_k(
    fused: ArrayLike,
    enlarged: ArrayLike,
    *,
    gains: tuple[float, ...],
    ratio: float,
    valid: ArrayLike | None = None,
) -> float:
    """Khan's spectral distortion: 1 − Q2n of the low-passed fused image and the enlarged MS.

    0 is perfect.

    Args:
        fused: Fused image, (B, H, W).
        enlarged: MS interpolated to the PAN grid, (B, H, W).
        gains: MTF gain at Nyquist of each band.
        ratio: MS pixel size over PAN pixel size.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or values are not finite.

    Reference: Khan, Alparone and Chanussot, IEEE TGRS 47(11), 2009.
    """
    data = pair(fused, enlarged, valid)
    if len(gains) != len(data.estimate):
        raise ValueError(f"{len(data.estimate)} fused bands for {len(gains)} MTF gains")
    filtered, trusted = low_pass(data.estimate, gains, ratio, data.valid)
    return 1 - q2n(filtered, data.reference, valid=trusted)


def d_s(
    fused: ArrayLike,
    pan: ArrayLike,
    enlarged: ArrayLike,
    pan_low: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    exponent: float = 1,
) -> float:
    """Spatial distortion: change of each band's quality index with PAN between resolutions.

    `(mean_b |Q(fused_b, pan) − Q(enlarged_b, pan_low)|^q)^(1/q)`; 0 is perfect. Alone it rewards
    copying PAN.

    Args:
        fused: Fused image, (B, H, W).
        pan: PAN image, (H, W) or (1, H, W).
        enlarged: MS interpolated to the PAN grid, (B, H, W).
        pan_low: PAN at MS resolution, interpolated back in the same way, (H, W) or (1, H, W).
        valid: Pixels that count, (H, W).
        exponent: q.

    Raises:
        ValueError: If shapes differ, values are not finite or `exponent` is not positive.

    Reference: Alparone et al., PE&RS 74(2), 2008, eq. 6; Vivone et al., IEEE GRSM 9(1), 2021.
    """
    data = pair(fused, enlarged, valid)
    sharp, soft = image(pan, data.valid, "pan"), image(pan_low, data.valid, "pan_low")
    if not sharp.shape == soft.shape == (1, *data.valid.shape):
        raise ValueError(f"pan has shape {sharp.shape}, pan_low {soft.shape}")
    high = band_quality(data.estimate, sharp, data.valid, _BLOCK)
    low = band_quality(data.reference, soft, data.valid, _BLOCK)
    return _norm(np.abs(high - low).ravel(), exponent)


def d_lambda(
    fused: ArrayLike,
    enlarged: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    exponent: float = 1,
) -> float:
    """Spectral distortion of QNR: change of the quality index between pairs of bands.

    `(mean over band pairs of |Q(fused_i, fused_j) − Q(enlarged_i, enlarged_j)|^p)^(1/p)`; 0 is
    perfect, also for the enlarged MS itself and for a single band.

    Args:
        fused: Fused image, (B, H, W).
        enlarged: MS interpolated to the PAN grid, (B, H, W).
        valid: Pixels that count, (H, W).
        exponent: p.

    Raises:
        ValueError: If shapes differ, values are not finite or `exponent` is not positive.

    Reference: Alparone et al., PE&RS 74(2), 2008, eq. 4; Vivone et al., IEEE GRSM 9(1), 2021.
    """
    data = pair(fused, enlarged, valid)
    change = _between(data.estimate, data.valid) - _between(data.reference, data.valid)
    return _norm(np.abs(change), exponent)


def hqnr(d_lambda_k: float, d_s: float) -> float:
    """Hybrid QNR, (1 − D_lambda,K)(1 − D_S); 1 is perfect.

    Example:
        >>> hqnr(0.1, 0.5)
        0.45

    Reference: Aiazzi et al., IGARSS 2014.
    """
    return (1 - d_lambda_k) * (1 - d_s)


_BLOCK = 32


def _between(bands: Array, valid: Mask) -> Array:
    """Q of every pair of different bands."""
    quality = band_quality(bands, bands, valid, _BLOCK)
    return np.asarray(quality[np.triu_indices(len(bands), k=1)])


def _norm(differences: Array, exponent: float) -> float:
    if exponent <= 0:
        raise ValueError(f"exponent must be positive, got {exponent}")
    if not differences.size:
        return 0.0
    return float(np.mean(differences**exponent) ** (1 / exponent))
