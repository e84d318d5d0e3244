"""CRAFT against a plain rewriting of its window attention, and against its published scores."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from resattn.metrics.luma import psnr_y, ssim_y
from resattn.models.craft import MENDED, Craft, CraftConfig, EdgeBlock, WindowBlock

SMALL = CraftConfig(scale=2, dim=16, groups=1, depth=1, heads=2)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def windows(x, height, width):
    """Windows of x (H, W, C) as a list of (rows, cols, tokens)."""
    for row in range(0, x.shape[0], height):
        for col in range(0, x.shape[1], width):
            block = x[row : row + height, col : col + width]
            yield slice(row, row + height), slice(col, col + width), block.reshape(-1, x.shape[2])


def released_attention(block, x, shifted):
    """The released code's attention, window by window: roll, attend, roll back, no mask, no bias.

    The bias network of width 1 gives one number for all offsets, which the softmax cancels.
    """
    mixer = block.attention.mixer
    q, k, v = F.linear(x, mixer.qkv.weight, mixer.qkv.bias).chunk(3, -1)
    half, heads = x.shape[-1] // 2, 1
    out = torch.zeros_like(v)
    for part, (height, width) in enumerate([(4, 16), (16, 4)]):
        lanes = slice(part * half, (part + 1) * half)
        shift = (height // 2, width // 2) if shifted else (0, 0)
        rolled = [t[..., lanes].roll((-shift[0], -shift[1]), (0, 1)) for t in (q, k, v)]
        mixed = torch.zeros_like(rolled[0])
        for (rows, cols, a), (_, _, b), (_, _, c) in zip(
            *(windows(t, height, width) for t in rolled), strict=True
        ):
            weights = torch.softmax(a @ b.T * (half // heads) ** -0.5, -1)
            mixed[rows, cols] = (weights @ c).reshape(height, width, half)
        out[..., lanes] = mixed.roll(shift, (0, 1))
    conv = mixer.value_conv
    local = F.conv2d(
        v.permute(2, 0, 1)[None], conv.weight, conv.bias, padding=1, groups=v.shape[-1]
    )
    return F.linear(out + local[0].permute(1, 2, 0), mixer.proj.weight, mixer.proj.bias)


@pytest.mark.parametrize("shifted", [False, True])
def test_window_block_is_that_of_the_released_code(shifted):
    block = WindowBlock(SMALL, shifted=shifted).eval()
    x = torch.randn(32, 48, 16)
    with torch.no_grad():
        normed = F.layer_norm(x, (16,))
        expected = x + released_attention(block, normed, shifted)
        expected = expected + block.mlp(F.layer_norm(expected, (16,)))
        torch.testing.assert_close(block(x[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_edge_block_follows_its_equation():
    block = EdgeBlock(8)
    x = torch.randn(1, 8, 6, 7)
    with torch.no_grad():
        edges = F.gelu(F.conv2d(x[:, :4], block.conv.weight, block.conv.bias, padding=1))
        padded = F.pad(x[:, 4:], (1, 1, 1, 1), value=-torch.inf)
        peaks = padded.unfold(2, 3, 1).unfold(3, 3, 1).amax((-1, -2))
        peaks = F.gelu(F.conv2d(peaks, block.peak.weight, block.peak.bias))
        merged = F.conv2d(torch.cat([edges, peaks], 1), block.merge.weight, block.merge.bias)
        torch.testing.assert_close(block(x), x + merged)


@pytest.mark.parametrize("config", [SMALL, CraftConfig(scale=3, dim=16, groups=2, heads=2)])
@pytest.mark.parametrize("size", [(1, 1), (5, 19), (16, 32)])
def test_any_size_is_enlarged_by_the_scale(config, size):
    with torch.no_grad():
        out = Craft(config).eval()(torch.rand(1, 3, *size))
    assert out.shape == (1, 3, size[0] * config.scale, size[1] * config.scale)


def bias_spread(config):
    """Largest difference between the biases of two positions."""
    biases = [m for m in Craft(config).modules() if hasattr(m, "values") and hasattr(m, "offsets")]
    with torch.no_grad():
        return max(float((b.values() - b.values()[0]).abs().max()) for b in biases)


def test_published_bias_is_dead_and_a_table_is_not():
    assert bias_spread(CraftConfig()) == 0.0
    assert bias_spread(CraftConfig(bias="table")) > 0.01


def test_mended_shift_does_not_join_opposite_borders():
    def reaches_the_far_border(config):
        block = WindowBlock(config, shifted=True)
        x = torch.randn(1, 32, 48, 48, requires_grad=True)
        block(x)[0, 0].sum().backward()
        return bool(x.grad[0, -3:].any())

    assert reaches_the_far_border(CraftConfig())
    assert not reaches_the_far_border(MENDED)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "psnr", "ssim"), [("Set5", 32.42, 0.8973), ("Set14", 28.855, 0.7867)]
)
def test_imported_checkpoint_reproduces_its_scores(shared, name, psnr, ssim, tmp_path):
    cv2 = pytest.importorskip("cv2")
    from resattn.weights.convert import convert
    from resattn.weights.load import load

    _, data = convert(shared / "parity" / "craft_x4_ntire2024_team34.pth", "team34")
    (tmp_path / "team34.safetensors").write_bytes(data)
    loaded = load(str(tmp_path / "team34.safetensors"), "super-resolve")

    def read(path):
        image = cv2.imdecode(np.fromfile(path, np.uint8), 1)[..., ::-1]
        return torch.from_numpy(image.transpose(2, 0, 1).copy())

    scores = []
    for high in sorted((shared / "sr_test" / name / "image_SRF_4").glob("*_HR.png")):
        low = read(high.with_name(high.name.replace("_HR", "_LR")))[None].float() / 255
        height, width = low.shape[-2:]
        mirrored = torch.cat([low, low.flip(-2)], -2)[..., : -(-height // 16) * 16, :]
        mirrored = torch.cat([mirrored, mirrored.flip(-1)], -1)[..., : -(-width // 16) * 16]
        with torch.inference_mode():
            estimate = loaded.model(mirrored)[0, :, : 4 * height, : 4 * width]
        pair = estimate.clamp(0, 1).mul(255).round().numpy(), read(high).numpy()
        scores.append((psnr_y(*pair, border=4), ssim_y(*pair, border=4)))
    found = np.mean(scores, axis=0)
    assert found[0] == pytest.approx(psnr, abs=0.005)
    assert found[1] == pytest.approx(ssim, abs=0.0001)
