"""F23 and G11: less and less memory gives the same bytes, or one sentence with E501.

Twice: small images down to the least memory anything runs in, and large ones, with the packaged
networks, in the memory of a small machine.
Down to 64 MB beyond what is imported. Below, zstd in GDAL's COG driver packs a block otherwise (at
36 MB: the same pixels in other bytes), and libraries in C and Rust end the process (at 32 MB).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.forked import Job, attempt
from tests.faults.goals import Goal
from tests.faults.test_signals import LONG, Run, Work


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "megabytes",
    [
        (200, 64),
        pytest.param((8192, 4096, 2048, 1024, 512, 256, 128, 64), marks=pytest.mark.slow),
    ],
    ids=["two steps", "ladder"],
)
def test_f23_g11_too_little_memory_is_said(
    jobs: dict[str, Job], goal: Goal, megabytes: list[int]
) -> None:
    say(goal, attempt("memory", jobs, *megabytes))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", [verb for verb in LONG if verb != "metrics"])
def test_f23_g11_large_images_in_the_memory_of_a_small_machine(
    tmp_path: Path, goal: Goal, verb: str
) -> None:
    """Networks as they are shipped, on pictures of up to two megapixels."""
    work = Work(verb, tmp_path)
    work.prepare()
    assert Run(work.line("whole", items=1)).ended()[0] == 0
    folders = {name: str(tmp_path / name) for name in ("out", "whole")}
    job: Job = {"line": work.line("out", items=1), **folders}
    say(goal, attempt("memory", {f"{verb}, large": job}, 8192, 1024, 512, 256))


def say(goal: Goal, found: dict[str, list[list[object]]]) -> None:
    """Holds what was seen against the bar and puts it into the table."""
    for name, steps in found.items():
        for size, code, same in steps:
            assert same or code in ("E501", "E301"), (name, size, code)
        worked = [size for size, _, same in steps if same]
        goal(
            "G11",
            f"{name}: same bytes with {min(worked, default=0)} MB beyond the start, else E501",
            injected=len(steps),
        )
