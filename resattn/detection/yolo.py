"""Annotations as YOLO keeps them: a text file for each picture, sizes relative to it.

A line is ``class centre-x centre-y width height``, the class an index into ``classes.txt``,
``obj.names`` or the ``names`` of ``data.yaml``.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

from resattn.detection.annotations import Annotations, Mark, Marked, checked_box
from resattn.errors import ItemError
from resattn.io.names import shown
from resattn.io.sniff import open_regular

CLASS_FILES = ("classes.txt", "obj.names", "data.yaml")


def read_yolo(
    pictures: dict[str, tuple[int, int]], labels: Path, classes: tuple[str, ...]
) -> Annotations:
    """The annotations of these pictures; one without a file has no objects, as YOLO means it.

    Args:
        pictures: Rows and columns of each picture by its name.
        labels: Folder of ``STEM.txt``.
        classes: Names by index.

    Raises:
        ItemError: With the line: E331 not five numbers, E332 an impossible box, E333 a class
            without a name.
    """
    marked = []
    for name, size in pictures.items():
        file = labels / Path(name).with_suffix(".txt")
        marks = _marks(file, size, classes) if file.is_file() else ()
        marked.append(Marked(name, *size, marks))
    return Annotations(classes, tuple(marked))


def read_classes(folder: Path) -> tuple[str, ...]:
    """The class names that a folder or the one above it states.

    Raises:
        ItemError: E336 if neither does; E333 if they cannot be read.
    """
    for place in (folder, folder.parent):
        for name in CLASS_FILES:
            if (place / name).is_file():
                return _names(place / name)
    raise ItemError(
        f"{shown(folder)} names no classes", f"add one of {', '.join(CLASS_FILES)}", code="E336"
    )


def _marks(file: Path, size: tuple[int, int], classes: tuple[str, ...]) -> tuple[Mark, ...]:
    marks = []
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            marks.append(_mark(line, size, classes, f"{shown(file.name)}: line {number}"))
    return tuple(marks)


def _mark(line: str, size: tuple[int, int], classes: tuple[str, ...], where: str) -> Mark:
    words = line.split()
    try:
        label, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        label, values = 0, []
    if len(values) != 4:
        raise ItemError(
            f"{where} reads {shown(line)[:60]!r}",
            "give a class index, centre x and y, width and height",
            code="E331",
        )
    if not 0 <= label < len(classes):
        raise ItemError(
            f"{where}: class {label} of {len(classes)} names", "name it or mend it", code="E333"
        )
    height, width = size
    x, y, w, h = values
    corners = (
        (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height,
    )  # fmt: skip
    return replace(checked_box(corners, size, where), label=label)


def _names(file: Path) -> tuple[str, ...]:
    lines = _lines(file)
    names = _yaml_names(lines) if file.suffix == ".yaml" else [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names) or len(set(names)) < len(names):
        raise ItemError(
            f"{shown(file.name)} does not give each class one name",
            "write one a line into classes.txt",
            code="E333",
        )
    return tuple(names)


def _yaml_names(lines: list[str]) -> list[str]:
    """`names` of the usual forms: a list in brackets, or indented ``0: name`` or ``- name``."""
    start = next((i for i, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return []
    rest = lines[start].split(":", 1)[1].split("#")[0].strip()
    if rest:
        try:
            found = ast.literal_eval(rest)
        except (ValueError, SyntaxError):  # names without quotes
            found = [word.strip() for word in rest.strip("[]").split(",")]
        return [str(name) for name in (found.values() if isinstance(found, dict) else found)]
    names = []
    for line in lines[start + 1 :]:
        match = re.match(r"\s*(?:-|\d+\s*:)\s*(.+)", line)
        if not match:
            break
        names.append(match[1].split("#")[0].strip().strip("'\""))
    return names


def _lines(file: Path) -> list[str]:
    with open_regular(file) as stream:
        data = stream.read()
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ItemError(
            f"{shown(file.name)} is not text: {error}", "obtain the file again", code="E330"
        ) from error
