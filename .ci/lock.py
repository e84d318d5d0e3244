r"""Writes requirements.lock: what `pip install .` takes here, each file with its SHA-256.

    python .ci/lock.py                     resolve and write
    pip install --require-hashes --extra-index-url https://download.pytorch.org/whl/cpu \
        -r requirements.lock && pip install --no-deps .

One lock holds for one Python and one platform, which its first lines name; torch is the CPU build.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
TORCH = "torch==2.13.0"


def main() -> None:
    """Resolves with pip, downloads nothing that is not needed for it, writes the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [TORCH, *(one for one in project["dependencies"] if not one.startswith("torch"))]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
    command += ["--ignore-installed", "--only-binary=:all:", "--report", "-", *wanted]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [
        "# Made by: python .ci/lock.py",
        "# torch is the CPU build: --extra-index-url https://download.pytorch.org/whl/cpu",
        f"# For: Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    ]
    LOCK.write_text("\n".join([*lines, *entries(json.loads(done.stdout))]) + "\n", "utf-8")


def entries(report: dict[str, Any]) -> list[str]:
    """A line per package of pip's installation report."""
    found = {}
    for package in report["install"]:
        name, version = package["metadata"]["name"], package["metadata"]["version"]
        digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
        found[name.lower()] = f"{name.lower()}=={version} --hash=sha256:{digest}"
    return [found[name] for name in sorted(found)]


if __name__ == "__main__":
    main()
