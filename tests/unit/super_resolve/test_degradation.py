"""The LR maker against MATLAB's own output, and against a second implementation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resattn.degradation import downscale


def kernel(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def shrink_line(line, scale, border):
    """One line by the definition, pixel by pixel."""
    length = len(line)
    out = []
    for target in range(math.ceil(length / scale)):
        centre = (target + 0.5) * scale - 0.5
        total = weights = 0.0
        for source in range(math.floor(centre - 2 * scale), math.ceil(centre + 2 * scale) + 1):
            weight = kernel((centre - source) / scale)
            if border == "mirror":
                place = source % (2 * length)
                place = place if place < length else 2 * length - 1 - place
            else:
                place = min(max(source, 0), length - 1)
            total += weight * int(line[place])
            weights += weight
        out.append(min(max(math.floor(total / weights + 0.5), 0), 255))
    return np.array(out, dtype=np.uint8)


@given(
    rows=st.integers(1, 13),
    cols=st.integers(1, 13),
    scale=st.integers(1, 4),
    border=st.sampled_from(["mirror", "clamp"]),
    seed=st.integers(0, 2**31),
)
def test_agrees_with_the_definition(rows, cols, scale, border, seed):
    image = np.random.default_rng(seed).integers(0, 256, (rows, cols), dtype=np.uint8)
    tall = np.apply_along_axis(shrink_line, 0, image, scale, border)
    expected = np.apply_along_axis(shrink_line, 1, tall, scale, border)
    found = downscale(torch.from_numpy(image), scale, border=border).numpy()
    # A sum that ends in exactly one half rounds by the order of its terms.
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.mean(found != expected) <= 0.05


def test_scale_one_is_the_image():
    image = torch.randint(0, 256, (3, 9, 5), dtype=torch.uint8)
    assert torch.equal(downscale(image, 1), image)


@pytest.mark.parametrize("image", [torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.int16)])
def test_other_types_are_refused(image):
    with pytest.raises(ValueError, match="uint8"):
        downscale(image, 2)


def test_scale_zero_is_refused():
    with pytest.raises(ValueError, match="scale must be >= 1, got 0"):
        downscale(torch.zeros(4, 4, dtype=torch.uint8), 0)


def read(path):
    cv2 = pytest.importorskip("cv2")
    return torch.from_numpy(cv2.imdecode(np.fromfile(path, np.uint8), 1).transpose(2, 0, 1).copy())


@pytest.mark.shared
@pytest.mark.parametrize("scale", [2, 4])
def test_official_set5_mirrored_is_reproduced_to_the_pixel(shared, scale):
    folder = shared / "sr_test" / "Set5_swin2sr"
    files = sorted(folder.glob("testsets__Set5__HR__*.png"))
    assert len(files) == 5
    for high in files:
        name = high.stem.rpartition("__")[2]
        low = folder / f"testsets__Set5__LR_bicubic__X{scale}__{name}x{scale}.png"
        rows, cols = (n // scale * scale for n in read(high).shape[1:])
        assert torch.equal(downscale(read(high)[:, :rows, :cols], scale), read(low)), name


@pytest.mark.shared
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("name", "count"), [("Set5", 5), ("Set14", 14)])
def test_selfexsr_sets_clamped_are_reproduced_to_the_pixel(shared, name, count, scale):
    files = sorted((shared / "sr_test" / name / f"image_SRF_{scale}").glob("*_HR.png"))
    assert len(files) == count
    for high in files:
        low = read(high.with_name(high.name.replace("_HR", "_LR")))
        assert torch.equal(downscale(read(high), scale, border="clamp"), low), high.name
