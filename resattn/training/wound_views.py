"""Training views of wound photographs: turned, scaled, relit and recoloured, all as tensors.

The augmentations are those Chae et al. 2021 name (rotation, reflection, watershed) and the
photometric ones phones ask for. Every random number comes from the generator passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from resattn.config import Config

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Views(Config):
    """How far a view may differ from its photograph.

    Attributes:
        scale: Least and greatest magnification of the photograph, drawn log-uniformly.
        on_wound: Share of the views that are centred on a pixel of a wound, where there is one.
        gamma: Largest gamma; its inverse is the least.
        contrast: Largest relative change of contrast, and of saturation.
        brightness: Largest shift, of the range 0..1.
        white_balance: Largest relative gain of a colour channel.
        blur: Largest standard deviation of a Gaussian blur, in pixels.
        noise: Largest standard deviation of noise, of the range 0..1.
        basins: Largest shift of the colour of a watershed basin outside the wounds.
        chance: Share of the views that each change applies to.
    """

    scale: tuple[float, float] = (0.4, 1.3)
    on_wound: float = 0.25
    gamma: float = 1.6
    contrast: float = 0.25
    brightness: float = 0.1
    white_balance: float = 0.15
    blur: float = 1.5
    noise: float = 0.03
    basins: float = 0.15
    chance: float = 0.5


def view(
    photo: Tensor, mask: Tensor, side: int, views: Views, generator: Generator
) -> tuple[Tensor, Tensor]:
    """A square cut at any angle, scale and reflection; black where it leaves the photograph.

    Args:
        photo: (3, H, W) uint8.
        mask: (1, H, W) uint8, 1 inside wounds.
        side: Pixels of the cut along a side.
        views: Range of the scale, and how often the cut is centred on a wound.
        generator: Source of the draw.

    Returns:
        Photograph (3, side, side) in 0..1 and mask (1, side, side), 0 or 1, both float32.
    """
    height, width = photo.shape[1:]
    low, high = (math.log(s) for s in views.scale)
    scale, angle, mirror, on_wound = torch.rand(4, generator=generator).tolist()
    scale = math.exp(low + (high - low) * scale)
    row, col = _centre(mask[0], on_wound < views.on_wound, generator)
    # Output pixel offsets, from -1 to 1, to input offsets in pixels: turn, mirror, magnify.
    reach = side / 2 / scale
    cos, sin = math.cos(2 * math.pi * angle) * reach, math.sin(2 * math.pi * angle) * reach
    flip = -1 if mirror < 0.5 else 1
    to_x = (flip * cos / (width / 2), -sin / (width / 2), 2 * col / width - 1)
    to_y = (flip * sin / (height / 2), cos / (height / 2), 2 * row / height - 1)
    place = torch.tensor([[to_x, to_y]], device=photo.device)
    grid = F.affine_grid(place, [1, 1, side, side], align_corners=False)
    image = photo[None].float() / 255
    if scale < 0.75:  # bilinear sampling alone would alias
        image = F.avg_pool2d(image, 2)
    cut = F.grid_sample(image, grid, align_corners=False)[0]
    label = F.grid_sample(mask[None].float(), grid, align_corners=False)[0]
    return cut, (label >= 0.5).float()


def relit(images: Tensor, views: Views, generator: Generator) -> Tensor:
    """Images (B, 3, H, W) in 0..1 as under other light, exposure and optics; same range."""
    count, device = images.shape[0], images.device

    def drawn(limit: float, channels: int = 1) -> Tensor:
        """Uniform in ±limit for the share of images that are changed, 0 for the others."""
        values = 2 * torch.rand(count, channels, 1, 1, generator=generator) - 1
        changed = torch.rand(count, 1, 1, 1, generator=generator) < views.chance
        return limit * values * changed

    def amount(limit: float, channels: int = 1) -> Tensor:
        return drawn(limit, channels).to(device)

    images = images * (1 + amount(views.white_balance, 3)) + amount(views.brightness)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + amount(views.contrast))
    grey = _grey(images)[:, None]
    images = grey + (images - grey) * (1 + amount(views.contrast))
    images = images.clamp(0, 1) ** torch.exp(amount(math.log(views.gamma)))
    images = torch.cat([_blurred(i, float(s)) for i, s in zip(images.split(1), drawn(views.blur))])  # noqa: B905
    grain = torch.randn(images.shape, generator=generator).to(device) * amount(views.noise)
    return (images + grain).clamp(0, 1)


def recoloured(images: Tensor, masks: Tensor, views: Views, generator: Generator) -> Tensor:
    """Images (B, 3, H, W) whose watershed basins outside the wounds have other colours.

    A basin counts as outside where less than half of it lies in the mask (B, 1, H, W).
    """
    count, _, height, width = images.shape
    labels = basins(F.avg_pool2d(_grey(images)[:, None], 2, ceil_mode=True)[:, 0])
    cells = labels[0].numel()
    inside = F.avg_pool2d(masks, 2, ceil_mode=True).reshape(count, cells)
    flat = labels.reshape(count, cells)
    share = torch.zeros_like(inside).scatter_add_(1, flat, inside)
    size = torch.zeros_like(inside).scatter_add_(1, flat, torch.ones_like(inside))
    outside = share < 0.5 * size
    shift = (2 * torch.rand(count, cells, 3, generator=generator) - 1) * views.basins
    applies = torch.rand(count, 1, generator=generator) < views.chance
    shift = shift.to(images.device) * (outside & applies.to(images.device))[..., None]
    spread = shift.gather(1, flat[..., None].expand(-1, -1, 3))
    spread = spread.view(*labels.shape, 3).permute(0, 3, 1, 2)
    return (images + F.interpolate(spread, size=(height, width))).clamp(0, 1)


def basins(grey: Tensor) -> Tensor:
    """Watershed basins of images (B, H, W): for each pixel, the index of the bottom it drains to.

    Water runs from each pixel to its lowest neighbour, of the eight, on the relief of the
    gradient's size, until it stands. Level ground drains towards the first pixel of the image.
    """
    count, height, width = grey.shape
    relief = _relief(grey).double()
    # A tilt below any difference of float32 gradients decides level ground.
    here = torch.arange(height * width, device=grey.device)
    relief = relief + 1e-12 * here.view(1, height, width)
    rim = F.pad(relief[:, None], (1, 1, 1, 1), value=math.inf)
    around = F.unfold(rim, 3).view(count, 9, height * width)
    lowest = around.argmin(1)
    down = here + (lowest // 3 - 1) * width + lowest % 3 - 1
    for _ in range((height * width).bit_length()):  # each round doubles how far a drop has run
        down = down.gather(1, down)
    return down.view(count, height, width)


def _relief(grey: Tensor) -> Tensor:
    smooth = grey[:, None]
    for _ in range(2):
        smooth = F.avg_pool2d(F.pad(smooth, (2, 2, 2, 2), mode="replicate"), 5, 1)
    smooth = F.pad(smooth, (1, 1, 1, 1), mode="replicate")[:, 0]
    across = smooth[:, 1:-1, 2:] - smooth[:, 1:-1, :-2]
    along = smooth[:, 2:, 1:-1] - smooth[:, :-2, 1:-1]
    return torch.hypot(across, along)


def _grey(images: Tensor) -> Tensor:
    return images[:, 0] * _LUMA[0] + images[:, 1] * _LUMA[1] + images[:, 2] * _LUMA[2]


def _blurred(image: Tensor, sigma: float) -> Tensor:
    sigma = abs(sigma)
    if sigma < 0.3:  # narrower than a pixel: nothing to see
        return image
    reach = math.ceil(2.5 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1).expand(3, 1, 1, -1)
    image = F.pad(image, (reach, reach, reach, reach), mode="replicate")
    image = F.conv2d(image, kernel, groups=3)
    return F.conv2d(image, kernel.transpose(2, 3), groups=3)


def _centre(mask: Tensor, on_wound: bool, generator: Generator) -> tuple[float, float]:
    """Row and column of a pixel of the wound, or of any pixel."""
    flat = mask.flatten().nonzero()[:, 0] if on_wound else mask.new_zeros(0, dtype=torch.long)
    limit = len(flat) or mask.numel()
    index = int(torch.randint(limit, (1,), generator=generator))
    index = int(flat[index]) if len(flat) else index
    return index // mask.shape[1] + 0.5, index % mask.shape[1] + 0.5
