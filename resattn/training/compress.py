"""Training the codec's network: bits against squared error at all qualities at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, cast

import torch
from torch import Tensor, nn

from resattn.config import Config, Json
from resattn.models.compress import BASE, STRIDE, CompressConfig, CompressNet
from resattn.models.compress_grow import grown
from resattn.models.compress_levels import LEVELS, trade_off
from resattn.training.dataset import ImageSet, digest
from resattn.training.images import check_patch, crops, draw
from resattn.training.task import Task

_TABLE_IMAGES = 24
SIZES: Final[Mapping[str, CompressConfig]] = MappingProxyType(
    {"light": CompressConfig(), "base": BASE}
)


@dataclass(frozen=True)
class Settings(Config):
    """Options of the task.

    Attributes:
        model: The network, by its size or, such as ``--set model.hyper=96``, as `light` with
            other settings.
        patch: Side of a training patch, a multiple of 64. Large patches teach what reaches far:
            spend the last part of a training on 384 or 512.
        judged: Quality levels of the validation.
        photographs: Number of images of the fold that are validated on.
    """

    model: Literal["light", "base"] | CompressConfig = "light"
    patch: int = 256
    judged: tuple[int, ...] = (8, 24, 40, 56)
    photographs: int = 16

    def __post_init__(self) -> None:
        if self.patch < STRIDE or self.patch % STRIDE:
            raise ValueError(f"patch must be a multiple of {STRIDE}, not {self.patch}")
        if not self.judged or any(not 0 <= level < LEVELS for level in self.judged):
            raise ValueError(f"judged must name levels in 0..{LEVELS - 1}, not {self.judged}")


def make(settings: Settings, train: ImageSet, fold: ImageSet) -> CompressTask:
    """The task with these settings on these images.

    Raises:
        UserError: A patch is larger than the images.
    """
    check_patch(settings.patch, train.images)
    return CompressTask(settings, train.images, fold.images)


class CompressTask(Task):
    """Rate and distortion of random patches, each at a quality of its own.

    Validation rounds as the encoder does. Its metric `cost` is the geometric mean over images and
    judged levels of bits per pixel plus lambda 255² times the squared error: one percent less is
    one to two percent fewer bits at equal quality.

    Args:
        settings: Model, patch and validation.
        train: Images to learn from, (N, 3, H, W) uint8.
        fold: Images to validate on, from other photographs.
    """

    name = "compress"
    metric = "cost"
    architecture = "compress-net"
    config: CompressConfig

    def __init__(self, settings: Settings, train: Tensor, fold: Tensor) -> None:
        self.settings = settings
        model = settings.model
        self.config = SIZES[model] if isinstance(model, str) else model
        self.train = train
        rows, columns = (n // STRIDE * STRIDE for n in fold.shape[-2:])
        self.fold = fold[: settings.photographs, :, :rows, :columns]

    def build(self) -> nn.Module:
        """A freshly initialised model."""
        return CompressNet(self.config)

    def inherited(self, weights: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
        """`weights`, or a larger model that computes what they do."""
        return grown(weights, cast(CompressNet, model))

    def facts(self) -> dict[str, Json]:
        """Settings, the network they name, and digests of the two sets of images."""
        return {
            "settings": self.settings.to_dict(),
            "model": self.config.to_dict(),
            "train": digest(self.train),
            "fold": digest(self.fold),
        }

    def to(self, device: torch.device) -> None:
        """Moves both sets of images."""
        self.train, self.fold = self.train.to(device), self.fold.to(device)

    def sample(self, count: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Patches (B, 3, p, p) uint8, their levels (B), and noise for their latents and for z.

        The levels of a batch are spread evenly, so that each step sees low and high rates.
        """
        patch, config = self.settings.patch, self.config
        cells = (self.train.shape[-2], self.train.shape[-1])
        choice = draw(count, len(self.train), cells, patch, generator)
        spread = torch.arange(count) + torch.rand(count, generator=generator)
        levels = (spread * LEVELS / count).long()
        shapes = [(config.dim, patch // 16), (config.z_dim, patch // STRIDE)]
        noise = [torch.rand(count, c, n, n, generator=generator) - 0.5 for c, n in shapes]
        return [crops(self.train, choice, patch), levels, *noise]

    def loss(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Mean of bits per pixel plus lambda 255² squared error, over the root of lambda.

        The root keeps the finest levels, where both terms are largest, from deciding alone.
        """
        image, levels, noise, z_noise = batch
        image = _unit(image)
        found = cast(CompressNet, model).relaxed(image, levels, (noise, z_noise))
        middle = trade_off(torch.tensor((LEVELS - 1) / 2))
        weight = (trade_off(levels) / middle.to(levels.device)).rsqrt()
        return (_cost(found.image, found.bits, image, levels) * weight).mean()

    def validate(self, model: nn.Module) -> dict[str, float]:
        """`cost`, and bits per pixel (estimated) and mean PSNR at each judged level."""
        net = cast(CompressNet, model)
        metrics: dict[str, float] = {}
        costs = []
        for level in self.settings.judged:
            rows = torch.stack([self._judge(net, photo[None], level) for photo in self.fold])
            bpp, psnr, cost = rows.double().mean(0).tolist()
            metrics |= {f"bpp_{level}": bpp, f"psnr_{level}": psnr}
            costs.append(cost)
        return {self.metric: float(torch.tensor(costs).mean().exp()), **metrics}

    def _judge(self, net: CompressNet, photo: Tensor, level: int) -> Tensor:
        """Bits per pixel, PSNR in dB and the logarithm of the cost of one image."""
        image = _unit(photo)
        levels = torch.full((1,), level, device=image.device)
        found = net.relaxed(image, levels, None)
        decoded = found.image.clamp(0, 1).mul(255).round() / 255
        cost = _cost(decoded, found.bits, image, levels).log()[0]
        psnr = -10 * (decoded - image).square().mean().log10()
        return torch.stack([found.bits[0] / image[0, 0].numel(), psnr, cost]).cpu()

    def exported(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights with the integers and tables of the entropy coder made from them.

        The tables follow what occurs in the first training images, at eight levels: real residuals
        have longer tails than the distributions that training assumes.

        Raises:
            WeightsError: The integer network breaks its bound (E605).
        """
        net = CompressNet(self.config)
        net.load_state_dict(dict(weights))
        net.freeze()
        rows, columns = (n // STRIDE * STRIDE for n in self.train.shape[-2:])
        z_seen, q_seen = (torch.zeros_like(t) for t in (net.z_counts, net.q_counts))
        for photo in self.train[:_TABLE_IMAGES, :, :rows, :columns].cpu():
            for level in range(LEVELS // 16, LEVELS, LEVELS // 8):
                z_found, q_found = _occurrences(net, _unit(photo[None]), level)
                z_seen += z_found
                q_seen += q_found
        net.refine(z_seen, q_seen)
        return net.state_dict()


def _occurrences(net: CompressNet, image: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """How often each table of z and of the residuals meets each of its symbols."""
    latents = net.analyse(image, level)
    index = net.scale_index(latents.z, level)
    coded = index >= net.skip
    channel = torch.arange(latents.z.shape[1])[:, None, None].expand_as(latents.z)
    return (
        _tally(net.z_counts, channel.flatten(), latents.z.flatten()),
        _tally(net.q_counts, index[coded], latents.q[coded]),
    )


def _tally(like: Tensor, row: Tensor, value: Tensor) -> Tensor:
    """Occurrences of each pair of table and value: (rows, A)."""
    rows, symbols = like.shape
    place = row * symbols + value + symbols // 2
    return torch.bincount(place, minlength=rows * symbols).view(rows, symbols)


def _cost(decoded: Tensor, bits: Tensor, image: Tensor, levels: Tensor) -> Tensor:
    """Bits per pixel plus lambda 255² times the squared error of each sample: (B)."""
    error = (decoded - image).square().flatten(1).mean(1)
    return bits / image[0, 0].numel() + trade_off(levels) * 255**2 * error


def _unit(image: Tensor) -> Tensor:
    return image.float().div_(255).contiguous(memory_format=torch.channels_last)
