"""Released lambda-PNN checkpoints under their own names, against the network in NumPy."""

import math

import numpy as np
import pytest
import safetensors.torch
import torch
from arrays import convolved, relu, sigmoid

from resattn.models.lambda_pnn import LambdaPnn
from resattn.weights import convert, lambda_pnn_layout
from resattn.weights.load import load

WIDTH = 64


def released(bands, seed=0):
    random = np.random.default_rng(seed)
    state = {}

    def layer(name, *shape):
        state[f"{name}.weight"] = random.normal(0, (1 / math.prod(shape[1:])) ** 0.5, shape)
        state[f"{name}.bias"] = random.normal(0, 0.1, shape[0])

    layer("conv_1", WIDTH, bands + 1, 3, 3)
    layer("conv_2", WIDTH, WIDTH, 3, 3)
    for i in (1, 2):
        layer(f"CBAM_{i}.ChannelGate.mlp.1", WIDTH // 4, WIDTH)
        layer(f"CBAM_{i}.ChannelGate.mlp.3", WIDTH, WIDTH // 4)
        layer(f"CBAM_{i}.SpatialGate.spatial.conv_1", 1, 2, 7, 7)
        layer(f"res_block_{i}.body.0", WIDTH, WIDTH, 3, 3)
        layer(f"res_block_{i}.body.2", WIDTH, WIDTH, 3, 3)
    layer("conv_3", bands, WIDTH, 5, 5)
    return state


def forward(state, image):
    """The released network on (bands + 1, H, W), PAN last: all bands, detail added."""

    def conv(x, name):
        return convolved(x, state[f"{name}.weight"], state[f"{name}.bias"], mode="reflect")

    def gated(x, name):
        def mlp(pooled):
            hidden = relu(
                state[f"{name}.ChannelGate.mlp.1.weight"] @ pooled
                + state[f"{name}.ChannelGate.mlp.1.bias"]
            )
            last = f"{name}.ChannelGate.mlp.3"
            return state[f"{last}.weight"] @ hidden + state[f"{last}.bias"]

        y = x * sigmoid(mlp(x.mean((1, 2))) + mlp(x.max((1, 2))))[:, None, None]
        pooled = np.stack([y.max(0), y.mean(0)])
        return x + y * sigmoid(conv(pooled, f"{name}.SpatialGate.spatial.conv_1"))

    def block(x, name):
        y = conv(x, f"{name}.body.0")
        y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
        return x + conv(y, f"{name}.body.2")

    x = relu(conv(relu(conv(image, "conv_1")), "conv_2"))
    x = gated(x, "CBAM_1")
    x = gated(block(block(x, "res_block_1"), "res_block_2"), "CBAM_2")
    return conv(x, "conv_3") + image[:-1]


def tensors(state):
    return {name: torch.from_numpy(value).float() for name, value in state.items()}


@pytest.mark.parametrize("bands", [4, 8])
def test_forward_is_that_of_the_released_network(bands):
    """Their input ends with PAN, ours starts with it; ours gives the detail alone."""
    state, image = released(bands), np.random.default_rng(1).random((bands + 1, 15, 18))
    config, ours = lambda_pnn_layout.to_ours(tensors(state))
    model = LambdaPnn(config)
    model.load_state_dict(ours)
    expected = forward(state, image) - image[:-1]
    ordered = np.concatenate([image[-1:], image[:-1]])
    with torch.no_grad():
        detail = model(torch.from_numpy(ordered)[None].float())[0]
    assert expected.std() > 0.1
    np.testing.assert_allclose(detail, expected, atol=1e-4)


def test_a_checkpoint_becomes_a_file_of_ours(tmp_path):
    safetensors.torch.save_file(tensors(released(4)), tmp_path / "GE1.safetensors")
    entry, data = convert.convert(tmp_path / "GE1.safetensors", "mine")
    (tmp_path / "mine.safetensors").write_bytes(data)
    assert load(str(tmp_path / "mine.safetensors"), "pansharpen").model.config.bands == 4
    assert not entry.commercial


def test_another_width_is_refused():
    theirs = tensors(released(4)) | {"conv_1.bias": torch.zeros(32)}
    with pytest.raises(ValueError, match="conv_1 has 32 channels, the published network 64"):
        lambda_pnn_layout.to_ours(theirs)
