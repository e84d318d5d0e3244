"""JSON in which every value knows its path, so that a complaint can name the place.

The parser of the standard library accepts NaN and repeated keys, and fails on deep nesting and
long integers with errors that name no place; here each is one sentence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resattn.errors import ItemError
from resattn.io.names import shown
from resattn.io.sniff import open_regular

_DEPTH = 64
"""Far deeper than any annotation; shown paths of deeper nesting end here."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]')
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


class _Repeated(dict[str, Any]):
    """An object that said the same key twice."""

    key = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands; paths are put together only when they are shown."""

    value: Any
    step: str
    parent: Node | Path

    @property
    def where(self) -> str:
        """File and path, for example ``train.json: $.images[3].id``."""
        steps: list[str] = []
        node: Node | Path = self
        while isinstance(node, Node):
            steps.append(node.step)
            node = node.parent
        return f"{shown(node.name)}: {''.join(reversed(steps))}"

    def entry(self, key: str) -> Node:
        """The value under `key` of an object.

        Raises:
            ItemError: E331 if this is no object or has no such key.
        """
        found = self.find(key)
        if found is None:
            raise ItemError(f"{self.where} has no {key!r}", "add it", code="E331")
        return found

    def find(self, key: str) -> Node | None:
        """The value under `key` of an object, or None.

        Raises:
            ItemError: E331 if this is no object.
        """
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        if isinstance(self.value, _Repeated):
            raise ItemError(
                f"{self.where} has {shown(self.value.key)!r} twice", "remove one", code="E331"
            )
        return Node(self.value[key], f".{key}", self) if key in self.value else None

    def items(self) -> Iterator[Node]:
        """The values of a list.

        Raises:
            ItemError: E331 if this is no list.
        """
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        for index, value in enumerate(self.value):
            yield Node(value, f"[{index}]", self)

    def text(self) -> str:
        """The value as text."""
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def number(self) -> float:
        """The value as a finite number."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
            raise self.wrong("a finite number")
        return float(value)

    def count(self) -> int:
        """The value as a whole number above 0."""
        value = self.number()
        if value < 1 or value != int(value):
            raise self.wrong("a whole number above 0")
        return int(value)

    def identity(self) -> Hashable:
        """The value as an id: a whole number or text."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, str)):
            raise self.wrong("an id")
        return self.value

    def wrong(self, wanted: str) -> ItemError:
        """The complaint that the value is something else than what was wanted."""
        kind = _KINDS.get(type(self.value)) or shown(str(self.value))[:40]
        return ItemError(f"{self.where} is {kind}, not {wanted}", "mend it", code="E331")


def read_json(path: Path) -> Node:
    """The root of a JSON file.

    Raises:
        ItemError: E330 if it is not JSON in UTF-8 or nests too deep, E314 or E315 if it cannot be
            read.
    """
    with open_regular(path) as stream:
        data = stream.read()
    try:
        text = data.decode("utf-8-sig")
        return Node(_parsed(text), "$", path)
    except RecursionError:
        raise ItemError(
            f"{shown(path.name)} nests too deep at {_deep(text)}", "mend it", code="E330"
        ) from None
    except ValueError as error:
        raise ItemError(
            f"{shown(path.name)} is not JSON: {error}", "obtain the file again", code="E330"
        ) from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # An integer of thousands of digits: read again so that its place can be named.
        return json.loads(text, object_pairs_hook=_object, parse_int=_bounded)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    repeated = _Repeated(found)
    repeated.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None, which is false
    return repeated


def _bounded(digits: str) -> float:
    return int(digits) if len(digits) < 20 else math.inf


def _finite(value: float) -> bool:
    return abs(value) < 1e300  # false for NaN; an int beyond the range of float is no size either


def _deep(text: str) -> str:
    """The path of the first value `_DEPTH` levels down, without parsing."""
    steps: list[str | int] = []
    before = ""
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in "[{":
            steps.append(0 if mark == "[" else "")
        elif mark in "]}":
            steps.pop()
        elif mark == "," and isinstance(steps[-1], int):
            steps[-1] += 1
        elif mark[0] == '"' and isinstance(steps[-1], str) and before in "{,":
            steps[-1] = mark[1:-1]
        before = mark
        if len(steps) > _DEPTH:
            break
    shown_steps = [f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps[:8]]
    return shown("$" + "".join(shown_steps) + "…")
