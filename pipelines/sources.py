"""What the user named on the command line, as a sorted list of real files.

An input is a file, a folder, a glob, `@list.txt` (a file per line, further columns after tabs) or
`-` (such a list on stdin). Folders are walked once per real folder, so symbolic loops end;
anything but regular files is passed over with a warning.
"""

from __future__ import annotations

import fnmatch
import glob
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from resattn.errors import UserError

log = logging.getLogger(__name__)

HIDDEN = "."


@dataclass(frozen=True, slots=True)
class Source:
    """One input file.

    Attributes:
        path: Absolute path.
        root: The folder whose structure below it is kept in the output folder.
        extra: Further columns of its line in a list, absolute.
        named: True when the user wrote its name, False when a folder or a glob gave it.
    """

    path: Path
    root: Path
    extra: tuple[Path, ...] = ()
    named: bool = False

    @property
    def name(self) -> str:
        """Its path below the root without suffix.

        By text, in a fifth of the time pathlib takes: folders may hold a hundred thousand files.
        """
        root = os.fspath(self.root).rstrip(os.sep)
        path = os.fspath(self.path)[len(root) + 1 :]
        stem, _, suffix = path.rpartition(".")
        is_suffix = suffix and os.sep not in suffix and stem and not stem.endswith(os.sep)
        return stem if is_suffix else path


def gather(inputs: Sequence[str], *, include: str = "*", recursive: bool = True) -> list[Source]:
    """Every file the inputs stand for, each once, in a stable order.

    Args:
        inputs: Files, folders, globs, ``@list`` or ``-``.
        include: Glob on file names; applied to what a folder holds, not to files named outright.
        recursive: Whether folders are descended into.

    Raises:
        UserError: An input does not exist, a list is unreadable, or nothing matched.
    """
    found: dict[str, Source] = {}  # a text is hashed ten times faster than a path
    for text in inputs:
        for source in _expand(text, include, recursive):
            found.setdefault(os.fspath(source.path), source)
    if not found:
        names = ", ".join(inputs) or "no input"
        raise UserError(f"nothing to do: {names} matched no file", "check --include", code="E203")
    return list(found.values())


def _expand(text: str, include: str, recursive: bool) -> Iterator[Source]:
    if text == "-":
        yield from _from_lines(sys.stdin, Path.cwd(), "stdin")
    elif text.startswith("@"):
        yield from _from_list(Path(text[1:]))
    else:
        path = absolute(text)
        if path.is_dir():
            yield from _from_folder(path, path, include, recursive, set())
        elif path.exists():
            yield _regular(path)
        else:
            yield from _from_glob(text)


def absolute(text: str | Path) -> Path:
    """The absolute path, without resolving links: names stay the ones the user knows.

    Relative names must not reach GDAL, which reads some of them as connection strings.

    Raises:
        UserError: E202 if the text is empty, which would be the current folder.
    """
    if not os.fspath(text):
        raise UserError(
            "a path is empty", "name a file or folder; . is the current folder", code="E202"
        )
    return Path(os.path.abspath(text))  # noqa: PTH100 (Path.absolute keeps `..`)


def _regular(path: Path) -> Source:
    if not path.is_file():
        raise UserError(f"{path} is not a regular file", "name an image file", code="E204")
    return Source(path, path.parent, named=True)


def _from_glob(pattern: str) -> Iterator[Source]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (takes absolute patterns)
    if not matches:
        raise UserError(f"no such file or folder: {pattern}", "check the path", code="E202")
    for match in matches:
        if Path(match).is_file():
            yield Source(absolute(match), absolute(match).parent)


def _from_list(path: Path) -> Iterator[Source]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise UserError(f"list {path}: {error.strerror}", "check the path", code="E202") from error
    yield from _from_lines(lines, absolute(path).parent, str(path))


def _from_lines(lines: Iterable[str], base: Path, name: str) -> Iterator[Source]:
    for number, line in enumerate(lines, start=1):
        columns = [absolute(base / column) for column in line.rstrip("\r\n").split("\t") if column]
        if not columns or line.startswith("#"):
            continue
        missing = next((c for c in columns if not c.exists()), None)
        if missing is not None:
            raise UserError(
                f"{name} line {number}: no such file: {missing}", "mend the list", code="E202"
            )
        yield Source(columns[0], columns[0].parent, tuple(columns[1:]), named=True)


def _from_folder(
    folder: Path, root: Path, include: str, recursive: bool, seen: set[tuple[int, int]]
) -> Iterator[Source]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.name.startswith(HIDDEN):
            continue
        path = folder / entry.name
        if entry.is_dir():
            if recursive:
                yield from _from_folder(path, root, include, recursive, seen)
        elif include != "*" and not fnmatch.fnmatch(entry.name, include):
            continue
        elif entry.is_file():
            yield Source(path, root)
        else:
            log.warning("passed over %s: not a regular file", path)
