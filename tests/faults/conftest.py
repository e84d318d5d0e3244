"""Disks that fill, made small: a tmpfs where the tests run as root, a file size limit elsewhere."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from resattn.weights.index import Shelf
from tests.faults.commands import COMMANDS, fill
from tests.faults.forked import Job
from tests.shell import Shell

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
        _mount(folder, f"size={max(size // 4096, 1) * 4096}")
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


@pytest.fixture
def jobs(tmp_path: Path, small_networks: Path, monkeypatch: pytest.MonkeyPatch, resattn: Shell):
    """Every command on the items `a` and `b`, with what it writes when nothing goes wrong."""
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    made: dict[str, Job] = {}
    for name, command in COMMANDS.items():
        root = tmp_path / name.replace(" ", "-")
        (root / "in").mkdir(parents=True)
        for item in "ab":
            command.make(root / "in", item)
        assert resattn(*command.line(root / "in", root / "whole")).code == 0
        line = command.line(root / "in", root / "out", "--overwrite")
        made[name] = {"line": line, "out": str(root / "out"), "whole": str(root / "whole")}
    return made
