"""Which network codes an image, and which one a file was made with."""

from __future__ import annotations

import logging
from typing import Final

from resattn import device as devices
from resattn.codec.header import KEY_BYTES, NO_NETWORK, Head
from resattn.codec.network import Network
from resattn.device import Precision
from resattn.errors import WeightsError
from resattn.models.compress import CompressNet
from resattn.weights.index import listed
from resattn.weights.load import Loaded, load

log = logging.getLogger(__name__)

TASK: Final = "compress"
DEFAULT_WEIGHTS: Final = "compress.light"


class Networks:
    """The networks of a run, each loaded once.

    Args:
        weights: A listed name or a file; empty takes the default, or the one a file names.
        device: Where they run.
        precision: Their arithmetic.
    """

    def __init__(self, weights: str, device: str, precision: Precision) -> None:
        self._weights = weights
        self._device = devices.pick(device)
        self._precision = precision
        self._loaded: dict[str, Network] = {}

    def to_encode(self) -> Network:
        """The network for new files.

        Raises:
            WeightsError: There is none (E600), or it is another task's (E606).
        """
        if self._weights or DEFAULT_WEIGHTS in listed():
            return self._network(self._weights or DEFAULT_WEIGHTS)
        raise WeightsError(
            "no network for compress is installed",
            "make one with: resattn train compress, name a file by --weights, "
            "or keep every bit with --lossless",
        )

    def to_decode(self, head: Head) -> Network | None:
        """The network a file was made with; None if it was made without.

        Raises:
            WeightsError: It is not installed (E600), or ``--weights`` is another one (E606).
        """
        if head.weights == NO_NETWORK:
            return None
        name = self._weights or _named(head)
        if not name:
            raise _absent(head)
        network = self._network(name)
        if network.key != head.weights:
            raise WeightsError(
                f"the file was made with {head.name} (sha256 {head.weights.hex()}…), "
                f"{name} is another network (sha256 {network.key.hex()}…)",
                "name the file of the right weights",
                code="E606",
            )
        return network

    def _network(self, name: str) -> Network:
        if name not in self._loaded:
            self._loaded[name] = self._open(load(name, TASK))
        return self._loaded[name]

    def _open(self, loaded: Loaded) -> Network:
        if not isinstance(loaded.model, CompressNet):
            raise WeightsError(f"{loaded.name} holds no network of the codec", code="E606")
        if not loaded.commercial:
            log.warning("%s: licence %s, not for commercial use", loaded.name, loaded.licence)
        return Network(loaded.model, loaded.name, loaded.sha256, self._device, self._precision)


def _named(head: Head) -> str:
    """The listed weights of a file's network, by their hash; empty if there are none."""
    prefix = head.weights.hex()
    found = [e.name for _, e in listed().values() if e.task == TASK and e.sha256.startswith(prefix)]
    return found[0] if found else ""


def _absent(head: Head) -> WeightsError:
    """The error of a file whose network is not here, perhaps because a later one took its name."""
    made = f"the file was made with {head.name} (sha256 {head.weights.hex()}…)"
    if head.name in listed():
        _, entry = listed()[head.name]
        later = entry.sha256[: 2 * KEY_BYTES]
        return WeightsError(
            f"{made}, the {head.name} installed here is another training (sha256 {later}…)",
            "name the file of those weights by --weights, or compress the original again",
        )
    return WeightsError(
        f"{made}, which is not installed", "install these weights, or name their file by --weights"
    )
