"""lambda-PNN: a network that improves a classical result on the scene in hand, without a truth.

`adapt` trains `resattn.models.lambda_pnn` on patches of the scene itself, starting from a fitted
classical method and adding nothing at first. What the network proposes goes through the same
correction towards the MS samples as the classical result (`resattn.fusion.consistency`), in
training and in use, so that it spends its strength on what the camera model leaves open: structure.
The result, `AdaptedModel`, is applied by windows like any classical model. docs/lambda-pnn.md has
the method, its sources and what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from resattn.errors import ItemError, WeightsError
from resattn.fusion.adapt_network import Precision, Scale, detail
from resattn.fusion.adapt_patches import pixels, scene_patches
from resattn.fusion.adapt_training import AdaptConfig, Progress, Trainer
from resattn.fusion.classical import Model
from resattn.fusion.consistency import consistent
from resattn.fusion.pyramid import Optics, Pyramid
from resattn.fusion.scene import Scene
from resattn.fusion.taps import Image, Mask
from resattn.mixers.sweep import given_statistics
from resattn.models.lambda_pnn import LambdaPnn, LambdaPnnConfig, seeded
from resattn.ops.statistics import Statistics
from resattn.tiling import Window
from resattn.weights.export import pack
from resattn.weights.load import load
from resattn.weights.origin import Origin

TASK = "pansharpen"


@dataclass(frozen=True, slots=True)
class AdaptedModel:
    """A classical model and the network adapted to improve it on its scene.

    CBAM's statistics are those of the patches it was adapted on: no tile looks at its own.

    Args:
        start: The classical model.
        network: In evaluation mode.
        scale: Units of the network.
        statistics: Of each CBAM by module name.
        precision: Of the network's convolutions.
        losses: Mean loss of `start` and of this model on the patches.
    """

    start: Model
    network: LambdaPnn
    scale: Scale
    statistics: Mapping[str, Statistics]
    precision: Precision = "fp32"
    losses: tuple[float, float] = field(default=(float("nan"), float("nan")), compare=False)

    method = "lambda-pnn"

    @property
    def optics(self) -> Optics:
        """The camera that both parts were fitted with."""
        return self.start.optics

    @property
    def halo(self) -> int:
        """PAN pixels around a window that the network looks at."""
        return max(self.network.descriptor.halo())

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """The fused bands (B, H, W) of a PAN window, 0 where invalid, and their validity (H, W)."""
        pyramid = Pyramid(scene, self.start.optics)
        return consistent(
            pyramid, lambda span: self._improved(pyramid, span), window, self.start.consistency
        )

    def packed(self, name: str) -> bytes:
        """The network's weights as a file, for other parts of the same acquisition."""
        origin = Origin(
            name=name,
            task=TASK,
            architecture=self.method,
            config=self.network.config.to_dict(),
            data="one scene of the user",
            data_licence="that of the scene",
            licence="that of the scene",
            command="resattn pansharpen --save-weights",
        )
        _, data = pack(self.network.state_dict(), origin, torch.float32)
        return data

    def _improved(self, pyramid: Pyramid, window: Window) -> tuple[Image, Mask]:
        grid = pyramid.scene.grid
        columns = self.network.descriptor.grid[1]
        outer = _widened(window.grown(self.halo), columns)
        outer = outer.intersection(Window(0, 0, grid.pan_height, grid.pan_width)) or window
        inside = window.relative_to(outer).slices
        seen = pixels(pyramid, self.start, outer)
        device = next(self.network.parameters()).device
        x = self.scale.inputs(seen, residual=self.network.config.residual).to(device)
        with torch.inference_mode(), given_statistics(self.network, self.statistics):
            added = detail(self.network, x, self.scale, self.precision).cpu()
        fused: Image = ((seen.plain + added) * seen.valid)[:, *inside].numpy()
        return fused, seen.valid[inside].numpy() > 0


def adapt(
    scene: Scene,
    start: Model,
    config: AdaptConfig | None = None,
    *,
    begin: LambdaPnn | None = None,
    progress: Progress | None = None,
) -> AdaptedModel:
    """`start` improved by a network trained on the scene; by its own loss it is never worse.

    Args:
        scene: Both images.
        start: A classical model fitted to the scene.
        config: Budget and weights of the loss.
        begin: Weights to begin from, adapted to another part of the same acquisition.
        progress: Called after every step.

    Raises:
        ItemError: E327, no part of the scene has enough valid pixels.
    """
    config = config or AdaptConfig()
    device = torch.device(config.device)
    pyramid = Pyramid(scene, start.optics)
    patches = [patch.to(device) for patch in scene_patches(pyramid, start, config.patches)]
    if not patches:
        raise ItemError(
            "no part of the scene has enough pixels valid in both PAN and MS to adapt to",
            "check nodata values and masks, or use a classical --method",
            code="E327",
        )
    settings = LambdaPnnConfig(scene.bands, config.width) if begin is None else begin.config
    network = seeded(settings, config.seed)
    network.to(device)
    trainer = Trainer(network, patches, start.consistency, scene.grid.ratio, config)
    before = trainer.mean_loss()
    if begin is not None:
        network.load_state_dict(begin.state_dict())
    trainer.train(progress)
    after = trainer.mean_loss()
    if not after < before:
        network.add_nothing()
        after = before
    network.eval()
    losses = (before, after)
    return AdaptedModel(start, network, trainer.scale, trainer.statistics, config.precision, losses)


def load_network(path: Path, bands: int) -> LambdaPnn:
    """The weights of a file that `AdaptedModel.packed` made.

    Raises:
        WeightsError: The file is damaged or for something else, E604 for another number of bands.
    """
    model = load(str(path), TASK).model
    if not isinstance(model, LambdaPnn) or model.config.bands != bands:
        made_for = model.config.bands if isinstance(model, LambdaPnn) else 0
        raise WeightsError(
            f"{path} was adapted to {made_for} bands, the scene has {bands}",
            "use weights of the same sensor and band choice",
            code="E604",
        )
    return model


def _widened(window: Window, step: int) -> Window:
    """`window` with its columns widened to multiples of `step`."""
    left = window.col // step * step
    right = -(-window.right // step) * step
    return Window(window.row, left, window.height, right - left)
