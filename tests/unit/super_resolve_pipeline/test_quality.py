"""Scores added up over tiles are those of the whole image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from resattn.errors import ItemError
from resattn.io.image import encode_image
from resattn.metrics.luma import psnr_y, ssim_y
from resattn.pipelines.pictures import open_picture
from resattn.pipelines.super_resolve_quality import check_reference, compare
from resattn.upscale.levels import Levels

RANDOM = np.random.default_rng(7)


def photo(path, pixels):
    path.write_bytes(encode_image(pixels))
    return path


def raster(path, pixels, **profile):
    with rasterio.open(
        path, "w", driver="GTiff", count=len(pixels), height=pixels.shape[1],
        width=pixels.shape[2], dtype=pixels.dtype, photometric="MINISBLACK",
        transform=Affine(1, 0, 5, 0, -1, 5), **profile,
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


def scored(source, output, truth, levels, border):
    with open_picture(source) as picture:
        return compare(picture, output, truth, levels, border)


@pytest.mark.parametrize(("bands", "border"), [(1, 0), (3, 4)])
@pytest.mark.parametrize("size", [(515, 530), (100, 12), (531, 20)])
def test_tiles_add_up_to_the_whole(tmp_path, bands, border, size):
    truth = RANDOM.integers(0, 256, (bands, *size), np.uint8)
    estimate = np.clip(truth + RANDOM.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    low = np.ascontiguousarray(truth[:, ::2, ::2])
    paths = [photo(tmp_path / f"{i}.png", p) for i, p in enumerate((low, estimate, truth))]
    scores, baselines = scored(*paths, Levels.of_type("uint8", bands), border)
    assert scores["psnr_y"] == pytest.approx(psnr_y(estimate, truth, border=border), abs=1e-5)
    whole = ssim_y(estimate, truth, border=border)
    if math.isnan(whole):
        assert "ssim_y" not in scores
    else:
        assert scores["ssim_y"] == pytest.approx(whole, abs=1e-6)
    assert set(baselines) == {"bicubic", "lanczos"}


def test_an_equal_image_scores_infinity_and_one(tmp_path):
    truth = RANDOM.integers(0, 256, (3, 40, 40), np.uint8)
    path = photo(tmp_path / "a.png", truth)
    scores, baselines = scored(path, path, path, Levels.of_type("uint8", 3), 0)
    assert scores == {"psnr_y": math.inf, "ssim_y": pytest.approx(1)}
    # A kernel at its own size copies.
    assert baselines["bicubic"]["psnr_y"] > 100


def test_what_lies_under_holes_does_not_count(tmp_path):
    truth = RANDOM.integers(1, 4000, (2, 40, 50)).astype(np.uint16)
    estimate = truth + 10
    holed = estimate.copy()
    holed[:, :20] = 0
    paths = [raster(tmp_path / "low.tif", truth[:, ::2, ::2]),
             raster(tmp_path / "est.tif", holed, nodata=0), raster(tmp_path / "truth.tif", truth)]  # fmt: skip  # noqa: E501
    scores, _ = scored(*paths, Levels.same(0, 4095, 2), 2)
    error = 219 / 255 * 10 * 255 / 4095  # luma of grey spans 219 of 255 steps
    assert scores["psnr_y"] == pytest.approx(20 * math.log10(255 / error), abs=1e-3)
    assert "ssim_y" not in scores


def test_more_than_three_bands_are_scored_one_by_one(tmp_path):
    truth = RANDOM.integers(0, 256, (4, 30, 30), np.uint8)
    estimate = RANDOM.integers(0, 256, (4, 30, 30), np.uint8)
    paths = [raster(tmp_path / f"{i}.tif", p)
             for i, p in enumerate((truth[:, ::2, ::2], estimate, truth))]  # fmt: skip
    scores, _ = scored(*paths, Levels.of_type("uint8", 4), 0)
    each = [ssim_y(e, t) for e, t in zip(estimate, truth, strict=True)]
    assert scores["ssim_y"] == pytest.approx(np.mean(each), abs=1e-6)


def test_the_order_of_colours_and_transparency_do_not_matter(tmp_path):
    truth = RANDOM.integers(1, 256, (3, 40, 40), np.uint8)
    estimate = RANDOM.integers(1, 256, (3, 40, 40), np.uint8)
    opaque = np.full((40, 40), 255, np.uint8)
    names = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.alpha]
    reversed_path = tmp_path / "bgra.tif"
    with rasterio.open(reversed_path, "w", driver="GTiff", count=4, height=40, width=40,
                       dtype="uint8", transform=Affine(1, 0, 5, 0, -1, 5)) as file:  # fmt: skip
        file.colorinterp = names
        file.write(np.concatenate([estimate[::-1], opaque[None]]))
    low = tmp_path / "low.png"
    low.write_bytes(encode_image(truth[:, ::2, ::2], alpha=opaque[::2, ::2]))
    truth_path = photo(tmp_path / "truth.png", truth)
    scores, _ = scored(low, reversed_path, truth_path, Levels.of_type("uint8", 4), 2)
    assert scores["psnr_y"] == pytest.approx(psnr_y(estimate, truth, border=2), abs=1e-5)


def test_a_border_that_leaves_nothing_gives_no_score(tmp_path):
    path = photo(tmp_path / "a.png", RANDOM.integers(0, 256, (3, 6, 6), np.uint8))
    assert scored(path, path, path, Levels.of_type("uint8", 3), 3)[0] == {}


def test_a_reference_on_another_grid_is_refused(tmp_path):
    path = photo(tmp_path / "a.png", RANDOM.integers(0, 256, (3, 6, 6), np.uint8))
    check_reference(path, 6, 6, 3)
    for height, width, bands in ((5, 6, 3), (6, 5, 3), (6, 6, 1)):
        with pytest.raises(ItemError, match="6×6 pixels and 3 bands") as refused:
            check_reference(path, height, width, bands)
        assert refused.value.code == "E328"
