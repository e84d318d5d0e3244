"""One adaptation: the loss on the patches of a scene and the descent along it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from resattn.config import Config
from resattn.fusion.adapt_network import Precision, Scale, detail
from resattn.fusion.adapt_patches import Patch
from resattn.fusion.consistency import step_sizes
from resattn.fusion.descent import Adam
from resattn.fusion.losses import hypercomplex_quality, relative_error, structural_loss
from resattn.mixers.sweep import exact_statistics, given_statistics
from resattn.models.lambda_pnn import LambdaPnn
from resattn.ops.statistics import Inner, Statistics

Progress = Callable[[int, int], None]
"""Told steps done and steps planned."""

_SETTLE = 0.8
"""Share of the budget after which CBAM works with the statistics it will be used with."""

_WARM_STEPS = 10

_LEAST_HALF = 2
"""Half window of the structural term: the 2×2 windows of ratio 2 correlate with anything."""


@dataclass(frozen=True)
class AdaptConfig(Config):
    """How long, on what and for what the network is trained.

    Attributes:
        steps: Training steps of one patch each; 0 uses the weights as they are.
        seconds: CPU seconds after which training ends early, annealed all the same; a run that
            this ends is not repeatable to the bit. None for no limit.
        patches: Most patches of the scene to look at.
        width: Channels of a fresh network.
        learning_rate: Of Adam at its peak.
        ergas: Weight α of the relative error.
        quality: Weight β of 1 − Q2n.
        structure: Weight γ of the structural term.
        seed: Of the initial weights and the order of the patches.
        precision: Of the network's convolutions.
        device: Where the network runs, a name torch knows.
    """

    steps: int = 80
    seconds: float | None = 60.0
    patches: int = 8
    width: int = 32
    learning_rate: float = 3e-3
    ergas: float = 0.05
    quality: float = 1.25
    structure: float = 7.0
    seed: int = 0
    precision: Precision = "fp32"
    device: str = "cpu"


class Trainer:
    """The network, the patches and the loss.

    Args:
        network: Trained in place.
        patches: Parts of the scene, on the network's device.
        strength: Of the correction towards the MS samples, as in `consistency`.
        ratio: MS pixel size over PAN pixel size.
        config: Budget and weights of the loss.
    """

    def __init__(
        self,
        network: LambdaPnn,
        patches: Sequence[Patch],
        strength: float,
        ratio: float,
        config: AdaptConfig,
    ) -> None:
        self.network, self.patches, self.config = network, patches, config
        self.scale = Scale.of(patches)
        self.statistics: Mapping[str, Statistics] = {}
        self._strength, self._ratio = strength, ratio
        self._half = max(_LEAST_HALF, math.ceil(ratio / 2))
        residual = network.config.residual
        self._inputs = [self.scale.inputs(patch, residual=residual) for patch in patches]

    def train(self, progress: Progress | None = None) -> None:
        """Adam, one patch a step; ends with the statistics of CBAM measured."""
        optimizer = Adam(self.network.parameters())
        order = _order(len(self.patches), self.config.seed)
        began = time.process_time()
        for step in range(self.config.steps):
            done = self._done(step, time.process_time() - began)
            if done >= 1:
                break
            if done >= _SETTLE and not self.statistics:
                self.measure()
            self._add_gradients(next(order))
            optimizer.step(self.config.learning_rate * _anneal(done, step))
            if progress is not None:
                progress(step + 1, self.config.steps)
        self.measure()

    def measure(self) -> None:
        """Takes the statistics of CBAM over all patches."""

        def tiles() -> Iterator[tuple[tuple[Tensor, ...], Inner]]:
            for x in self._inputs:
                yield (x[None],), (slice(0, x.shape[-2]), slice(0, x.shape[-1]))

        self.statistics = exact_statistics(self.network, tiles)

    @torch.no_grad()
    def mean_loss(self) -> float:
        """Over the patches."""
        with given_statistics(self.network, self.statistics):
            losses = [self.loss(index) for index in range(len(self.patches))]
        return float(torch.stack(losses).mean())

    def loss(self, index: int) -> Tensor:
        """α·R-ERGAS + β·(1 − R-Q2n) + γ·structure on one patch."""
        patch, config = self.patches[index], self.config
        added = detail(self.network, self._inputs[index], self.scale, config.precision)
        fused = corrected(patch.plain + added * patch.valid, patch, self._strength)
        seen = patch.camera.reduce(fused)
        error = relative_error(seen, patch.ms, patch.known, self._ratio)
        quality = hypercomplex_quality(seen, patch.ms, patch.known)
        structure = structural_loss(fused, patch.pan, patch.allowed, patch.valid, self._half)
        return config.ergas * error + config.quality * (1 - quality) + config.structure * structure

    def _add_gradients(self, index: int) -> None:
        with given_statistics(self.network, self.statistics):
            loss = self.loss(index)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)

    def _done(self, step: int, seconds: float) -> float:
        """Share of the budget used up, by whichever limit is nearer."""
        share = step / self.config.steps
        return share if self.config.seconds is None else max(share, _over(seconds, self.config))


def corrected(fused: Tensor, patch: Patch, strength: float) -> Tensor:
    """`fused` (B, H, W) moved towards the MS samples, as `resattn.fusion.consistency` does."""
    if strength == 0:
        return fused
    camera, damping = patch.camera, (1 - strength) / strength
    residual = (patch.ms - camera.reduce(fused)) * patch.known
    rows, cols = camera.down_rows @ camera.up_rows, camera.down_cols @ camera.up_cols
    correction = torch.zeros_like(residual)
    for size in step_sizes(damping):
        again = rows @ correction @ cols.transpose(1, 2) + damping * correction
        correction = correction + size * (residual - again)
    return fused + camera.enlarge(correction) * patch.valid


def _over(seconds: float, config: AdaptConfig) -> float:
    return seconds / config.seconds if config.seconds else math.inf


def _anneal(done: float, step: int) -> float:
    """Share of the peak learning rate: a short rise, then half a cosine down to a hundredth."""
    cosine = 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (step + 1) / _WARM_STEPS) * (0.01 + 0.99 * cosine)


def _order(count: int, seed: int) -> Iterator[int]:
    """Indices in passes over all, each in another order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(count, generator=generator).tolist()
