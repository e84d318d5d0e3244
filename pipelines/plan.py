"""The plan of a run: what is read, what is written, what it is compared with.

Everything that can be wrong with names is found here, before any pixel is read: two inputs that
map to one output, an output that exists or is an input, references that match nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resattn.errors import UserError
from resattn.pipelines.sources import absolute, gather


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work.

    Attributes:
        name: Its name in reports: the path below the input root, without suffix.
        inputs: Files it reads; their roles are the pipeline's.
        output: The file it writes, or the first of several beside it.
        reference: What the output is compared with.
    """

    name: str
    inputs: tuple[Path, ...]
    output: Path
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Items in order, and the references that no item claimed."""

    items: tuple[Item, ...]
    skipped: tuple[Item, ...] = ()
    unmatched_references: tuple[Path, ...] = ()

    def describe(self) -> str:
        """The reads and writes, one per line, as `--dry-run` prints them."""
        lines = []
        for item in self.items:
            lines += [f"read\t{path}" for path in item.inputs]
            lines += [f"compare\t{item.reference}"] if item.reference else []
            lines.append(f"write\t{item.output}")
        lines += [f"skip\t{item.output}" for item in self.skipped]
        lines += [f"unmatched\t{path}" for path in self.unmatched_references]
        return "\n".join([*lines, f"items\t{len(self.items)}"])


def output_path(out: Path, name: str, *, single: bool, tag: str, suffix: str) -> Path:
    """Where an item goes: OUT itself for a single item with a file-like OUT, else inside OUT.

    Args:
        out: The value of ``--out``.
        name: The item's name, which may contain sub-folders.
        single: Whether the run has exactly one item.
        tag: What the task adds to the stem, for example ``pansharpened``.
        suffix: File suffix with its dot.
    """
    out = absolute(out)
    if single and out.suffix and not out.is_dir():
        return out
    return out / f"{name}.{tag}{suffix}"


def check(items: Iterable[Item], *, overwrite: bool = False, skip_existing: bool = False) -> Plan:
    """The plan of these items, or the reason why it cannot start.

    Raises:
        UserError: Two items share an output, an output is an input, or an output exists and
            neither `overwrite` nor `skip_existing` is set.
    """
    todo, skipped = [], []
    writers: dict[Path, Item] = {}
    for item in items:
        other = writers.setdefault(item.output, item)
        if other is not item:
            raise UserError(
                f"{other.inputs[0]} and {item.inputs[0]} would both be written to {item.output}",
                "rename one or give them different output folders",
                code="E205",
            )
        if any(_same_file(path, item.output) for path in item.inputs):
            raise UserError(
                f"the output {item.output} is also an input", "choose another --out", code="E403"
            )
        if item.output.exists() and skip_existing:
            skipped.append(item)
        elif item.output.exists() and not overwrite:
            raise UserError(
                f"{item.output} exists", "add --overwrite or --skip-existing", code="E404"
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
    equal; the key is the file's stem up to its first dot, or the first group of `pattern`.

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
    table = _by_key([source.path for source in gather([str(reference)])], key)
    items = tuple(
        replace(item, reference=table.pop(_item_key(item, key), None)) for item in plan.items
    )
    if plan.items and not any(item.reference for item in items):
        raise UserError(
            f"no file in {reference} is named like any input",
            "use --pair with a regular expression whose first group is the common part",
            code="E206",
        )
    return replace(plan, items=items, unmatched_references=tuple(table.values()))


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


def _by_key(paths: Sequence[Path], key: Callable[[str], str]) -> dict[str, Path]:
    table: dict[str, Path] = {}
    for path in paths:
        name = key(path.name)
        if name and name in table:
            raise UserError(
                f"{table[name]} and {path} are both references for {name!r}",
                "make the names unique or use --pair",
                code="E206",
            )
        if name:
            table[name] = path
    return table
