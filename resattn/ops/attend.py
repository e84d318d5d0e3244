"""Softmax attention: one formula, three ways to run it.

    y_i = sum_j softmax_j(scale * q_i . k_j + bias_ij) v_j

`impl` names the execution and never the mathematics: "reference" is the formula as written,
"sdpa" torch's fused kernel, "tiled" the formula in blocks of bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Impl = Literal["auto", "reference", "sdpa", "tiled"]
_BYTES = 8  # per query-key pair of a block: the logit and its exponential, float32


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
    impl: Impl = "auto",
    max_bytes: int | None = None,
) -> Tensor:
    """Values weighted by how well their keys match each query: (B, h, N, e).

    Args:
        q: Queries (B, h, N, d).
        k: Keys (B, h, M, d).
        v: Values (B, h, M, e).
        bias: Added to the logits, broadcastable to (B, h, N, M); each query must keep one key
            whose bias is finite.
        scale: Factor on q . k; by default 1 / sqrt(d).
        impl: How to run; "auto" is "tiled" with `max_bytes` and "sdpa" without.
        max_bytes: Bound on the temporary memory of "tiled"; 64 MiB unless given.

    Raises:
        ValueError: An unknown `impl`.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    if impl == "auto":
        impl = "sdpa" if max_bytes is None else "tiled"
    if impl == "sdpa":
        return _fused(q, k, v, bias, scale)
    if impl == "reference":
        weights = torch.softmax(_logits(q, k, bias, scale), -1)
        return _product(weights, v).to(v.dtype)
    if impl == "tiled":
        return _tiled(q, k, v, bias, scale, 2**26 if max_bytes is None else max_bytes)
    raise ValueError(f"impl must be auto, reference, sdpa or tiled, not {impl!r}")


def joined(parts: list[Tensor], axis: int) -> Tensor:
    """The parts side by side; a single part as it is, not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


def merge(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Attention over two sets of keys from attention over each.

    Both arguments and the result hold the output (..., N, e) and the log of the sum of the
    exponentials of its logits (..., N, 1). Exact, and independent of order up to rounding.
    """
    log_sum = torch.logaddexp(a[1], b[1])
    return a[0] * (a[1] - log_sum).exp() + b[0] * (b[1] - log_sum).exp(), log_sum


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """Torch's kernel, in the one form that does not fall back to storing all logits.

    It wants heads of equal width for keys and values, and a bias of exactly four axes (torch 2.13
    on a CPU: 7 times faster than with three).
    """
    if bias is not None:
        bias = bias.to(q.dtype)[(None,) * (4 - bias.ndim)]
    missing = v.shape[-1] - q.shape[-1]
    if missing > 0:
        q, k = F.pad(q, (0, missing)), F.pad(k, (0, missing))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)


def _tiled(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float, max_bytes: int
) -> Tensor:
    (batch, heads, n, _), m = q.shape, k.shape[2]
    images = min(batch, max(1, max_bytes // (heads * n * m * _BYTES)))
    rows = min(n, max(1, max_bytes // (images * heads * m * _BYTES)))
    keys = min(m, max(1, max_bytes // (images * heads * rows * _BYTES)))
    if bias is not None:
        bias = bias.expand(batch, heads, n, m)
    out = []
    for b in _slices(batch, images):
        blocks = []
        for i in _slices(n, rows):
            parts = (
                _partial(q[b, :, i], k[b, :, j], v[b, :, j], _block(bias, b, i, j), scale)
                for j in _slices(m, keys)
            )
            merged = next(parts)
            for part in parts:
                merged = merge(merged, part)
            blocks.append(merged[0])
        out.append(joined(blocks, 2))
    return joined(out, 0).to(v.dtype)


def _slices(size: int, step: int) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, size, step))


def _block(bias: Tensor | None, b: slice, i: slice, j: slice) -> Tensor | None:
    return None if bias is None else bias[b, :, i, j]


def _partial(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    logits = _logits(q, k, bias, scale)
    # A block may hold no key with a finite bias: its sum is then the smallest number, not -inf.
    log_sum = logits.logsumexp(-1, keepdim=True).clamp_min(torch.finfo(logits.dtype).min)
    return _product((logits - log_sum).exp_(), v), log_sum


def _logits(q: Tensor, k: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """Scaled and biased products in float32 or better, whatever autocast would choose."""
    logits = _product(q * scale, k.transpose(-1, -2))
    return logits if bias is None else logits + bias


def _product(a: Tensor, b: Tensor) -> Tensor:
    dtype = torch.promote_types(a.dtype, torch.float32)
    with torch.autocast(a.device.type, enabled=False):
        return a.to(dtype) @ b.to(dtype)
