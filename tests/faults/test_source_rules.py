"""G13: calls that run code from data, crash on names or reach past the one I/O layer are absent."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for folder in ("resattn", "pipelines", "cli") for path in (ROOT / folder).rglob("*.py")
)

BANNED_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "marshal.load",
    "marshal.loads",
    "shelve.open",
    "yaml.load",
    "cv2.imread",
    "cv2.imwrite",
    "cv2.VideoCapture",
    "numpy.fromregex",
    "tempfile.mktemp",
    "urllib.request.urlopen",
}
OWNERS = {"cv2": "resattn/io/image.py", "rasterio": "resattn/io/"}
"""Modules that only these files may import."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    tree = ast.parse(path.read_text("utf-8"))
    aliases = {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield aliases.get(first, first) + dot + rest, node


def keyword(call: ast.Call, name: str) -> object:
    for one in call.keywords:
        if one.arg == name:
            return one.value.value if isinstance(one.value, ast.Constant) else "an expression"
    return None


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_g13_no_call_runs_code_from_data(path: Path) -> None:
    for name, call in calls(path):
        where = f"line {call.lineno}: {name}"
        assert name not in BANNED_CALLS, where
        if name == "torch.load":
            assert keyword(call, "weights_only") is True, where
        if name in ("numpy.load", "np.load"):
            assert keyword(call, "allow_pickle") in (None, False), where
        if name.startswith("subprocess."):
            assert keyword(call, "shell") in (None, False), where


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_image_libraries_are_imported_in_one_place(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules = [node.module]
        for module in modules:
            owner = OWNERS.get(module.partition(".")[0])
            assert owner is None or relative(path).startswith(owner), (
                f"line {node.lineno}: {module}"
            )


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import numpy as np, cv2\nnp.load('a', allow_pickle=True)\ncv2.imread('a')")
    found = dict(calls(path))
    assert keyword(found["numpy.load"], "allow_pickle") is True
    assert "cv2.imread" in BANNED_CALLS & found.keys()
