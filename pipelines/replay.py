"""A reported run done again from its own record, and what came out differently.

The record has every resolved option and every file, so nothing of the shell, the environment or a
config file has to be as it was; inputs, versions and the machine may differ, and that is said.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_type_hints

from resattn.errors import ItemError, ResattnError, UserError
from resattn.hashing import file_sha256
from resattn.pipelines import report
from resattn.pipelines.plan import Item
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result

Verdict = Literal["equal", "differs", "failed"]


@dataclass(frozen=True, slots=True)
class Repeated:
    """What became of one recorded item.

    Attributes:
        name: The item's.
        verdict: Whether every output, or every score where there is none, came out the same.
        said: Sentences about what did not.
    """

    name: str
    verdict: Verdict
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What a JSON report says of a run.

    Attributes:
        command: The verb.
        argv: Its arguments as they were typed.
        config: Every resolved option.
        environment: Versions.
        items: The results.
    """

    command: str
    argv: tuple[str, ...]
    config: Mapping[str, Any]
    environment: Mapping[str, str]
    items: tuple[Result, ...]


def read(path: Path) -> Record:
    """The record in a JSON report.

    Raises:
        UserError: E215 if it is no report of a run that this version can repeat.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != report.SCHEMA:
            raise _unusable(path, f"has schema {document['schema']!r}, not {report.SCHEMA}")
        items = tuple(Result.from_json(item) for item in document["items"])
        record = Record(
            document["command"],
            tuple(document["argv"]),
            document["config"],
            document["environment"],
            items,
        )
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", "name a JSON report", code="E202") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unusable(path, f"is no report ({type(error).__name__}: {error})") from error
    if not any(item.status == "ok" for item in items):
        raise _unusable(path, "has no item that was finished")
    return record


def changes(record: Record) -> Iterator[str]:
    """Versions that are not as they were."""
    now = report.environment()
    for name, version in record.environment.items():
        if now.get(name) != version:
            yield f"{name} was {version}, is {now.get(name, 'absent')}"


def repeat(record: Record, out: Path) -> Iterator[Repeated]:
    """Does every finished item of a record again, below `out`, and compares.

    Args:
        record: What is repeated.
        out: An empty or new folder.

    Raises:
        UserError: E215 if the command or an option is unknown here.
    """
    pipeline = _pipeline(record.command)
    config = _config(pipeline, record)
    work = pipeline.work(config)
    finished = [item for item in record.items if item.status == "ok"]
    outputs = _outputs(finished, out)
    for item, output in zip(finished, outputs, strict=True):
        yield _repeat(item, output, work)


def _repeat(before: Result, output: Path, work: Callable[[Item, Progress], Result]) -> Repeated:
    changed = [
        f"input {path.name} {'is gone' if not path.is_file() else 'has changed'}"
        for path in (*before.inputs, *([before.reference] if before.reference else []))
        if not path.is_file() or _recorded(before, path) not in ("", file_sha256(path))
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    target = output if before.outputs else before.inputs[0]
    try:
        after = work(
            Item(before.name, before.inputs, target, before.reference), Progress(enabled=False)
        )
    except ResattnError as error:
        return Repeated(before.name, "failed", (*changed, f"error[{error.code}] {error}"))
    said = [*_files(before, after), *([] if before.outputs else _scores(before, after))]
    return Repeated(before.name, "differs" if said else "equal", (*changed, *said))


def _files(before: Result, after: Result) -> Iterator[str]:
    """What differs between the files of two results, by their names after the main one's."""
    if len(before.outputs) != len(after.outputs):
        yield f"{len(before.outputs)} files were written, now {len(after.outputs)}"
    for old, new in zip(before.outputs, after.outputs, strict=False):
        wanted = _recorded(before, old) or (file_sha256(old) if old.is_file() else "")
        if not wanted:
            yield f"{old.name}: its bytes were not recorded, and the file is gone"
        elif file_sha256(new) != wanted:
            yield f"{new.name} has other bytes{_how(old, new, wanted)}"


def _how(old: Path, new: Path, wanted: str) -> str:
    """How far two images lie apart, where the old one is still there."""
    if not old.is_file() or file_sha256(old) != wanted:
        return ""
    import numpy as np

    from resattn.pipelines.pictures import open_picture
    from resattn.tiling import Window

    try:
        with open_picture(old) as first, open_picture(new) as second:
            whole = Window(0, 0, first.height, first.width)
            a, b = (p.read(whole).astype(np.float64) for p in (first, second))
    except (ItemError, ValueError):
        return ""
    if a.shape != b.shape:
        return f": {a.shape} is now {b.shape}"
    away = np.abs(np.nan_to_num(a) - np.nan_to_num(b))
    share = float(np.count_nonzero(away)) / away.size
    return f": {100 * share:.3g} % of the values differ, by at most {away.max():.4g}"


def _scores(before: Result, after: Result) -> Iterator[str]:
    for name, value in after.metrics.items():
        old, new = _plain(before.metrics.get(name)), _plain(value)
        if old != new:
            yield f"{name} was {old}, is {new}"


def _plain(value: float | None) -> float | None:
    """The value as reports write it: nothing where it is infinite or undefined."""
    return value if value is not None and math.isfinite(value) else None


def _recorded(result: Result, path: Path) -> str:
    return result.sha256.get(str(path), "")


def _outputs(items: Sequence[Result], out: Path) -> list[Path]:
    """Where each main output goes: the old tree, below `out`."""
    mains = [item.outputs[0] if item.outputs else item.inputs[0] for item in items]
    root = Path(os.path.commonpath([path.parent for path in mains]))
    return [out / path.relative_to(root) for path in mains]


def _pipeline(command: str) -> ModuleType:
    try:
        module = importlib.import_module(f"resattn.pipelines.{command.replace('-', '_')}")
    except ModuleNotFoundError:
        module = None
    if module is None or not hasattr(module, "work"):
        raise UserError(f"a run of {command!r} cannot be repeated", "repeat a job", code="E215")
    return module


def _config(pipeline: ModuleType, record: Record) -> Any:
    """The frozen config of the pipeline, from the words of JSON."""
    name = "".join(part.capitalize() for part in record.command.split("-")) + "Config"
    kind = getattr(pipeline, name)
    hints = get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = sorted(set(record.config) - known)
    if unknown:
        raise UserError(
            f"this version has no option {', '.join(unknown)}",
            f"repeat it with resattn {record.environment.get('resattn', '?')}",
            code="E215",
        )
    values = {key: _typed(value, hints[key]) for key, value in record.config.items()}
    config = kind(**values)
    return replace(config, overwrite=False) if "overwrite" in known else config


def _typed(value: Any, hint: Any) -> Any:
    if isinstance(value, str) and (hint is Path or Path in get_args(hint)):
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


def _unusable(path: Path, why: str) -> UserError:
    return UserError(f"{path} {why}", "name what --report run.json wrote", code="E215")
