"""The plan of a run: what is read, what is written, what it is compared with.

Everything that can be wrong with names is found here, before any pixel is read: two inputs that
map to one output, an output that exists or is an input, references that match nothing.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resattn.errors import UserError
from resattn.pipelines.sources import Source, absolute, gather
from resattn.tiling import Window


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work.

    Attributes:
        name: Its name in reports: the path below the input root, without suffix.
        inputs: Files it reads; their roles are the pipeline's.
        output: The file it writes, or the first of several beside it.
        reference: What the output is compared with.
        strip: Of a larger output, the rows that the file is to hold; see `division`.
        strips: The items that made all of those rows, where the output is only put together.
        fit: What strips and output share: a file fitted to the whole before; its own item's output.
    """

    name: str
    inputs: tuple[Path, ...]
    output: Path
    reference: Path | None = None
    strip: Window | None = None
    strips: tuple[Item, ...] = ()
    fit: Path | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """The files that decide what becomes of it."""
        others = (self.reference, None if self.strip is None else self.fit)
        return (*self.inputs, *(path for path in others if path is not None))

    def part(self) -> Window:
        """The strip that this item is.

        Raises:
            ValueError: It is none.
        """
        if self.strip is None:
            raise ValueError(f"{self.name} is no strip")
        return self.strip

    @property
    def writes(self) -> bool:
        """Whether a file is made; an item that is only measured names its input as output."""
        return str(self.output) not in map(str, self.inputs)


@dataclass(frozen=True, slots=True)
class Plan:
    """Items in order, and the references that no item claimed.

    Attributes:
        items: What is to be done.
        skipped: What is left alone because its output exists.
        unmatched_references: References that belong to no input.
        positions: Places of the items in the whole plan, where this is a part of it.
    """

    items: tuple[Item, ...]
    skipped: tuple[Item, ...] = ()
    unmatched_references: tuple[Path, ...] = ()
    positions: tuple[int, ...] = ()

    def part(self, takes: Callable[[Item], bool]) -> Plan:
        """The plan of the items that `takes` accepts."""
        places = tuple(place for place, item in enumerate(self.items) if takes(item))
        return replace(
            self,
            items=tuple(self.items[place] for place in places),
            skipped=tuple(filter(takes, self.skipped)),
            positions=places,
        )

    def describe(self, companions: Callable[[Item], Iterable[Path]] = lambda _: ()) -> str:
        """The reads and writes, one per line, as `--dry-run` prints them.

        Args:
            companions: What an item becomes beside its output.
        """
        lines = []
        for item in self.items:
            lines += [f"read\t{path}" for path in item.inputs]
            lines += [f"compare\t{item.reference}"] if item.reference else []
            written = (item.output, *companions(item)) if item.writes else ()
            lines += [f"write\t{path}" for path in written]
        lines += [f"skip\t{item.output}" for item in self.skipped]
        lines += [f"unmatched\t{path}" for path in self.unmatched_references]
        return "\n".join([*lines, f"items\t{len(self.items)}"])


def named_images(
    inputs: Sequence[str],
    suffixes: Collection[str],
    *,
    what: str = "an image",
    include: str = "*",
    recursive: bool = True,
) -> list[tuple[str, Path]]:
    """The inputs that end like images, each with its item's name; files named outright always.

    Args:
        inputs: Files, folders, globs, lists.
        suffixes: Of the files taken from folders and globs, in lower case.
        what: They are, for the message.
        include: Pattern that files of folders must match.
        recursive: Look into sub-folders.

    Raises:
        UserError: E203 if none is left, and what `gather` raises.
    """
    found = gather(inputs, include=include, recursive=recursive)
    taken = [s for s in found if s.named or s.path.suffix.lower() in suffixes]
    if not taken:
        raise UserError(
            f"none of {len(found)} files is {what} by its name", "name it outright", code="E203"
        )
    return [(source.name, source.path) for source in taken]


def of_one(source: str | Path, out: str | Path, *, overwrite: bool) -> Plan:
    """The plan of one file that becomes exactly `out`.

    Raises:
        UserError: The output is the input, or exists and `overwrite` is not set.
    """
    output = absolute(out)
    return check([Item(output.stem, (absolute(source),), output)], overwrite=overwrite)


def output_path(out: Path, name: str, *, single: bool, tag: str, suffix: str) -> Path:
    """Where an item goes: OUT itself for a single item with a file-like OUT, else inside OUT.

    Args:
        out: The value of ``--out``.
        name: The item's name, which may contain sub-folders.
        single: Whether the run has exactly one item.
        tag: What the task adds to the stem, for example ``pansharpened``; may be empty.
        suffix: File suffix with its dot.
    """
    folder = os.path.abspath(out)  # noqa: PTH100 (as `absolute`, a hundred thousand times)
    if single and out.suffix and not out.is_dir():
        return Path(folder)
    return Path(f"{folder}/{name}.{tag}{suffix}" if tag else f"{folder}/{name}{suffix}")


def check(items: Iterable[Item], *, overwrite: bool = False, skip_existing: bool = False) -> Plan:
    """The plan of these items, or the reason why it cannot start.

    Raises:
        UserError: Two items share an output, an output is an input, or an output exists and
            neither `overwrite` nor `skip_existing` is set.
    """
    todo, skipped = [], []
    writers: dict[str, Item] = {}
    for item in items:
        other = writers.setdefault(os.fspath(item.output), item)
        if other is not item:
            raise UserError(
                f"{other.inputs[0]} and {item.inputs[0]} would both be written to {item.output}",
                "rename one or give them different output folders",
                code="E205",
            )
        exists = os.path.exists(item.output)  # noqa: PTH110 (half the time of Path.exists)
        if exists and any(_same_file(path, item.output) for path in item.inputs):
            raise UserError(
                f"the output {item.output} is also an input", "choose another --out", code="E403"
            )
        if exists and skip_existing:
            skipped.append(item)
        elif exists and not overwrite:
            raise UserError(
                f"{item.output} exists",
                "add --resume, --overwrite or --skip-existing",
                code="E404",
            )
        else:
            todo.append(item)
    return Plan(tuple(todo), tuple(skipped))


def _same_file(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)  # noqa: PTH121 (one call for both, links followed)
    except OSError:
        return False


def pair_references(plan: Plan, reference: Path | None, pattern: str = "") -> Plan:
    """The plan with each item's reference, found by name and never by position.

    A single file serves a single item. In a folder a reference belongs to the item whose key is
    equal; the key is the file's stem up to its first dot, or the first group of `pattern`. Equal
    keys in several sub-folders belong to the items of the same sub-folders.

    Raises:
        UserError: The reference does not exist, a key is ambiguous, or nothing matches.
    """
    if reference is None:
        return plan
    reference = absolute(reference)
    if reference.is_file():
        if len(plan.items) > 1:
            raise UserError(
                f"one reference {reference} for {len(plan.items)} items",
                "give a folder of references named like the inputs",
                code="E206",
            )
        return replace(plan, items=tuple(replace(i, reference=reference) for i in plan.items))
    key = _key_function(pattern)
    table = _by_place(gather([str(reference)]), key)
    places = [(Path(item.name).parent.as_posix(), _item_key(item, key)) for item in plan.items]
    found = [table.pop(place, None) for place in places]
    lone = _by_key(table)
    found = [path or _take(lone, name) for path, (_, name) in zip(found, places, strict=True)]
    items = tuple(
        replace(item, reference=path) for item, path in zip(plan.items, found, strict=True)
    )
    if plan.items and not any(item.reference for item in items):
        raise UserError(
            f"no file in {reference} is named like any input",
            "use --pair with a regular expression whose first group is the common part",
            code="E206",
        )
    return replace(plan, items=items, unmatched_references=tuple(itertools.chain(*lone.values())))


def _key_function(pattern: str) -> Callable[[str], str]:
    if not pattern:
        return lambda name: name.split(".")[0].lower()
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"--pair {pattern!r}: {error}", "mend the expression", code="E206"
        ) from error
    if not compiled.groups:
        raise UserError(f"--pair {pattern!r} has no group", "put (…) around the key", code="E206")

    def key(name: str) -> str:
        match = compiled.search(name)
        return match[1] if match else ""

    return key


def _item_key(item: Item, key: Callable[[str], str]) -> str:
    return key(Path(item.name).name) or key(item.inputs[0].name)


_Place = tuple[str, str]
"""Sub-folder and key of a reference."""


def _by_place(sources: Sequence[Source], key: Callable[[str], str]) -> dict[_Place, Path]:
    table: dict[_Place, Path] = {}
    for source in sources:
        path, name = source.path, key(source.path.name)
        place = (path.relative_to(source.root).parent.as_posix(), name)
        if name and place in table:
            raise UserError(
                f"{table[place]} and {path} are both references for {name!r}",
                "make the names unique or use --pair",
                code="E206",
            )
        if name:
            table[place] = path
    return table


def _by_key(table: dict[_Place, Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for (_, name), path in table.items():
        found.setdefault(name, []).append(path)
    return found


def _take(lone: dict[str, list[Path]], name: str) -> Path | None:
    """The one reference of that key in whatever sub-folder, once."""
    paths = lone.get(name, [])
    if len(paths) > 1:
        raise UserError(
            f"{paths[0]} and {paths[1]} are both references for {name!r}",
            "give both sides the same sub-folders or use --pair",
            code="E206",
        )
    return paths.pop() if paths else None
