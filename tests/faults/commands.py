"""Every verb that turns files into files, on inputs made for it: one line of `COMMANDS` each.

The fault tests run over this table, so a new verb is under all of them once it has its line.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from resattn import demo
from resattn.io.image import write_image
from resattn.models.detector import Detector, DetectorConfig
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.models.wound_unet import WoundUNet, WoundUNetConfig
from resattn.pipelines.compress import compress
from resattn.weights.export import Origin, pack
from resattn.weights.index import Shelf

SIDE = 64


@dataclass(frozen=True)
class Command:
    """A verb with options that make it quick.

    Attributes:
        options: The verb and its options, without inputs and `--out`.
        make: Writes the input files of an item of that name into a folder, the one that may be
            damaged first.
        output: Name of the main output of an item; `{}` stands for the item's name.
        companions: Further outputs of an item.
    """

    options: tuple[str, ...]
    make: Callable[[Path, str], None]
    output: str
    companions: tuple[str, ...] = ()

    def line(self, source: Path, out: Path, *more: object) -> list[str]:
        """The command line from a file or folder to a file or folder."""
        verb, *options = self.options
        return [verb, str(source), "--out", str(out), *options, *map(str, more)]

    def outputs(self, *names: str) -> set[str]:
        """Names of all files that items of these names become."""
        return {text.format(name) for name in names for text in (self.output, *self.companions)}


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, the journal of its batches left out; none if it is missing."""
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def photograph(folder: Path, name: str) -> None:
    """Skin with a red square on it."""
    rng = np.random.default_rng(len(name))
    pixels = np.array([190, 160, 140])[:, None, None] + rng.integers(-8, 9, (3, SIDE, SIDE))
    pixels[:, 12:30, 15:35] = np.array([170, 40, 40])[:, None, None]
    write_image(folder / f"{name}.png", pixels.astype(np.uint8))


def raster(folder: Path, name: str) -> None:
    """A multispectral GeoTIFF."""
    shutil.copy(demo.path("marburg_ms"), folder / f"{name}.tif")


def scene(folder: Path, name: str) -> None:
    """PAN and MS of one scene."""
    shutil.copy(demo.path("marburg_pan"), folder / f"{name}_pan.tif")
    shutil.copy(demo.path("marburg_ms"), folder / f"{name}_ms.tif")


def compressed(folder: Path, name: str, *, lossless: bool = True) -> None:
    """A photograph as `compress --lossless` writes it."""
    photograph(folder, name)
    source = folder / f"{name}.png"
    compress(source, folder / f"{name}.rac", lossless=lossless)
    source.unlink()


def coded(folder: Path, name: str) -> None:
    """A photograph as the packaged network codes it."""
    compressed(folder, name, lossless=False)


COMMANDS: dict[str, Command] = {
    "pansharpen": Command(
        ("pansharpen", "--method", "brovey", "--no-registration", "--no-metrics", "--preview",
         "--cog", "--threads", "1"),
        scene, "{}.pansharpened.tif", ("{}.pansharpened.preview.png",),
    ),
    "super-resolve a photograph": Command(
        ("super-resolve", "--model", "tiny", "--scale", "2", "--preview"),
        photograph, "{}.x2.png", ("{}.x2.preview.png",),
    ),
    "super-resolve a raster": Command(
        ("super-resolve", "--model", "tiny", "--scale", "2"), raster, "{}.x2.tif"
    ),
    "segment-wound": Command(
        ("segment-wound", "--probability"), photograph, "{}.wound.png",
        ("{}.wound.overlay.png", "{}.wound.probability.png", "{}.wound.json"),
    ),
    "detect": Command(
        ("detect", "--weights", "detect.tiny", "--overlay", "--score", "0.9"),
        photograph, "{}.detect.json",
        ("{}.detect.overlay.jpg",),
    ),
    "compress": Command(("compress", "--lossless", "--score"), photograph, "{}.rac"),
    "decompress": Command(("decompress",), compressed, "{}.png"),
}  # fmt: skip


NETWORKS: dict[str, Command] = {
    name: one
    for name, one in COMMANDS.items()
    if one.options[0] in ("super-resolve", "segment-wound", "detect")
} | {
    "pansharpen by a network": Command(
        ("pansharpen", "--method", "lambda-pnn", "--adapt-steps", "1", "--no-registration",
         "--no-metrics", "--threads", "1"),
        scene, "{}.pansharpened.tif",
    ),
    "compress by a network": Command(("compress",), photograph, "{}.rac"),
    "decompress by a network": Command(("decompress",), coded, "{}.png"),
}  # fmt: skip
"""What runs networks, with its own or with small ones; too slow to be under every test."""


def fill(shelf: Shelf) -> None:
    """Small random networks under the names that the table asks for."""
    torch.manual_seed(1)  # two wounds in `photograph`; another number gives hundreds
    enlarging = GatedSrConfig(scale=2, dim=8, blocks=1)
    finding = WoundUNetConfig(
        encoder="residual", widths=(4, 4, 8, 8, 8), decoder=(8, 8, 4, 4), block=None, skip=None
    )
    looking = DetectorConfig(classes=2, names=("cat", "dog"), width=8, depth=1, bvr=None)
    for name, architecture, model in (
        ("segment-wound.base", "wound-unet", WoundUNet(finding)),
        ("detect.tiny", "detector", Detector(looking)),
        ("super-resolve.tiny.x2", "gated-sr", GatedSr(enlarging)),
    ):
        origin = Origin(
            name, name.partition(".")[0], architecture, model.config.to_dict(),
            data="none", data_licence="none", licence="CC0-1.0", command="none",
        )  # fmt: skip
        shelf.put(*pack(model.state_dict(), origin))
