"""The network that a request for a scale and a model stands for."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import torch

from resattn import device as devices
from resattn.errors import WeightsError
from resattn.models.descriptor import ModelDescriptor
from resattn.upscale.network import Network, nearest_factor
from resattn.weights.index import listed
from resattn.weights.load import Loaded, load

log = logging.getLogger(__name__)

TASK = "super-resolve"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A network and what a report says of it."""

    network: Network
    name: str
    sha256: str


def choose(
    scale: float, model: str, weights: str, device: str, precision: devices.Precision
) -> Chosen:
    """The network for `scale`, loaded and on its device.

    The smallest factor that suffices is taken, else the largest there is.

    Args:
        scale: What an image will be enlarged by.
        model: Name of a family of weights, such as ``fast``.
        weights: A listed name or a file, used for every scale instead.
        device: As `resattn.device.pick`.
        precision: Arithmetic.

    Raises:
        UserError: The device is not there.
        WeightsError: There are no such weights, or they are not to be trusted.
    """
    where = devices.pick(device)
    name = weights
    if not weights:
        family = _family(model)
        name = family[nearest_factor(scale, list(family))]
    loaded = load(name, TASK)
    if not loaded.commercial:
        log.warning("%s: licence %s, not for commercial use", name, loaded.licence)
    network = Network(loaded.model, _descriptor(loaded), where, precision)
    return Chosen(network, name, loaded.sha256)


def _family(model: str) -> dict[int, str]:
    """Names of the listed weights of a model by their scale."""
    names = (re.fullmatch(rf"{TASK}\.(.+)\.x(\d+)", name) for name in listed())
    found = [(match[1], int(match[2]), match[0]) for match in names if match]
    family = {scale: name for family, scale, name in found if family == model}
    if not family:
        known = ", ".join(sorted({family for family, _, _ in found})) or "none"
        raise WeightsError(
            f"no weights are installed for --model {model} (installed: {known})",
            "choose one of them, or give a file by --weights",
        )
    return family


def _descriptor(loaded: Loaded) -> ModelDescriptor:
    descriptor = getattr(loaded.model, "descriptor", None)
    if not isinstance(descriptor, ModelDescriptor):
        raise WeightsError(f"{loaded.name} holds no model for images", code="E606")
    return descriptor


def use_threads(count: int) -> None:
    """Lets torch use `count` CPU threads; 0 leaves its own choice."""
    if count:
        torch.set_num_threads(count)
