"""Models are composed of the core's mixers and hold no attention of their own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import resattn.models

SOURCES = sorted(Path(resattn.models.__file__).parent.rglob("*.py"))
ATTENTION = {"softmax", "scaled_dot_product_attention", "MultiheadAttention", "flex_attention"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_model_defines_no_attention(path):
    names = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert not names & ATTENTION
