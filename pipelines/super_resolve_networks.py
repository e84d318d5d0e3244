"""The networks that a request for a scale and a model stands for."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import torch

from resattn import device as devices
from resattn.errors import UserError, WeightsError
from resattn.models.descriptor import ModelDescriptor
from resattn.upscale.network import Cascade, Network, factors
from resattn.weights.index import listed
from resattn.weights.load import Loaded, load

log = logging.getLogger(__name__)

TASK = "super-resolve"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Networks in order, and what a report says of them."""

    cascade: Cascade
    names: tuple[str, ...]
    sha256: tuple[str, ...]

    def __str__(self) -> str:
        return " then ".join(self.names)


def choose(
    scale: float, model: str, weights: str, device: str, precision: devices.Precision
) -> Chosen:
    """The networks for `scale`, loaded and on their device.

    The smallest factor that suffices is taken, or two networks one behind the other; what is too
    much is reduced afterwards.

    Args:
        scale: What an image will be enlarged by.
        model: Name of a family of weights, such as ``fast``.
        weights: One listed name or file, used for every scale instead.
        device: As `resattn.device.pick`.
        precision: Arithmetic.

    Raises:
        UserError: The device is not there, or the networks do not reach the scale.
        WeightsError: There are no such weights, or they are not to be trusted.
    """
    where = devices.pick(device)
    if weights:
        given = load(weights, TASK)
        available = {_descriptor(given).scale: given.name}
        loaded = {given.name: given}
    else:
        available, loaded = _family(model), {}
    try:
        names = [available[factor] for factor in factors(scale, sorted(available))]
    except ValueError as error:
        raise UserError(
            f"--scale {scale:g}: {error}", "give weights of a larger scale", code="E208"
        ) from error
    for name in names:
        loaded.setdefault(name, load(name, TASK))
        if not loaded[name].commercial:
            log.warning("%s: licence %s, not for commercial use", name, loaded[name].licence)
    networks = {
        name: Network(loaded[name].model, _descriptor(loaded[name]), where, precision)
        for name in dict.fromkeys(names)
    }
    return Chosen(
        Cascade(tuple(networks[name] for name in names)),
        tuple(names),
        tuple(loaded[name].sha256 for name in names),
    )


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
