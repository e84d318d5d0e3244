"""Disks that fill, made small: a tmpfs where the tests run as root, a file size limit elsewhere."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

Disk = Callable[[int], AbstractContextManager[Path]]


def _mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", os.fspath(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")


@pytest.fixture(params=["tmpfs", "file size limit"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    """`with small_disk(size) as folder`: a folder that takes about `size` bytes and no more."""

    @contextmanager
    def mounted(size: int) -> Iterator[Path]:
        folder = tmp_path / f"disk{size}"
        folder.mkdir()
        _mount(folder, f"size={size // 4096 * 4096}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", os.fspath(folder)], check=True)

    @contextmanager
    def limited(size: int) -> Iterator[Path]:
        # Python ignores SIGXFSZ, so a write beyond the limit fails with EFBIG.
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield tmp_path
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return mounted if request.param == "tmpfs" else limited


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system mounted read-only (permission bits do not stop root)."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    _mount(folder, "size=1m,ro")
    yield folder
    subprocess.run(["umount", os.fspath(folder)], check=True)
