"""Makes the golden files: `PYTHONPATH=. python tests/golden/rac/make.py`.

Once weights are released this is never run again: files of version 1 have to be read for ever, so
a reader that fails on them is wrong. A new version of the format gets files of its own.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from resattn.io.image import write_image
from resattn.io.metadata import Metadata
from resattn.pipelines.compress import compress
from resattn.pipelines.decompress import decompress
from resattn.weights.export import pack
from resattn.weights.origin import Origin
from tests.unit.compress_net.net_cases import SMALL, random_net

HERE = Path(__file__).parent
WEIGHTS = HERE / "net.safetensors"
EXIF = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 1, 0, 0)
METADATA = Metadata(icc=bytes(range(64)), exif=EXIF, xmp=b"<x/>")


def waves(bands: int, height: int, width: int) -> np.ndarray:
    """Whole numbers of 0..255 that no library computes otherwise."""
    rows, cols = np.mgrid[:height, :width]
    steps = [
        (rows * rows * (b + 2) // 40 + cols * (7 - b) + rows * cols // 90) for b in range(bands)
    ]
    folded = np.abs(np.stack(steps) % 510 - 255)
    return folded + (rows * 7919 + cols * 104729) % 11 - 5


def main() -> None:
    """Writes the network, the files and what they decode to here."""
    origin = Origin("golden", "compress", "compress-net", SMALL.to_dict(), "none", "CC0-1.0",
                    "CC0-1.0", "tests/golden/rac/make.py")  # fmt: skip
    WEIGHTS.write_bytes(pack(random_net().state_dict(), origin)[1])
    settings = {"overwrite": True, "weights": str(WEIGHTS), "threads": 1}
    photo = np.clip(waves(3, 70, 100), 0, 255).astype(np.uint8)
    alpha = np.clip(waves(1, 70, 100)[0], 0, 255).astype(np.uint8)
    source = HERE / "source.png"
    write_image(source, photo, alpha=alpha, metadata=METADATA, overwrite=True)
    compress(source, HERE / "photo.rac", quality=60, **settings)
    compress(source, HERE / "exact.rac", lossless=True, overwrite=True)
    source.unlink()
    bands = (waves(4, 130, 90) * 31 + 900).astype(np.uint16)
    bands[:, 20:60, 30:80] = 0
    source = HERE / "source.tif"
    profile = {
        "driver": "GTiff", "height": 130, "width": 90, "count": 4, "dtype": "uint16",
        "nodata": 0, "crs": "EPSG:32633", "transform": from_origin(4e5, 5e6, 10, 10),
    }  # fmt: skip
    with rasterio.open(source, "w", **profile) as dataset:
        dataset.write(bands)
        dataset.descriptions = ("blue", "green", "red", "infrared")
        dataset.update_tags(SENSOR="golden")
    compress(source, HERE / "raster.rac", quality=75, tile=64, **settings)
    source.unlink()
    for name in ("photo.png", "raster.tif", "exact.png"):
        decompress(HERE / Path(name).with_suffix(".rac"), HERE / name, **settings | {
            "weights": "" if name == "exact.png" else str(WEIGHTS)})  # fmt: skip


if __name__ == "__main__":
    main()
