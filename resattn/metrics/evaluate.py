"""All scores of one pansharpened image at once, by the names that reports use."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from resattn.metrics.consistency import observe, r_ergas, r_q2n, r_sam
from resattn.metrics.correlation import d_rho
from resattn.metrics.enlarge import enlarge, shrink
from resattn.metrics.ergas import ergas
from resattn.metrics.error import psnr, rmse
from resattn.metrics.observe import Observer
from resattn.metrics.pair import image
from resattn.metrics.q2n import q2n
from resattn.metrics.qnr import d_lambda, d_lambda_k, d_s, hqnr
from resattn.metrics.sam import sam
from resattn.metrics.scc import scc
from resattn.metrics.ssim import ssim
from resattn.metrics.uqi import q


def evaluate_reduced(
    fused: ArrayLike,
    reference: ArrayLike,
    *,
    ratio: float,
    peak: float,
    valid: ArrayLike | None = None,
) -> dict[str, float]:
    """Scores against a true image of the same size, by name (see `METRICS`).

    Args:
        fused: Fused image, (B, H, W).
        reference: True image, same shape.
        ratio: MS pixel size over PAN pixel size of the fusion.
        peak: Greatest value the data can have, for PSNR and SSIM.
        valid: Pixels that count, (H, W).

    Raises:
        ValueError: If shapes differ or values are not finite.
    """
    return {
        "ergas": ergas(fused, reference, ratio=ratio, valid=valid),
        "sam": sam(fused, reference, valid=valid),
        "q2n": q2n(fused, reference, valid=valid),
        "q2n_padded": q2n(fused, reference, valid=valid, padding="power-of-two"),
        "q": q(fused, reference, valid=valid),
        "scc": scc(fused, reference, valid=valid),
        "psnr": psnr(fused, reference, peak=peak, valid=valid),
        "ssim": ssim(fused, reference, peak=peak, valid=valid),
        "rmse": rmse(fused, reference, valid=valid),
    }


def evaluate_full(
    fused: ArrayLike,
    pan: ArrayLike,
    ms: ArrayLike,
    observer: Observer,
    *,
    valid: ArrayLike | None = None,
    ms_valid: ArrayLike | None = None,
) -> dict[str, float]:
    """Scores without a true image, from the inputs of the fusion, by name (see `METRICS`).

    Args:
        fused: Fused image on the PAN grid, (B, H, W).
        pan: PAN image, (H, W) or (1, H, W).
        ms: MS image, (B, h, w).
        observer: Grids, MTF gains and measured band shifts.
        valid: Pixels of the PAN grid that count, (H, W).
        ms_valid: MS samples that count, (h, w).

    Raises:
        ValueError: If sizes do not fit or values are not finite.
    """
    ratio = observer.grid.ratio
    coarse = image(ms, ms_valid, "ms")
    sharp = image(pan, valid, "pan")
    mask = np.ones(sharp.shape[1:], np.bool_) if valid is None else np.asarray(valid, np.bool_)
    seen = np.ones(coarse.shape[1:], np.bool_) if ms_valid is None else np.asarray(ms_valid, bool)
    observed, trusted = observe(fused, observer, valid=valid, ms_valid=ms_valid)
    enlarged = enlarge(coarse, observer, seen)
    pan_low, pan_seen = shrink(sharp, observer, mask)
    pan_enlarged = enlarge(pan_low, observer, pan_seen)
    spectral = d_lambda_k(fused, enlarged, gains=observer.gains, ratio=ratio, valid=valid)
    spatial = d_s(fused, pan, enlarged, pan_enlarged, valid=valid)
    return {
        "r_ergas": r_ergas(observed, coarse, ratio=ratio, valid=trusted),
        "r_sam": r_sam(observed, coarse, valid=trusted),
        "r_q2n": r_q2n(observed, coarse, valid=trusted),
        "d_rho": d_rho(fused, pan, ratio=ratio, valid=valid),
        "d_lambda_k": spectral,
        "d_s": spatial,
        "hqnr": hqnr(spectral, spatial),
        "d_lambda": d_lambda(fused, enlarged, valid=valid),
    }
