"""The start-up bars: what answers at once must not load what works for long.

CPU time of the child, the least of several runs, so that a busy machine does not fail the gate.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "cv2", "rasterio", "numpy", "skimage", "scipy")


def least_cpu_seconds(arguments: list[str], enough: float, runs: int = 20) -> float:
    """Of so many runs, or of those up to the first that takes no more than `enough`."""
    best = float("inf")
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "resattn", *arguments], check=True, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, used)
        if best <= enough:
            break
    return best


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["info", "--json"]])
def test_g15_answers_within_150_ms_of_cpu(arguments):
    assert least_cpu_seconds(arguments, 0.150) <= 0.150


@pytest.mark.parametrize("verb", ["pansharpen", "info"])
def test_verb_help_within_300_ms_of_cpu(verb):
    assert least_cpu_seconds([verb, "--help"], 0.300) <= 0.300


@pytest.mark.parametrize("arguments", [["--help"], ["info", "--json"], ["pansharpen", "--help"]])
def test_g15_loads_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from resattn.cli.main import run\n"
        "try:\n    run(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
