"""F23 and G11: when memory runs out in truth, tiles get smaller and the result stays the same."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from resattn import demo
from resattn.errors import ResourceError, is_out_of_memory
from resattn.fusion.classical import Model
from resattn.pipelines import pansharpen as pansharpening
from resattn.tiling import Grid, sweep

IMAGE = np.random.default_rng(0).random((1, 256, 256), np.float32)
SCRATCH_BYTES = 8192
"""Working memory of one pixel: 537 MB for the whole image."""


def address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123
        return int(stream.read().split()[0]) * resource.getpagesize()


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Room for about 128 MB more than is in use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + 128 * 2**20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def box(block: np.ndarray) -> np.ndarray:
    """Vertical sum over three rows: a reach of one pixel."""
    padded = np.pad(block, ((0, 0), (1, 1), (0, 0)))
    return padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]


def hungry_numpy(block: np.ndarray) -> np.ndarray:
    np.empty(block.size * SCRATCH_BYTES, np.uint8)
    return box(block)


def hungry_torch(block: np.ndarray) -> np.ndarray:
    torch.empty(block.size * SCRATCH_BYTES, dtype=torch.uint8)
    return box(block)


@pytest.mark.parametrize("function", [hungry_numpy, hungry_torch])
def test_f23_tiles_are_halved_until_they_fit(little_memory, function) -> None:
    out = np.zeros_like(IMAGE)
    count = 0
    for window, block in sweep(
        Grid(256, 256, 256, halo=1), lambda w: IMAGE[(..., *w.slices)], function
    ):
        out[(..., *window.slices)] = block
        count += 1
    assert count >= 4
    np.testing.assert_array_equal(out, box(IMAGE))


def test_f23_what_never_fits_is_said(little_memory) -> None:
    def insatiable(block: np.ndarray) -> np.ndarray:
        np.empty(2**40, np.uint8)
        return block

    with pytest.raises(ResourceError, match="out of memory on a tile of 16×16") as caught:
        next(sweep(Grid(256, 256, 256), lambda w: IMAGE[(..., *w.slices)], insatiable))
    assert caught.value.code == "E501"
    assert "--tile" in caught.value.hint


def test_f23_a_scene_is_sharpened_in_parts_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"method": "brovey", "metrics": False, "registration": False, "threads": 1}
    scene = (demo.path("marburg_pan"), demo.path("marburg_ms"))
    pansharpening.pansharpen(*scene, tmp_path / "whole.tif", **options)
    apply, sizes = Model.apply, []

    def hungry(self, scene, window):
        if window.height * window.width > 1000:
            raise MemoryError
        sizes.append(window.height * window.width)
        return apply(self, scene, window)

    monkeypatch.setattr(Model, "apply", hungry)
    pansharpening.pansharpen(*scene, tmp_path / "parts.tif", **options)
    assert len(sizes) > 4
    assert (tmp_path / "parts.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("a.so: failed to map segment from shared object"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_f23_what_counts_as_out_of_memory(error: BaseException, out: bool) -> None:
    assert is_out_of_memory(error) is out
