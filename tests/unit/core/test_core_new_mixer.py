"""A mixer is added to a copy of the package as docs/core.md says; everything else finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

FILE = '''
"""Half of everything."""

from dataclasses import dataclass
from typing import ClassVar

from resattn.mixers.base import Mixer, MixerConfig


@dataclass(frozen=True)
class HalfConfig(MixerConfig):
    """Channels."""

    kind: ClassVar[str] = "half"


class Half(Mixer):
    """Halves each value."""

    layout = "NCHW"
    family = "gate"
    pixel_equivariant = True

    def forward(self, x, context=None):
        return x / 2

    def radius(self):
        return 0

    def flops(self, height, width):
        return 0

    def extra_bytes(self, height, width):
        return 4 * self.config.dim * height * width
'''
IDENTITY = """

def half_and_half_are_one(probe: Probe) -> float:
    from resattn.mixers.half import Half, HalfConfig

    mixer, x = Half(HalfConfig(16)), probe.randn(1, 16, 3, 4)
    return error(mixer(x) + mixer(x), x)


HALF = identities(half_and_half_are_one)
"""
LINE = "        Entry(Half, (HalfConfig(16),), gates.HALF),\n    ]\n)\n"
IMPORT = "from resattn.mixers.half import Half, HalfConfig\n"
COUNT = '    "half-0": 0,\n}  # fmt: skip\n'


@pytest.fixture
def copy(tmp_path):
    without = shutil.ignore_patterns("*.safetensors", "*.tif", "__pycache__")
    shutil.copytree(ROOT / "resattn", tmp_path / "resattn", ignore=without)
    shutil.copytree(HERE, tmp_path / "core", ignore=without)
    (tmp_path / "resattn" / "mixers" / "half.py").write_text(FILE)
    insert(tmp_path / "resattn" / "registry.py", "    ]\n)\n", LINE)
    insert(tmp_path / "resattn" / "registry.py", "from resattn.mixers.keys", IMPORT, keep=True)
    insert(tmp_path / "core" / "test_core_facts.py", "}  # fmt: skip\n", COUNT)
    return tmp_path


def insert(path, mark, text, keep=False):
    before, found, after = path.read_text().partition(mark)
    assert found
    path.write_text(before + text + (mark if keep else "") + after)


def run(folder, *words):
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_one_file_one_line_and_one_identity_are_enough(copy):
    refused = run(copy, "resattn", "core", "list")
    assert "has no attribute 'HALF'" in refused.stderr

    with (copy / "resattn" / "checks" / "gates.py").open("a") as file:
        file.write(IDENTITY)
    listed = run(copy, "resattn", "core", "list")
    assert "half" in listed.stdout, listed.stderr
    proven = run(copy, "resattn", "core", "check", "--mixer", "half")
    assert proven.stdout.startswith("ok"), proven.stderr
    measured = run(
        copy, "resattn", "core", "bench", "--mixer", "half", "--size", "8", "--seconds", ".01"
    )
    assert "\nhalf " in measured.stdout, measured.stderr
    tested = run(copy, "pytest", "core", "-q", "-k", "half", "-m", "not slow", "-c", os.devnull)
    assert tested.returncode == 0, tested.stdout
    assert int(tested.stdout.split(" passed")[0].split()[-1]) > 20
