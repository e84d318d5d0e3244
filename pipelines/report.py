"""Reports: JSON with everything, CSV with one row per item, HTML to look at."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from resattn.errors import UserError
from resattn.pipelines.result import Result
from resattn.pipelines.summary import summary
from resattn.version import __version__

SCHEMA: Final = 1
_PACKAGES: Final = ("torch", "numpy", "rasterio", "opencv-python", "scikit-image")
SUFFIXES: Final = (".json", ".csv", ".html")


@dataclass(frozen=True, slots=True)
class Run:
    """What is said about a run as a whole.

    Attributes:
        command: The verb.
        config: The resolved options that decide the result.
        results: One per item.
        gates: Sentences of the gates that were not met.
    """

    command: str
    config: Mapping[str, Any]
    results: Sequence[Result]
    gates: Sequence[str] = field(default_factory=tuple)


def check_paths(paths: Sequence[Path]) -> None:
    """Refuses report names whose suffix says nothing, before any work is done.

    Raises:
        UserError: A suffix is not one of `SUFFIXES`.
    """
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"--report {path}: suffix {path.suffix or 'missing'}",
                f"end the name in {' or '.join(SUFFIXES)}",
                code="E207",
            )


def write(paths: Sequence[Path], run: Run) -> None:
    """Writes the run to each path, in the form its suffix names, atomically."""
    from resattn.io.atomic import make_folder, write_text

    for path in paths:
        make_folder(path.parent)
        write_text(path, _rendered(run, path.suffix.lower()), overwrite=True)


def _rendered(run: Run, suffix: str) -> str:
    if suffix == ".csv":
        return to_csv(run)
    if suffix == ".html":
        from resattn.pipelines.html_report import to_html

        return to_html(run.results, to_plain(run))
    return to_json(run)


def to_json(run: Run) -> str:
    """The run as JSON; NaN becomes null, which every reader accepts."""
    return json.dumps(to_plain(run), indent=2, ensure_ascii=False) + "\n"


def to_plain(run: Run) -> dict[str, Any]:
    """The run in the words of JSON."""
    document = {
        "schema": SCHEMA,
        "command": run.command,
        "version": __version__,
        "argv": sys.argv[1:],
        "environment": environment(),
        "config": run.config,
        "summary": summary(run.results),
        "gates_not_met": list(run.gates),
        "items": [asdict(result) for result in run.results],
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def to_csv(run: Run) -> str:
    """One row per item: name, status, output, seconds, error, what made it, and every metric."""
    metrics = list(dict.fromkeys(name for result in run.results for name in result.metrics))
    said, made = ["item", "status", "output", "seconds", "error"], [run.command, __version__]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*said, "command", "version", *metrics])
    for result in run.results:
        output = str(result.outputs[0]) if result.outputs else ""
        values = [result.metrics.get(name, "") for name in metrics]
        row = [result.name, result.status, output, result.seconds, result.error]
        writer.writerow([*row, *made, *values])
    return text.getvalue()


def environment() -> dict[str, str]:
    """Versions that can change a result."""
    versions = {"python": sys.version.split()[0], "resattn": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    # A path that is not UTF-8 still has to be printable.
    return str(value).encode("utf-8", "backslashreplace").decode()
