"""The JSON-lines log of a run, which a resumed run continues without repeating a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class RunLog:
    """Appends one JSON object per line, each with the step it belongs to.

    Args:
        path: The log, created if absent; None writes nothing.
        step: Steps done so far: later lines, from work lost to a kill, are dropped.
        tell: Called with every new line.
    """

    def __init__(
        self, path: Path | None, step: int = 0, tell: Callable[[Line], None] | None = None
    ) -> None:
        self._path = path
        self._tell = tell
        if path is not None and path.exists():
            kept = [line for line in read(path) if line["step"] <= step]
            part = path.with_suffix(".part")
            part.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            part.replace(path)

    def write(self, event: str, step: int, **values: Any) -> None:
        """Appends one line."""
        if self._path is None:
            return
        line = {"event": event, "step": step, **values}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        if self._tell is not None:
            self._tell(line)


def read(path: Path) -> list[Line]:
    """The lines of a log; a last line cut short by a kill is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
