"""The start-up bars: what answers at once must not load what works for long.

CPU time of the child, minimum of several runs, so that a busy machine does not fail the gate.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "cv2", "rasterio", "numpy", "skimage", "scipy")


def cpu_seconds(arguments: list[str], runs: int = 5) -> float:
    best = float("inf")
    for _ in range(runs):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "resattn", *arguments], check=True, capture_output=True
        )
        after = os.times()
        used = after.children_user + after.children_system
        best = min(best, used - before.children_user - before.children_system)
    return best


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["info", "--json"]])
def test_g15_answers_within_150_ms_of_cpu(arguments):
    assert cpu_seconds(arguments) <= 0.150


@pytest.mark.parametrize("verb", ["pansharpen", "info"])
def test_verb_help_within_300_ms_of_cpu(verb):
    assert cpu_seconds([verb, "--help"]) <= 0.300


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
