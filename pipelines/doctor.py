"""What this machine can do for resattn, what is missing, and what to do about it."""

from __future__ import annotations

import importlib
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from resattn.errors import ResattnError
from resattn.pipelines.ahead import available_threads
from resattn.version import __version__

State = Literal["ok", "note", "bad"]

_PACKAGES: Final = ("numpy", "scipy", "scikit-image", "safetensors", "tqdm", "platformdirs")
_EXTRAS: Final = {
    "distributed": "dist", "pyogrio": "gpkg", "pydicom": "dicom", "matplotlib": "report",
}  # fmt: skip
_LEAST_FREE: Final = 2_000_000_000
_LEAST_MEMORY: Final = 3_000_000_000
_LEAST_FILES: Final = 256


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination.

    Attributes:
        topic: What was looked at.
        state: ``ok``, ``note`` (works, but could be better) or ``bad``.
        said: What was found.
        remedy: What the user can do.
    """

    topic: str
    state: State
    said: str
    remedy: str = ""


def examine(folder: Path) -> Iterator[Finding]:
    """Everything that is looked at, in order; a part that breaks is a finding itself.

    Args:
        folder: Where the user means to write.
    """
    parts: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("system", _system),
        ("torch", _torch),
        ("images", _images),
        ("packages", _packages),
        ("weights", _weights),
        ("disk", lambda: _disk(folder)),
        ("limits", _limits),
        ("extras", _extras),
    )
    for topic, part in parts:
        try:
            yield from part()
        except ResattnError as error:
            yield Finding(topic, "bad", error.message, error.hint)
        except Exception as error:
            yield Finding(topic, "bad", f"{type(error).__name__}: {error}", "reinstall resattn")


def _system() -> Iterator[Finding]:
    yield Finding("resattn", "ok", f"{__version__} on Python {platform.python_version()}")
    yield Finding("system", "ok", f"{platform.platform()}, {platform.machine()}")
    threads, there = available_threads(), os.cpu_count() or 1
    yield Finding("threads", "ok", f"{threads} of {there} CPUs may be used")
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (page * os.sysconf(name) for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    low = total < _LEAST_MEMORY
    yield Finding(
        "memory",
        "note" if low else "ok",
        f"{_gigabytes(total)}, {_gigabytes(free)} free",
        "give --ram 1GB" if low else "",
    )


def _torch() -> Iterator[Finding]:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding("torch", "ok", f"{torch.__version__}, CPU kernels for {capability}")
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        yield Finding(f"cuda:{index}", "ok", f"{card.name}, {_gigabytes(card.total_memory)}")
    if torch.backends.mps.is_available():
        yield Finding("mps", "ok", "present")
    elif not torch.cuda.device_count():
        yield Finding("accelerator", "note", "none: networks run on the CPU")


def _images() -> Iterator[Finding]:
    from resattn.io.drivers import gdal_version, missing_drivers
    from resattn.io.image import opencv

    lacking = missing_drivers()
    yield Finding(
        "rasterio",
        "bad" if lacking else "ok",
        f"{metadata.version('rasterio')} with GDAL {gdal_version()}"
        + (f", without {', '.join(lacking)}" if lacking else ", all drivers"),
        "install rasterio from PyPI" if lacking else "",
    )
    yield Finding("opencv", "ok", str(opencv().__version__))


def _packages() -> Iterator[Finding]:
    found = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    yield Finding("packages", "ok", ", ".join(found))


def _weights() -> Iterator[Finding]:
    from resattn.weights.index import listed, personal
    from resattn.weights.load import verify

    for name in listed():
        try:
            entry = verify(name)
            yield Finding("weights", "ok", f"{name} whole, {entry.licence}")
        except ResattnError as error:
            yield Finding("weights", "bad", f"{name}: {error.message}", error.hint)
    store = personal().folder
    yield Finding("store", "ok", f"{store}{'' if store.is_dir() else ' (made when needed)'}")


def _disk(folder: Path) -> Iterator[Finding]:
    for topic, place in (("output", folder), ("temporary", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free
        yield Finding(
            topic,
            "note" if free < _LEAST_FREE else "ok",
            f"{place}: {_gigabytes(free)} free",
            "free some space" if free < _LEAST_FREE else "",
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding("output", "bad", f"{folder}: {error.strerror}", "choose another folder")


def _limits() -> Iterator[Finding]:
    from resattn.io.sniff import Limits

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = files != resource.RLIM_INFINITY and files < _LEAST_FILES
    yield Finding(
        "open files", "note" if few else "ok", str(files), "ulimit -n 1024" if few else ""
    )
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if space != resource.RLIM_INFINITY:
        yield Finding("address space", "note", _gigabytes(space), "ulimit -v unlimited")
    limits = Limits()
    yield Finding(
        "pixels",
        "ok",
        f"rasters to {limits.pixels:.1e}, photographs to {limits.whole_pixels:.1e} (--max-pixels)",
    )


def _extras() -> Iterator[Finding]:
    for name, extra in _EXTRAS.items():
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            yield Finding(name, "note", "not installed", f"pip install 'resattn[{extra}]'")
        else:
            yield Finding(name, "ok", metadata.version(name))


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
