"""Identities of window attention."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from resattn.bias import LogMlpBias
from resattn.checks.probe import Probe, error, holds, identities, violated
from resattn.mixers.window import WindowAttention, WindowConfig

EXAMPLES = (
    WindowConfig(16, 4, (4, 4), shift=(2, 2)),
    WindowConfig(16, 4, (2, 8), shift=(1, 4), crossed=True, bias="mlp", value_conv=True),
    WindowConfig(16, 4, (4, 4), cosine=True, bias="logmlp"),
)


def windows_are_full_attention_with_a_block_mask(probe: Probe) -> float:
    """Pixels of another window get a logit of minus infinity; borders cut windows short."""
    mixer = probe.fill(WindowAttention(WindowConfig(8, 2, (3, 4))))
    x = probe.randn(2, 7, 10, 8)
    return error(mixer(x), _by_block_mask(mixer, x))


def shifted_windows_are_windows_of_the_shifted_grid(probe: Probe) -> float:
    """The block mask of a grid whose first lines lie at the shift."""
    mixer = probe.fill(WindowAttention(WindowConfig(8, 2, (4, 4), shift=(1, 2), bias="mlp")))
    x = probe.randn(2, 6, 11, 8)
    return error(mixer(x), _by_block_mask(mixer, x))


def wrapped_shift_is_windows_of_the_rolled_image(probe: Probe) -> float:
    """CRAFT as released: cyclic shift, no mask, and so another result than a shifted grid."""
    mixer, x = probe.fill(WindowAttention(WindowConfig(8, 2, (4, 4)))), probe.randn(1, 8, 8, 8)
    shifted = _with_weights_of(mixer, WindowConfig(8, 2, (4, 4), shift=(2, 2)))(x)
    wrapped = _with_weights_of(mixer, WindowConfig(8, 2, (4, 4), shift=(2, 2), wrap=True))(x)
    rolled = mixer(x.roll((-2, -2), (1, 2))).roll((2, 2), (1, 2))
    return error(wrapped, rolled) + violated(wrapped, shifted)


def one_window_over_all_is_full_attention(probe: Probe) -> float:
    """Without a bias, it is scaled dot-product attention of the projections."""
    mixer = probe.fill(WindowAttention(WindowConfig(8, 2, (6, 6), bias="none")))
    x = probe.randn(2, 5, 6, 8)
    q, k, v = _heads(mixer, x)
    full = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return error(mixer(x), mixer.proj(full).view_as(x))


def crossed_windows_of_a_transposed_image(probe: Probe) -> float:
    """Swapping the axes of the image swaps the two halves of the heads."""
    config = WindowConfig(8, 2, (2, 6), shift=(1, 3), crossed=True, bias="none")
    mixer = probe.fill(WindowAttention(config))
    x = probe.randn(1, 7, 13, 8)
    swapped = _with_weights_of(mixer, config)
    halves = torch.arange(8).view(2, 4).flip(0).flatten().to(probe.device)
    with torch.no_grad():
        rows = torch.cat([halves, halves + 8, halves + 16])
        swapped.qkv.weight.copy_(mixer.qkv.weight[rows])
        swapped.qkv.bias.copy_(mixer.qkv.bias[rows])
        swapped.proj.weight.copy_(mixer.proj.weight[:, halves])
    return error(swapped(x.transpose(1, 2)).transpose(1, 2), mixer(x))


def cosine_windows_ignore_the_length_of_q_and_k(probe: Probe) -> float:
    """Doubling both projections changes nothing; without cosine it does."""
    results = []
    for cosine in (True, False):
        mixer = probe.fill(WindowAttention(WindowConfig(8, 2, (4, 4), cosine=cosine)), std=0.5)
        x = probe.randn(1, 8, 8, 8)
        before = mixer(x)
        mixer.qkv.weight.data[:16] *= 2
        mixer.qkv.bias.data[:16] *= 2
        results.append((mixer(x), before))
    return error(*results[0]) + violated(*results[1])


def log_bias_lies_between_0_and_16(probe: Probe) -> float:
    """And depends on the offset only, so a window's diagonal is constant."""
    bias = probe.fill(LogMlpBias(2, (3, 5), width=16))()
    inside = bool((bias > 0).all() and (bias < 16).all())
    diagonal = bias.reshape(2, 15, 15).diagonal(dim1=1, dim2=2)
    return holds(inside) + error(diagonal, diagonal[:, :1].expand_as(diagonal))


def value_branch_convolves_the_values(probe: Probe) -> float:
    """What it adds is the depthwise convolution of the projected values over the whole image."""
    mixer = probe.fill(WindowAttention(WindowConfig(8, 2, (4, 4), shift=(2, 2), value_conv=True)))
    without = _with_weights_of(mixer, WindowConfig(8, 2, (4, 4), shift=(2, 2)))
    x = probe.randn(1, 6, 9, 8)
    value = F.linear(x, mixer.qkv.weight[16:], mixer.qkv.bias[16:]).permute(0, 3, 1, 2)
    conv = mixer.value_conv
    branch = F.conv2d(value, conv.weight, conv.bias, padding=1, groups=8).permute(0, 2, 3, 1)
    return error(mixer(x), without(x) + F.linear(branch, mixer.proj.weight))


def _with_weights_of(mixer: WindowAttention, config: WindowConfig) -> WindowAttention:
    """A mixer of another config with the weights that both have."""
    other = WindowAttention(config).to(mixer.proj.weight)
    other.load_state_dict(mixer.state_dict(), strict=False)
    return other


def _by_block_mask(mixer: WindowAttention, x: Tensor) -> Tensor:
    """Attention over the whole image with the logits of other windows at minus infinity."""
    (h, w), (top, left) = mixer.config.window, mixer.config.shift
    height, width = x.shape[1:3]
    y, z = torch.arange(height), torch.arange(width)
    window = torch.cartesian_prod((y - top).div(h, rounding_mode="floor"),
                                  (z - left).div(w, rounding_mode="floor"))  # fmt: skip
    place = torch.cartesian_prod((y - top) % h, (z - left) % w)
    same = (window[:, None] == window[None]).all(-1).to(x.device)
    bias = x.new_zeros(mixer.config.heads, len(place), len(place))
    if len(mixer.bias):
        table, (a, b) = mixer.bias[0](), place.T.to(x.device)
        bias = table[:, a[:, None], b[:, None], a[None], b[None]]
    q, k, v = _heads(mixer, x)
    logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias
    weights = logits.masked_fill(~same, float("-inf")).softmax(-1)
    out: Tensor = mixer.proj((weights @ v).transpose(1, 2).flatten(2)).view_as(x)
    return out


def _heads(mixer: WindowAttention, x: Tensor) -> tuple[Tensor, ...]:
    qkv = mixer.qkv(x.flatten(1, 2)).unflatten(-1, (3, mixer.config.heads, -1))
    return tuple(qkv.permute(2, 0, 3, 1, 4))


WINDOW = identities(
    windows_are_full_attention_with_a_block_mask,
    shifted_windows_are_windows_of_the_shifted_grid,
    wrapped_shift_is_windows_of_the_rolled_image,
    one_window_over_all_is_full_attention,
    crossed_windows_of_a_transposed_image,
    cosine_windows_ignore_the_length_of_q_and_k,
    log_bias_lies_between_0_and_16,
    value_branch_convolves_the_values,
)
