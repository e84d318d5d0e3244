"""Writing rasters so that a full or failing disk is noticed, whatever GDAL says.

GDAL flushes blocks when it closes a file, and rasterio 1.4 does not report an error there: on a
full disk most ways of writing end without an exception and with wrong pixels. So only whole
blocks are handed over, each with its checksum, and the closed file is read back and compared
before it takes its name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from resattn.errors import OutputError
from resattn.io.atomic import StagedFile, reporting, temporary_name
from resattn.io.blocks import Blocks, checksum
from resattn.io.faultpoints import Point, reach
from resattn.io.gdal import GDAL_ERRORS, environment, gdal_path, opening, reason
from resattn.io.names import shown
from resattn.io.profile import RasterProfile
from resattn.tiling import Window

Pixels = NDArray[np.generic]
Valid = NDArray[np.bool_]
Resampling = Literal["average", "nearest"]


class RasterWriter:
    """A GeoTIFF in the making: windows in any order, each pixel once, then verified and named.

    On leaving the block without an error the file is closed, read back, compared block by block
    and renamed to `target`; on an error nothing is left. Memory holds the blocks that have begun
    to fill; windows on multiples of `profile.tile` need none.

    Args:
        target: The file to be made.
        profile: Its grid, type and description.
        inputs: Files being read, none of which may be the target.
        overwrite: Replace the target if it exists.
        cog: Rewrite it as a cloud-optimised GeoTIFF with overviews.
        resampling: How overviews are made; "nearest" for classes.

    Attributes:
        threads: How many parts of the file are read back at once; 1 unless set.

    Raises:
        OutputError: E401 if the disk is full, fails or gives back other pixels; E402–E404 as
            `resattn.io.atomic.check_target` says.

    Example:
        with RasterWriter(target, profile) as writer:
            for window, block in sweep(grid, read, model):
                writer.write(window, block)
    """

    def __init__(
        self,
        target: Path,
        profile: RasterProfile,
        *,
        inputs: Iterable[Path] = (),
        overwrite: bool = False,
        cog: bool = False,
        resampling: Resampling = "average",
    ) -> None:
        self.profile = profile
        self._staged = StagedFile(target, inputs=inputs, overwrite=overwrite)
        self._cog = cog
        self._resampling = resampling
        self.threads = 1
        self._stack = ExitStack()
        self._blocks = Blocks(profile)
        self._dataset: Any = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._staged)
            name = stack.enter_context(gdal_path(self._staged.temporary))
            with self._failing("create_raster"):
                self._dataset = rasterio.open(name, "w", **self.profile.creation_options())
            stack.callback(self._close_quietly)
            with self._failing(None):
                self._describe()
            self._stack = stack.pop_all()
        return self

    def write(self, window: Window, pixels: Pixels, valid: Valid | None = None) -> None:
        """Take the pixels (B, h, w) of a window and, if the profile has a mask, their validity.

        Raises:
            ValueError: If shape or type differ from the profile's, the window leaves the raster,
                a pixel was written before, or `valid` is missing or not wanted.
            OutputError: E401 if the disk is full or fails.
        """
        self._check(window, pixels, valid)
        for block, values, mask in self._blocks.add(window, pixels, valid):
            with self._failing("write_window"):
                self._dataset.write(values, window=_bounds(block))
                if mask is not None:
                    self._dataset.write_mask(mask, window=_bounds(block))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _finish(self) -> None:
        self._blocks.check_complete()
        with self._failing("close_raster"):
            self._dataset.close()
        self._verify(self._staged.temporary)
        if self._cog:
            self._convert()

    def _convert(self) -> None:
        made = temporary_name(self._staged.target, "-cog")
        compress = self.profile.compress
        options = {
            "COMPRESS": compress.upper(),
            "BLOCKSIZE": str(self.profile.block),
            "BIGTIFF": "IF_SAFER",
            "OVERVIEW_RESAMPLING": self._resampling.upper(),
        }
        if compress != "none":
            options |= {"PREDICTOR": "YES", "LEVEL": "1" if compress == "zstd" else "6"}
        try:
            with (
                gdal_path(self._staged.temporary) as source,
                gdal_path(made) as target,
                self._failing("convert_raster"),
            ):
                rasterio.shutil.copy(source, target, driver="COG", **options)
            self._verify(made)
            with reporting(self._staged.target):
                made.replace(self._staged.temporary)
        finally:
            made.unlink(missing_ok=True)

    def _verify(self, path: Path) -> None:
        blocks = list(self._blocks.checksums.items())
        shares = [blocks[first :: self.threads] for first in range(self.threads)]
        with (
            gdal_path(path) as name,
            self._failing("read_window"),
            ExitStack() as stack,
            ThreadPoolExecutor(self.threads) as pool,
        ):
            readers = [stack.enter_context(DatasetReader(name, driver="GTiff")) for _ in shares]
            levels = len(readers[0].overviews(1))
            for wrong in pool.map(self._first_wrong, readers, shares):
                if wrong is not None:
                    raise self._error(f"the block at {wrong.row}, {wrong.col} reads otherwise")
            for level in range(levels):
                with DatasetReader(name, driver="GTiff", overview_level=level) as dataset:
                    for _, block in dataset.block_windows(1):
                        dataset.read(window=block)

    def _first_wrong(
        self, dataset: DatasetReader, expected: Iterable[tuple[Window, int]]
    ) -> Window | None:
        """The first of these blocks that the file does not hold as it was written."""
        with environment(GDAL_PAM_ENABLED="NO"):
            for block, known in expected:
                mask = dataset.dataset_mask if self.profile.has_mask else None
                found = checksum(
                    dataset.read(window=_bounds(block)),
                    None if mask is None else mask(window=_bounds(block)) != 0,
                )
                if found != known:
                    return block
        return None

    def _describe(self) -> None:
        profile, dataset = self.profile, self._dataset
        if profile.colorinterp:
            dataset.colorinterp = [ColorInterp[name] for name in profile.colorinterp]
        for band, text in enumerate(profile.descriptions, start=1):
            if text:
                dataset.set_band_description(band, text)
        for name in ("scales", "offsets"):
            if getattr(profile, name):
                setattr(dataset, name, getattr(profile, name))
        if any(profile.units):
            dataset.units = [unit or "" for unit in profile.units]
        if profile.rpcs is not None:
            dataset.rpcs = profile.rpcs
        dataset.update_tags(**profile.tags)
        for band, tags in enumerate(profile.band_tags, start=1):
            dataset.update_tags(band, **tags)

    def _check(self, window: Window, pixels: Pixels, valid: Valid | None) -> None:
        profile = self.profile
        if pixels.shape != (profile.count, window.height, window.width):
            raise ValueError(f"pixels of shape {pixels.shape} for {profile.count} bands, {window}")
        if pixels.dtype != np.dtype(profile.dtype):
            raise ValueError(f"pixels of type {pixels.dtype} for a raster of {profile.dtype}")
        if window.intersection(Window(0, 0, profile.height, profile.width)) != window:
            raise ValueError(f"{window} leaves the raster of {profile.height}×{profile.width}")
        if (valid is not None) != profile.has_mask:
            raise ValueError("valid must be given exactly if the profile has a mask")
        if valid is not None and valid.shape != pixels.shape[1:]:
            raise ValueError(f"valid of shape {valid.shape} for pixels of shape {pixels.shape}")

    @contextmanager
    def _failing(self, point: Point | None) -> Iterator[None]:
        quiet = environment if point == "write_window" else opening
        try:
            if point is not None:
                reach(point)
            with quiet(GDAL_PAM_ENABLED="NO"):
                yield
        except (*GDAL_ERRORS, OSError) as error:
            raise self._error(reason(error)) from error

    def _error(self, why: str) -> OutputError:
        free = shutil.disk_usage(self._staged.target.parent).free
        return OutputError(
            f"cannot write {shown(self._staged.target)}: {why} "
            f"({free / 1e6:.1f} MB are free on the disk)",
            "free some space or choose another disk with -o",
            code="E401",
        )

    def _close_quietly(self) -> None:
        # The file is about to be removed, or was closed and verified already.
        with suppress(*GDAL_ERRORS), environment(GDAL_PAM_ENABLED="NO"):
            self._dataset.close()


def _bounds(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (window.row, window.bottom), (window.col, window.right)
