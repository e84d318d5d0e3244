"""The package list in pyproject.toml is written by hand; here it is held against the tree."""

from __future__ import annotations

import subprocess
import sys
import tomllib

from tests.conftest import REPOSITORY


def test_every_package_of_the_tree_is_listed():
    listed = set(
        tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        ".".join(("resattn", *init.parent.relative_to(REPOSITORY / "resattn").parts))
        for init in (REPOSITORY / "resattn").rglob("__init__.py")
        if not {"cli", "pipelines"} & set(init.parent.relative_to(REPOSITORY / "resattn").parts)
    }
    assert listed == found | {"resattn.cli", "resattn.pipelines"}


def test_the_links_for_type_checkers_are_relative():
    for name in ("cli", "pipelines"):
        link = REPOSITORY / "resattn" / name
        assert link.is_symlink()
        assert str(link.readlink()) == f"../{name}"


def test_the_library_needs_neither_typer_nor_tqdm():
    code = (
        "import sys; sys.modules['typer'] = sys.modules['tqdm'] = None; "
        "import resattn, resattn.tiling, resattn.io, resattn.metrics, resattn.mixers, "
        "resattn.models, resattn.training, resattn.weights, resattn.fusion"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
