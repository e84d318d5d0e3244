"""Scores of one estimate against one reference, each metric through its function in the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from resattn.metrics import overlap, surface
from resattn.metrics.ergas import running_ergas
from resattn.metrics.error import running_psnr, running_rmse
from resattn.metrics.ms_ssim import ms_ssim
from resattn.metrics.pair import Array, Mask
from resattn.metrics.q2n import q2n, running_q2n
from resattn.metrics.running import Running, score_windows
from resattn.metrics.sam import running_sam
from resattn.metrics.scc import scc
from resattn.metrics.scene import Reader
from resattn.metrics.ssim import ssim
from resattn.metrics.uqi import q
from resattn.pipelines.super_resolve_quality import luma_scores
from resattn.tiling import Window

WHOLE_VALUES: Final = 2**26
"""Most values of an image that may be held at once, for the metrics that do not stream."""

_BLOCK, _SIDE = 32, 1024


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns pixels into scores.

    Attributes:
        peak: The value that counts as white.
        ratio: MS pixel size over PAN pixel size.
        border: Pixels at each edge that luma scores leave out.
    """

    peak: float
    ratio: float
    border: int


_Whole = Callable[[Array, Array, Mask, Scale], float]

_STREAMED: Final[Mapping[str, Callable[[Scale], Running[Any]]]] = MappingProxyType(
    {
        "ergas": lambda scale: running_ergas(scale.ratio),
        "sam": lambda _: running_sam(),
        "q2n": lambda _: running_q2n(_BLOCK),
        "psnr": lambda scale: running_psnr(scale.peak),
        "rmse": lambda _: running_rmse(),
    }
)


def _multi_scale(estimate: Array, truth: Array, valid: Mask, peak: float) -> float:
    """MS-SSIM; NaN with holes, which the coarse scales would see everywhere."""
    return ms_ssim(estimate, truth, peak=peak) if valid.all() else float("nan")


_WHOLE: Final[Mapping[str, _Whole]] = MappingProxyType(
    {
        "ssim": lambda a, b, valid, scale: ssim(a, b, peak=scale.peak, valid=valid),
        "ms_ssim": lambda a, b, valid, scale: _multi_scale(a, b, valid, scale.peak),
        "q": lambda a, b, valid, _: q(a, b, valid=valid),
        "scc": lambda a, b, valid, _: scc(a, b, valid=valid),
        "q2n_padded": lambda a, b, valid, _: q2n(a, b, valid=valid, padding="power-of-two"),
    }
)
_LUMA: Final = ("psnr_y", "ssim_y")
_MASKS: Final[Mapping[str, Callable[..., float]]] = MappingProxyType(
    {
        "dice": overlap.dice,
        "iou": overlap.iou,
        "precision": overlap.precision,
        "recall": overlap.recall,
        "specificity": overlap.specificity,
        "hd95": surface.hd95,
        "nsd": surface.nsd,
        "area_error": overlap.area_error,
    }
)


def too_large(names: Sequence[str], bands: int, size: tuple[int, int]) -> list[str]:
    """The metrics of `names` that need all of an image, where it is too large for that."""
    values = bands * size[0] * size[1]
    return [name for name in names if name in _WHOLE] if values > WHOLE_VALUES else []


def image_scores(
    names: Sequence[str], estimate: Reader, truth: Reader, size: tuple[int, int], scale: Scale
) -> dict[str, float]:
    """Scores by name, in the order of `names`.

    Args:
        names: Image metrics; those that cannot be measured, such as SSIM of luma with holes, are
            left out of the result.
        estimate: Reads the image to judge.
        truth: Reads the reference.
        size: Rows and columns of both.
        scale: Peak, ratio and border.
    """
    found: dict[str, float] = {}
    running = {name: _STREAMED[name](scale) for name in names if name in _STREAMED}
    for window in score_windows(*size, _SIDE, _BLOCK) if running else ():
        (ours, seen), (theirs, known) = estimate(window), truth(window)
        for total in running.values():
            total.update(ours, theirs, seen & known)
    found |= {name: total.compute() for name, total in running.items()}
    whole = [name for name in names if name in _WHOLE]
    if whole:
        everything = Window(0, 0, *size)
        (ours, seen), (theirs, known) = estimate(everything), truth(everything)
        found |= {name: _WHOLE[name](ours, theirs, seen & known, scale) for name in whole}
    if set(_LUMA) & set(names):
        found |= _luma(estimate, truth, size, scale)
    return {name: found[name] for name in names if name in found}


def _luma(estimate: Reader, truth: Reader, size: tuple[int, int], scale: Scale) -> dict[str, float]:
    def holes(window: Window) -> Mask | None:
        valid = estimate(window)[1] & truth(window)[1]
        return None if valid.all() else valid

    def unit(reader: Reader) -> Callable[[Window], Any]:
        return lambda window: reader(window)[0] / scale.peak

    return luma_scores(unit(estimate), unit(truth), holes, size, scale.border)


def mask_scores(names: Sequence[str], estimate: Mask, truth: Mask, valid: Mask) -> dict[str, float]:
    """Scores of a mask (H, W) by name, in the order of `names`."""
    return {name: _MASKS[name](estimate, truth, valid=valid) for name in names}


def marked(values: Array, valid: Mask) -> Mask:
    """Where any band (B, H, W) is not zero."""
    inside: Mask = (values != 0).any(axis=0) & valid
    return np.asarray(inside, np.bool_)
