"""docs/errors.md and the code name the same error codes, and none is left without one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY

CODED = {"ItemError", "OutputError", "ResourceError"}
"""Errors whose default code would say nothing to a script."""


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    for folder in ("resattn", "pipelines", "cli"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            if (
                not path.relative_to(REPOSITORY)
                .as_posix()
                .startswith(("resattn/cli/", "resattn/pipelines/"))
            ):
                yield from ((path, node) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def codes_in_source() -> set[str]:
    texts = {node.value for _, node in nodes() if isinstance(node, ast.Constant)}
    unused = {"E300", "E400", "E500"}  # defaults of classes that are always given a code
    return {one for one in texts if isinstance(one, str) and re.fullmatch(r"E\d{3}", one)} - unused


def codes_in_table() -> list[str]:
    text = (REPOSITORY / "docs/errors.md").read_text("utf-8")
    return [*re.findall(r"^\| (E\d{3}) \|", text, re.MULTILINE), "E999"]


def test_every_code_is_documented() -> None:
    assert codes_in_source() - set(codes_in_table()) == set()


def test_every_documented_code_is_in_use() -> None:
    assert set(codes_in_table()) - codes_in_source() == set()


def test_no_code_is_listed_twice() -> None:
    listed = codes_in_table()
    assert len(listed) == len(set(listed))


def test_what_fails_on_its_own_has_a_code_of_its_own() -> None:
    without = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path, node in nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CODED
        and not any(keyword.arg == "code" for keyword in node.keywords)
    ]
    assert without == []
