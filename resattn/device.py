"""Where the arithmetic runs and at what precision: one place for every model.

Nothing here is set at import; callers pass the device and the precision they were asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
from contextlib import AbstractContextManager
from typing import Final, Literal, get_args

import torch

from resattn.errors import UserError

Precision = Literal["fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_TRIM, _MAPPED = -1, -3
"""glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""

_KEPT: Final = 256 * 2**20
_LARGEST: Final = 32 * 2**20
"""The most that glibc takes for the second."""


def pick(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` is the first GPU, else the CPU.

    Raises:
        UserError: If the name is unknown or no such device is present.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}", "use auto, cpu, cuda or cuda:N") from error
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    present = counts.get(device.type, 0)
    if (device.index or 0) >= present:
        raise UserError(
            f"device {name!r} is not present ({present} of type {device.type!r})",
            "use --device cpu or --device auto",
        )
    return device


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """A context in which models compute at `precision`; parameters stay float32.

    Raises:
        ValueError: If the precision is unknown.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {get_args(Precision)}, got {precision!r}")
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, _DTYPES[precision])


def reuse_memory() -> bool:
    """Has the C library keep freed memory for the next tensor; whether it can be told so.

    glibc otherwise returns what large tensors leave to the system, operation after operation, and
    the kernel clears it again page by page: a twelfth of a decoder's CPU time, a sixth on quiet
    caches. Up to 256 MiB stay with the process. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MAPPED, _LARGEST) and mallopt(_TRIM, _KEPT))
