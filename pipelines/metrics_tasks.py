"""What outputs are measured by: a line per task."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from resattn.errors import UserError

Kind = Literal["image", "mask", "boxes"]


@dataclass(frozen=True, slots=True)
class Task:
    """How the outputs of one task are measured unless the user says otherwise.

    Attributes:
        kind: What is read: images with values, masks, or boxes in COCO's JSON.
        metrics: Names in `METRICS`.
        baselines: What is measured beside it; those of images are made from ``--source``.
    """

    kind: Kind
    metrics: tuple[str, ...]
    baselines: tuple[str, ...]


_INTERPOLATION: Final = ("bicubic", "lanczos")

_BOXES: Final = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
    *("box_precision", "box_recall", "box_f1"),
)

TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {
        "pansharpen": Task(
            "image", ("ergas", "q2n", "sam", "scc", "q", "psnr", "ssim", "rmse"), _INTERPOLATION
        ),
        "super-resolve": Task("image", ("psnr_y", "ssim_y"), _INTERPOLATION),
        "segment-wound": Task(
            "mask",
            ("dice", "iou", "precision", "recall", "specificity", "hd95", "nsd", "area_error"),
            ("empty",),
        ),
        "compress": Task("image", ("psnr", "ms_ssim"), ()),
        "detect": Task("boxes", _BOXES, ()),
    }
)

KINDS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        "image": (
            *("psnr", "ssim", "ms_ssim", "rmse", "psnr_y", "ssim_y"),
            *("ergas", "sam", "q2n", "q2n_padded", "q", "scc"),
        ),
        "mask": TASKS["segment-wound"].metrics,
        "boxes": _BOXES,
    }
)
"""Every metric that two files of a kind can be measured by."""

_BASELINES: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {"image": _INTERPOLATION, "mask": ("empty",), "boxes": ()}
)


def choose(task: str, names: str) -> Task:
    """The task of that name, with the metrics of `names` (by comma) in place of its own.

    Without a task the metrics decide what is read.

    Raises:
        UserError: E208 if neither says enough, or a metric is unknown or of another kind.
    """
    if task and task not in TASKS:
        raise UserError(f"--task {task!r}", f"choose {', '.join(TASKS)}", code="E208")
    wanted = tuple(dict.fromkeys(filter(None, names.replace(" ", "").split(","))))
    if not wanted:
        if not task:
            raise UserError(
                "nothing says what to measure",
                f"give --task {'|'.join(TASKS)}, or --metric psnr,ssim",
                code="E208",
            )
        return TASKS[task]
    kinds = {_kind(name): name for name in wanted}
    if task:
        kinds = {TASKS[task].kind: task} | kinds
    if len(kinds) > 1:
        raise UserError(
            f"{' and '.join(kinds.values())} are measures of different things",
            "measure images, masks and boxes in runs of their own",
            code="E208",
        )
    (kind,) = kinds
    return Task(kind, wanted, TASKS[task].baselines if task else _BASELINES[kind])


def _kind(name: str) -> Kind:
    for kind, names in KINDS.items():
        if name in names:
            return kind
    known = [name for names in KINDS.values() for name in names]
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {', '.join(close)}?" if close else f"choose among {', '.join(known)}"
    raise UserError(f"--metric {name!r} is not known", hint, code="E208")
