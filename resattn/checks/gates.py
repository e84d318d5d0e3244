"""Identities of the gates: ECA, CBAM, additive, large kernel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resattn.checks.probe import Probe, error, holds, identities, violated
from resattn.mixers.additive import AdditiveConfig, AdditiveGate
from resattn.mixers.cbam import Cbam, CbamConfig
from resattn.mixers.eca import Eca, EcaConfig, adaptive_kernel
from resattn.mixers.large_kernel import LargeKernel, LargeKernelConfig


def eca_delta_kernel_gates_by_own_mean(probe: Probe) -> float:
    """A kernel [0, 1, 0] makes the gate sigmoid(mean)."""
    mixer, x = probe.fill(Eca(EcaConfig(8, kernel=3))), probe.randn(2, 8, 5, 19)
    mixer.conv.weight.data.copy_(torch.tensor([[[0.0, 1.0, 0.0]]]))
    return error(mixer(x), x * x.mean((2, 3), keepdim=True).sigmoid())


def eca_has_80_parameters_in_resnet_50(probe: Probe) -> float:
    """Kernels 3, 5, 5, 7 on 3, 4, 6, 3 blocks: 80; the formula on 256 … 2048 channels: 86."""
    del probe
    blocks, widths = (3, 4, 6, 3), (256, 512, 1024, 2048)
    published = [Eca(EcaConfig(w, kernel=k)) for w, k in zip(widths, (3, 5, 5, 7), strict=True)]
    counts = [sum(p.numel() for p in mixer.parameters()) for mixer in published]
    total = sum(b * n for b, n in zip(blocks, counts, strict=True))
    formula = sum(b * adaptive_kernel(w) for b, w in zip(blocks, widths, strict=True))
    return holds((total, formula) == (80, 86))


def eca_depends_on_channel_order(probe: Probe) -> float:
    """Permuted channels change the gates unless the kernel is a delta."""
    mixer, x = probe.fill(Eca(EcaConfig(16, kernel=3)), std=2.0), probe.randn(2, 16, 3, 4)
    return violated(mixer(x.flip(1).roll(3, 1)), mixer(x).flip(1).roll(3, 1))


def cbam_has_2227_parameters(probe: Probe) -> float:
    """64 channels, reduction 4, as in lambda-PNN."""
    del probe
    return holds(sum(p.numel() for p in Cbam(CbamConfig(64)).parameters()) == 2227)


def cbam_of_zero_weights_quarters(probe: Probe) -> float:
    """Both gates are one half."""
    mixer, x = probe.fill(Cbam(CbamConfig(8)), std=0.0), probe.randn(2, 8, 5, 6)
    return error(mixer(x), 0.25 * x)


def cbam_gates_channels_before_pixels(probe: Probe) -> float:
    """The pixel gate sees the image after the channel gate."""
    mixer, x = probe.fill(Cbam(CbamConfig(8))), probe.randn(2, 8, 9, 10)
    y = x * (_mlp(mixer, x.mean((2, 3))) + _mlp(mixer, x.amax((2, 3)))).sigmoid()[..., None, None]
    planes = torch.stack([y.amax(1), y.mean(1)], 1)
    padded = F.pad(planes, (3, 3, 3, 3), mode="reflect")
    return error(mixer(x), y * mixer.pixel(padded).sigmoid())


def additive_gate_of_large_bias_is_open(probe: Probe) -> float:
    """With psi = 0, a large bias lets everything pass."""
    mixer = probe.fill(AdditiveGate(AdditiveConfig(8, 4, 6)))
    mixer.psi.weight.data.zero_()
    mixer.psi.bias.data.fill_(60.0)
    x = probe.randn(2, 5, 6, 8)
    return error(mixer(x, probe.randn(2, 5, 6, 4)), x)


def additive_gate_only_dims(probe: Probe) -> float:
    """Every output lies between zero and its input."""
    mixer, x = probe.fill(AdditiveGate(AdditiveConfig(8, 4, 6)), std=1.0), probe.randn(2, 5, 6, 8)
    y = mixer(x, probe.randn(2, 5, 6, 4))
    return holds(bool((y * x >= 0).all() and (y.abs() <= x.abs()).all()))


def additive_gate_teaches_both_inputs(probe: Probe) -> float:
    """Image and signal both receive a gradient."""
    mixer = probe.fill(AdditiveGate(AdditiveConfig(8, 4, 6)))
    x, g = probe.randn(2, 5, 6, 8).requires_grad_(), probe.randn(2, 5, 6, 4).requires_grad_()
    gradients = torch.autograd.grad(mixer(x, g).square().sum(), (x, g))
    return holds(all(bool(gradient.abs().sum() > 0) for gradient in gradients))


def large_kernel_of_deltas_squares(probe: Probe) -> float:
    """Strips that hand their input on and an identity over channels gate x by itself."""
    mixer, x = probe.fill(LargeKernel(LargeKernelConfig(4)), std=0.0), probe.randn(2, 4, 9, 10)
    for strip in (s for s in mixer.strips if isinstance(s, nn.Conv2d)):
        strip.weight.data[..., strip.weight.shape[2] // 2, strip.weight.shape[3] // 2] = 1.0
    mixer.point.weight.data[:, :, 0, 0] = torch.eye(4)
    return error(mixer(x), x * x)


def large_kernel_is_one_dense_kernel(probe: Probe) -> float:
    """Away from the border the four strips of a channel are one kernel, their product."""
    mixer = probe.fill(LargeKernel(LargeKernelConfig(4, kernel=23)), std=1.0)
    for name, parameter in mixer.strips.named_parameters():
        parameter.data.mul_(not name.endswith("bias"))
    point = torch.zeros(1, 4, 45, 45, dtype=probe.dtype, device=probe.device)
    point[..., 22, 22] = 1.0
    kernel = mixer.strips(point)[0, :, None, 11:-11, 11:-11].flip(2, 3)
    x = probe.randn(1, 4, 27, 28)
    gate = mixer.point(F.conv2d(x, kernel, groups=4))
    return error(mixer(x)[..., 11:-11, 11:-11], x[..., 11:-11, 11:-11] * gate)


def _mlp(mixer: Cbam, pooled: Tensor) -> Tensor:
    first, second = (m for m in mixer.channel if isinstance(m, nn.Linear))
    hidden: Tensor = (pooled @ first.weight.T + first.bias).clamp_min(0)
    return hidden @ second.weight.T + second.bias


ECA = identities(
    eca_delta_kernel_gates_by_own_mean,
    eca_has_80_parameters_in_resnet_50,
    eca_depends_on_channel_order,
)
CBAM = identities(
    cbam_has_2227_parameters,
    cbam_of_zero_weights_quarters,
    cbam_gates_channels_before_pixels,
)
ADDITIVE = identities(
    additive_gate_of_large_bias_is_open,
    additive_gate_only_dims,
    additive_gate_teaches_both_inputs,
)
LARGE_KERNEL = identities(large_kernel_of_deltas_squares, large_kernel_is_one_dense_kernel)
