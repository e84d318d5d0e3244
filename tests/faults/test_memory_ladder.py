"""F23 and G11: less and less memory gives the same bytes, or one sentence with E501.

Down to 64 MB beyond what is imported. Below, zstd in GDAL's COG driver packs a block otherwise (at
36 MB: the same pixels in other bytes), and libraries in C and Rust end the process (at 32 MB).
"""

from __future__ import annotations

import pytest

from tests.faults.forked import attempt


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "megabytes",
    [
        (200, 64),
        pytest.param((8192, 4096, 2048, 1024, 512, 256, 128, 64), marks=pytest.mark.slow),
    ],
    ids=["two steps", "ladder"],
)
def test_f23_g11_too_little_memory_is_said(jobs, goal, megabytes: list[int]) -> None:
    found = attempt("memory", jobs, *megabytes)
    for name, steps in found.items():
        for size, code, same in steps:
            assert same or code in ("E501", "E301"), (name, size, code)
        worked = [size for size, _, same in steps if same]
        goal(
            "G11",
            f"{name}: same bytes with {min(worked, default=0)} MB beyond the start, else E501",
            injected=len(steps),
        )
