"""What the machine can do at most, and how near to that each mixer comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.benchmark.measure import peak_bytes, seconds
from resattn.checks.probe import Probe
from resattn.mixers.additive import AdditiveConfig
from resattn.mixers.base import Mixer, MixerConfig
from resattn.mixers.deformable import DeformableConfig
from resattn.mixers.keys import KeyConfig
from resattn.mixers.window import WindowConfig
from resattn.registry import MIXERS, build, entry

Call = Callable[[], object]


@dataclass(frozen=True)
class Limits:
    """Measured rates that no mixer can pass.

    Attributes:
        gemm: Floating-point operations per second of a 1024 x 1024 float32 matrix product.
        copy: Bytes per second read and written by copying 64 MiB.
    """

    gemm: float
    copy: float


@dataclass(frozen=True)
class Row:
    """One measured call.

    Attributes:
        name: Mixer and variant, or the plain operation it stands beside.
        size: Height and width of the image.
        seconds: Of one inference pass over one image.
        flops: Of that pass.
        gemm_share: Its rate of operations, as a part of the machine's.
        copy_share: The rate at which it reads the image once and writes it once, as a part of
            the machine's copy rate.
        peak_bytes: Most memory allocated at once, output included.
        declared_bytes: What the mixer declares for it; None for plain operations.
    """

    name: str
    size: int
    seconds: float
    flops: int
    gemm_share: float
    copy_share: float
    peak_bytes: int
    declared_bytes: int | None


def limits(device: torch.device, budget: float = 1.0) -> Limits:
    """The limits of this machine with the threads torch is set to use, `budget` seconds each."""
    matrix = torch.randn(1024, 1024, device=device)
    block = torch.empty(2**24, device=device)
    target = torch.empty_like(block)
    return Limits(
        gemm=2 * 1024**3 / seconds(lambda: matrix @ matrix, device, budget),
        copy=2 * block.nbytes / seconds(lambda: target.copy_(block), device, budget),
    )


def cases(dim: int, kinds: Iterable[str] = MIXERS) -> dict[str, MixerConfig]:
    """Configs worth measuring at `dim` channels, by label; a mixer's example where none is named.

    Raises:
        ValueError: A kind is unknown.
    """
    variants: dict[str, dict[str, MixerConfig]] = {
        "additive": {"additive": AdditiveConfig(dim, dim, dim // 2)},
        "window": {
            "window 8x8": WindowConfig(dim, 4),
            "window 8x8 shifted": WindowConfig(dim, 4, shift=(4, 4)),
            "window 8x8 cosine": WindowConfig(dim, 4, cosine=True),
            "window 16x16": WindowConfig(dim, 4, (16, 16)),
            "window 4x16 crossed": WindowConfig(
                dim, 4, (4, 16), crossed=True, bias="mlp", value_conv=True
            ),
        },
        "deformable": {"deformable step 4": DeformableConfig(dim, dim, 4, step=4)},
        "keys": {"keys": KeyConfig(dim)},
    }
    found: dict[str, MixerConfig] = {}
    for kind in kinds:
        example = entry(kind).examples[0]
        found |= variants.get(kind, {kind: replace(example, dim=dim)})
    return found


def rows(
    named: Mapping[str, MixerConfig],
    sizes: Iterable[int],
    device: torch.device,
    limit: Limits,
    budget: float = 0.3,
) -> Iterator[Row]:
    """Each mixer at each size, after a plain 3 x 3 convolution and raw SDPA of as many channels.

    Each time is the shortest of the calls that fit in `budget` seconds, five at least.
    """
    measured = partial(_row, limit=limit, budget=budget)
    dim = next(iter(named.values())).dim
    for size in sizes:
        image = Probe(str(device), torch.float32).randn(1, dim, size, size)
        yield measured("conv 3x3", _convolution(image), image, 18 * dim**2 * size**2)
        yield measured("SDPA, all pixels", _sdpa(image), image, 4 * dim * size**4)
        for name, config in named.items():
            mixer = build(config).to(device).eval()
            row = measured(name, inference(mixer, image), image, mixer.flops(size, size))
            yield replace(row, declared_bytes=mixer.extra_bytes(size, size))


def _row(name: str, call: Call, image: Tensor, flops: int, limit: Limits, budget: float) -> Row:
    spent = seconds(call, image.device, budget)
    return Row(
        name=name,
        size=image.shape[-1],
        seconds=spent,
        flops=flops,
        gemm_share=flops / spent / limit.gemm,
        copy_share=2 * image.nbytes / spent / limit.copy,
        peak_bytes=peak_bytes(call, image.device),
        declared_bytes=None,
    )


def inference(mixer: Mixer, image: Tensor) -> Call:
    """A pass over `image` (B, C, H, W) in the mixer's layout, on channels_last memory."""
    x = image.to(memory_format=torch.channels_last)
    if mixer.layout == "NHWC":
        x = x.permute(0, 2, 3, 1)
    context = mixer.context_like(x, Probe(str(image.device), image.dtype).randn)
    if isinstance(context, Tensor) and mixer.layout == "NCHW":
        context = context.to(memory_format=torch.channels_last)
    return torch.no_grad()(lambda: mixer(x, context))


def _convolution(image: Tensor) -> Call:
    conv = nn.Conv2d(image.shape[1], image.shape[1], 3, padding=1, device=image.device)
    x = image.to(memory_format=torch.channels_last)
    return torch.no_grad()(lambda: conv(x))


def _sdpa(image: Tensor, heads: int = 4) -> Call:
    q = image.unflatten(1, (heads, -1)).flatten(3).transpose(2, 3).contiguous()
    return torch.no_grad()(lambda: F.scaled_dot_product_attention(q, q, q))
