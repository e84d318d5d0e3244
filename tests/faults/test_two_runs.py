"""F30: two runs on one output never mix, and neither waits nor deletes what the other makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resattn.errors import OutputError
from resattn.io.atomic import StagedFile, remove_stale, write_bytes
from resattn.io.claim import LOCK, claim, release
from resattn.io.names import beside
from tests.conftest import REPOSITORY

WRITER = """
import sys, time
from pathlib import Path
from resattn.errors import OutputError
from resattn.io.atomic import write_bytes

target, letter = Path(sys.argv[1]), sys.argv[2].encode()
written = 0
while written < 40:
    try:
        write_bytes(target, letter * 100_000, overwrite=True)
        written += 1
    except OutputError as error:
        assert error.code == "E405", error
        time.sleep(0.001)
"""


def test_f30_the_second_writer_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "out.tif"
    with StagedFile(target) as first:
        first.temporary.write_bytes(b"first")
        with pytest.raises(OutputError, match="another run is writing") as caught:
            write_bytes(target, b"second")
        assert caught.value.code == "E405"
        assert remove_stale(tmp_path) == []
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_f30_other_outputs_of_the_folder_are_free(tmp_path: Path) -> None:
    with StagedFile(tmp_path / "a") as first:
        first.temporary.write_bytes(b"a")
        write_bytes(tmp_path / "b", b"b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_f30_runs_that_race_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), letter],
            cwd=REPOSITORY,
        )
        for letter in "xy"
    ]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert target.read_bytes() in (b"x" * 100_000, b"y" * 100_000)
    assert list(tmp_path.iterdir()) == [target]


def test_f30_the_lock_of_a_dead_run_holds_nobody(tmp_path: Path) -> None:
    target = tmp_path / "out"
    left = beside(target, LOCK)
    left.touch()
    write_bytes(target, b"new")
    assert list(tmp_path.iterdir()) == [target]
    left.touch()
    assert remove_stale(tmp_path) == [left]


def test_f30_a_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), StagedFile(target):
        raise ZeroDivisionError
    held = claim(target)
    release(target, held)
    assert held is not None
    assert list(tmp_path.iterdir()) == []
