"""docs/errors.md and the code name the same error codes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def codes_in_source() -> set[str]:
    found = set()
    for folder in ("resattn", "pipelines", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "code":
                    found |= {
                        one.value
                        for one in ast.walk(node.value)
                        if isinstance(one, ast.Constant) and isinstance(one.value, str)
                    }
    return {code for code in found if re.fullmatch(r"E\d{3}", code)}


def codes_in_table() -> list[str]:
    text = (ROOT / "docs/errors.md").read_text("utf-8")
    return [*re.findall(r"^\| (E\d{3}) \|", text, re.MULTILINE), "E999"]


def test_every_code_is_documented() -> None:
    assert codes_in_source() - set(codes_in_table()) == set()


def test_no_code_is_listed_twice() -> None:
    listed = codes_in_table()
    assert len(listed) == len(set(listed))


def test_the_codes_of_the_fault_catalogue_are_in_use() -> None:
    assert codes_in_source() >= {"E301", "E305", "E308", "E401", "E403", "E404", "E501"}
