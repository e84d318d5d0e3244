"""The real network: integers never change, pixels by one step at most, whatever computes them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from resattn.codec.damage import DamageError
from resattn.codec.network import Network
from resattn.models.compress_integer import ENGINES
from tests.unit.compress_net.net_cases import random_net

SHA256 = "ab" * 32
LEVELS = (3, 33, 63)


@pytest.fixture(scope="module")
def model():
    return random_net()


@pytest.fixture(scope="module")
def image():
    rows, cols = np.mgrid[:90, :130] / 30
    rng = np.random.default_rng(0)
    unit = np.stack([np.sin(rows * b) * np.cos(cols + b) for b in (1, 2, 3)]) / 2.5 + 0.5
    return np.clip(unit + rng.normal(0, 0.05, unit.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def coded(model, image):
    """Streams by level, and the 8-bit pictures they decode to here and now."""
    network = Network(copy.deepcopy(model), "tiny", SHA256)
    streams = {level: network.encode(image, level) for level in LEVELS}
    return streams, {level: eight_bits(network, streams, level) for level in LEVELS}


def eight_bits(network, streams, level):
    stream = streams[level]
    unit = network.decode(stream.payload, stream.content, (90, 130), level)
    return np.rint(unit * 255).astype(int)


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("mkldnn", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_decodes_to_its_integers_and_picture(model, coded, threads, layout, mkldnn, engine):
    streams, pictures = coded
    other = copy.deepcopy(model).to(memory_format=layout)
    other.scale._engines[torch.device("cpu")] = engine
    network = Network(other, "tiny", SHA256)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        torch._C._set_mkldnn_enabled(mkldnn)
        for level in LEVELS:
            found = eight_bits(network, streams, level)  # other integers would raise
            assert np.abs(found - pictures[level]).max() <= 1
    finally:
        torch._C._set_mkldnn_enabled(True)
        torch.set_num_threads(before)


@pytest.mark.parametrize("precision", ["bf16"])
def test_integers_hold_at_low_precision_too(model, coded, precision):
    streams, pictures = coded
    network = Network(copy.deepcopy(model), "tiny", SHA256, precision=precision)
    for level in LEVELS:
        assert np.abs(eight_bits(network, streams, level) - pictures[level]).mean() < 2


def test_other_weights_are_noticed(coded):
    streams, _ = coded
    network = Network(random_net(seed=1), "tiny", SHA256)
    for level in LEVELS:
        stream = streams[level]
        with pytest.raises(DamageError):
            network.decode(stream.payload, stream.content, (90, 130), level)


def test_levels_that_do_not_exist_are_damage(model, coded):
    stream = coded[0][3]
    with pytest.raises(DamageError, match="64"):
        Network(model, "tiny", SHA256).decode(stream.payload, stream.content, (90, 130), 64)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_decodes_the_same_integers(model, coded):
    streams, pictures = coded
    network = Network(copy.deepcopy(model), "tiny", SHA256, torch.device("cuda"))
    for level in LEVELS:
        assert np.abs(eight_bits(network, streams, level) - pictures[level]).max() <= 1
