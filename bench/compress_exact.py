"""Every file decoded to its integers under every setting that changes floating-point results."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path

import torch

from resattn.codec.damage import DamageError
from resattn.codec.files import open_rac
from resattn.codec.network import Network
from resattn.codec.tiles import Decoder
from resattn.models.compress import CompressNet
from resattn.models.compress_integer import ENGINES
from resattn.pipelines.compress_networks import DEFAULT_WEIGHTS, TASK
from resattn.weights.load import load


def mismatches(files: Sequence[Path], weights: str) -> int:
    """How many tiles do not decode to the integers that were coded, over all settings.

    Settings: 1 and 2 threads, both memory layouts, with and without oneDNN, and three engines.
    """
    loaded = load(weights or DEFAULT_WEIGHTS, TASK)
    assert isinstance(loaded.model, CompressNet)
    count = 0
    for threads, layout, onednn, engine in itertools.product(
        (1, 2), (torch.contiguous_format, torch.channels_last), (True, False), ENGINES
    ):
        model = copy.deepcopy(loaded.model).to(memory_format=layout)
        model.scale._engines[torch.device("cpu")] = engine
        network = Network(model, loaded.name, loaded.sha256)
        torch.set_num_threads(threads)
        torch._C._set_mkldnn_enabled(onednn)
        count += sum(_wrong(path, network) for path in files)
    torch._C._set_mkldnn_enabled(True)
    return count


def _wrong(path: Path, network: Network) -> int:
    wrong = 0
    with open_rac(path) as file:
        decoder = Decoder(file.layout, file.stream, file.scale, network)
        for tile in range(file.head.tiles):
            try:
                decoder.check(tile)
            except DamageError:
                wrong += 1
    return wrong
