"""Disks that fill, made small: a tmpfs where the tests run as root, a file size limit elsewhere."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from resattn.cli.verbs import VERBS, Verb
from resattn.weights.index import Shelf
from tests.faults.commands import fill

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


@pytest.fixture(scope="session")
def small_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for RESATTN_HOME with the networks that the table of commands asks for."""
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    fill(shelf)
    return shelf.folder


@pytest.fixture(autouse=True)
def _verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs that wait for their weights before they are listed."""
    waiting = {"segment-wound": Verb("resattn.cli.segment_wound", "Outline wounds.", job=True)}
    for name, verb in waiting.items():
        if name not in VERBS:
            monkeypatch.setitem(VERBS, name, verb)
