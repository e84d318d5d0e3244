"""One report from the journals of several shards, as a single process would have written it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resattn.errors import UserError
from resattn.pipelines import journal
from resattn.pipelines.division import FOLDER as STRIPS
from resattn.pipelines.report import Run
from resattn.pipelines.result import Result
from resattn.pipelines.sources import absolute


@dataclass(frozen=True, slots=True)
class _Section:
    """The last run in one journal: its head, and position and key of what it finished, by unit."""

    path: Path
    head: Mapping[str, Any]
    done: dict[str, tuple[int, str]]


def merge(out: str | Path, command: str = "") -> Run:
    """The last run in an output folder, all its shards together, its items in order.

    Args:
        out: What was ``--out``.
        command: The verb; by default the one that ran last.

    Raises:
        UserError: E202 if no run left a journal there, E213 if a shard is missing, unfinished or
            of another run, or a raster is still in strips.

    Example:
        >>> merge("out").results  # doctest: +SKIP
    """
    folder = absolute(out)
    _check_joined(folder)
    paths = journal.paths(folder, command or "*")
    sections = [section for path in paths if (section := _last_section(path))]
    if not sections:
        raise UserError(f"{folder} holds no journal", "name the --out of the run", code="E202")
    newest = max(sections, key=lambda section: section.head["started"])
    parts = _parts(newest, sections)
    results = _results(folder, newest.head["command"])
    found = [
        (position, results[name, key])
        for part in parts
        for name, (position, key) in part.done.items()
    ]
    # As in a run: first what was skipped, then the others in the order of the plan.
    found.sort(key=lambda pair: (pair[1].status != "skipped", pair[0]))
    return Run(newest.head["command"], newest.head["config"], [result for _, result in found])


def _check_joined(folder: Path) -> None:
    strips = folder / journal.FOLDER / STRIPS
    for account in strips.glob(f"**/{journal.FOLDER}/*.jsonl"):
        output = folder / account.parent.parent.relative_to(strips)
        if not output.exists():
            raise UserError(
                f"{output} lies in strips that are not yet put together",
                "once every shard is done, give their command without --shard and with --resume",
                code="E213",
            )


def _last_section(path: Path) -> _Section | None:
    section = None
    for _, line in journal.lines(path):
        if "run" in line:
            section = _Section(path, line["run"], {})
        elif "done" in line and section is not None:
            section.done[line["done"]] = line["position"], line["key"]
    return section


def _parts(newest: _Section, sections: Sequence[_Section]) -> list[_Section]:
    """The complete shards of the run that `newest` belongs to."""
    head = newest.head
    count = int(head["shard"].partition("/")[2])
    same = ("command", "fingerprint", "plan")
    by_shard = {
        section.head["shard"]: section
        for section in sections
        if all(section.head[key] == head[key] for key in same)
    }
    names = [f"{index}/{count}" for index in range(1, count + 1)]
    missing = [name for name in names if name not in by_shard]
    if missing:
        raise UserError(
            f"shard {', '.join(missing)} of {newest.path.parent.parent} has not run, or not with "
            "these inputs, options, weights and code",
            f"run it as: {_command(head, missing[0])}",
            code="E213",
        )
    for name in names:
        part = by_shard[name]
        if len(part.done) < part.head["units"]:
            raise UserError(
                f"shard {name} has finished {len(part.done)} of {part.head['units']} items",
                f"continue with: {_command(part.head, name)}",
                code="E213",
            )
    return [by_shard[name] for name in names]


def _command(head: Mapping[str, Any], shard: str) -> str:
    """The command of a run, for one of its shards."""
    words = list(head["argv"])
    if "--shard" in words:
        words[words.index("--shard") + 1] = shard
    if "--resume" not in words:
        words.append("--resume")
    return shlex.join(["resattn", *words])


def _results(folder: Path, command: str) -> dict[tuple[str, str], Result]:
    """Every result that any journal of the verb holds, by unit and key."""
    results = {}
    for path in journal.paths(folder, command):
        for _, line in journal.lines(path):
            if "result" in line:
                results[line["done"], line["key"]] = Result.from_json(line["result"])
    return results
