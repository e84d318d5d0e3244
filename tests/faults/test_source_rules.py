"""G13: calls that run code from data, crash on names or reach past the one I/O layer are absent."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.goals import Goal

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
    "runpy.run_path",
    "torch.jit.load",
    "torch.hub.load",
    "torch.package.PackageImporter",
    "yaml.load",
    "yaml.unsafe_load",
    "cv2.imread",
    "cv2.imwrite",
    "cv2.VideoCapture",
    "numpy.fromregex",
    "tempfile.mktemp",
}
BANNED_MODULES = {
    "pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "code", "pty",
    "socket", "ssl", "urllib.request", "http.client", "ftplib", "smtplib", "telnetlib", "xmlrpc",
    "requests", "httpx", "aiohttp", "urllib3", "boto3", "fsspec", "huggingface_hub",
}  # fmt: skip
OWNERS = {"cv2": "resattn/io/image.py", "rasterio": "resattn/io/"}
"""Modules that only these files may import."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    tree = ast.parse(path.read_text("utf-8"))
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            home = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            aliases |= {name.asname or name.name: home + name.name for name in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield aliases.get(first, first) + dot + rest, node


def modules(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that is imported, `a.b` for `from a import b` too, and on which line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


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


def test_g13_nothing_that_opens_connections_or_pickles_is_imported(goal: Goal) -> None:
    """And image libraries in one place only."""
    for path in SOURCES:
        for module, line in modules(path):
            where = f"{relative(path)}, line {line}: {module}"
            assert module not in BANNED_MODULES, where
            owner = OWNERS.get(module.partition(".")[0])
            assert owner is None or relative(path).startswith(owner), where
    goal("G13", f"0 banned calls or imports in {len(SOURCES)} source files")


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        "import numpy as np, cv2\nfrom os import system as run\nfrom http import client\n"
        "np.load('a', allow_pickle=True)\ncv2.imread('a')\nrun('a')"
    )
    found = dict(calls(path))
    assert keyword(found["numpy.load"], "allow_pickle") is True
    assert {"cv2.imread", "os.system"} <= BANNED_CALLS & found.keys()
    assert "http.client" in BANNED_MODULES & {module for module, _ in modules(path)}
