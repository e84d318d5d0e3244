"""Disks that fill, made small: a tmpfs where the tests run as root, a file size limit elsewhere."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from resattn.cli.main import run
from resattn.weights.index import Shelf
from tests.faults.commands import COMMANDS, fill
from tests.faults.forked import Job

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


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, small_networks: Path) -> dict[str, Path]:
    """A folder for every command: the items `a` and `b` in `in`, their outputs in `whole`."""
    folders = {}
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESATTN_HOME", str(small_networks))
        for name, command in COMMANDS.items():
            root = folders[name] = tmp_path_factory.mktemp(name.replace(" ", "-"))
            (root / "in").mkdir()
            for item in "ab":
                command.make(root / "in", item)
            with pytest.raises(SystemExit) as stopped:
                run(command.line(root / "in", root / "whole"))
            assert not stopped.value.code, name
    signal.signal(signal.SIGTERM, handler)
    return folders


@pytest.fixture
def jobs(
    made: dict[str, Path], small_networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Job]:
    """Every command on its two items, with what it writes when nothing goes wrong."""
    monkeypatch.setenv("RESATTN_HOME", str(small_networks))
    found: dict[str, Job] = {}
    for name, root in made.items():
        out = tmp_path / root.name
        line = COMMANDS[name].line(root / "in", out, "--overwrite")
        found[name] = {"line": line, "out": str(out), "whole": str(root / "whole")}
    return found
