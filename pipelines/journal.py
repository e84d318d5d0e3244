"""What a run has done so far, one line of JSON per event, only ever appended to.

Beside the outputs, in ``OUT/.resattn/``, each shard of each verb has one file. A run adds a head,
then a line when a unit is started and one when it is finished. Lines are not synced: after a power
cut the last ones may be missing, which costs their units once more and nothing else, because a
line is believed only as far as the hashes of the files agree with it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from resattn.errors import OutputError
from resattn.io.atomic import reporting
from resattn.io.faultpoints import reach
from resattn.pipelines.attempt import Made
from resattn.pipelines.plan import Item
from resattn.pipelines.result import Result

log = logging.getLogger(__name__)

FOLDER: Final = ".resattn"
SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Head:
    """What a journal says of a run before its units.

    Attributes:
        command: The verb.
        fingerprint: See `fingerprint.of_run`.
        plan: SHA-256 of the names of all units of all shards, in order.
        units: How many of them are this shard's.
        shard: ``i/n``.
        started: Seconds since 1970.
        argv: Arguments after ``resattn``.
        config: Resolved options, for the report.
        schema: Version of the format.
    """

    command: str
    fingerprint: str
    plan: str
    units: int
    shard: str
    started: float
    argv: tuple[str, ...]
    config: Mapping[str, Any]
    schema: int = SCHEMA


def paths(out: Path, command: str = "*") -> list[Path]:
    """All journals in an output folder, or those of one verb."""
    return sorted((out / FOLDER).glob(f"{command}.*-of-*.jsonl"))


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Offset and content of each line; what a kill cut short is passed over."""
    with path.open("rb") as stream:
        offset = 0
        for line in stream:
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                content = None
            if isinstance(content, dict):
                yield offset, content
            else:
                log.debug("%s: torn line at byte %d", path, offset)
            offset += len(line)


class Memory:
    """What the journals in a folder say that earlier runs of a verb began and finished.

    Only places in the files are kept, so that a hundred thousand items take little memory.
    """

    def __init__(self, out: Path, command: str) -> None:
        self._out = out
        self._known: dict[str, tuple[Path, int] | None] = {}
        for path in paths(out, command):
            for offset, line in lines(path):
                if isinstance(name := line.get("start"), str):
                    self._known.setdefault(name, None)
                elif "result" in line and isinstance(name := line.get("done"), str):
                    self._known[name] = (path, offset)

    def knows(self, item: Item) -> bool:
        """Whether a run began to make this item."""
        return unit_name(item, self._out) in self._known

    def made(self, item: Item) -> Made | None:
        """What the last run that finished this item said of it."""
        where = self._known.get(unit_name(item, self._out))
        if where is None:
            return None
        path, offset = where
        with path.open("rb") as stream:
            stream.seek(offset)
            line = json.loads(stream.readline())
        try:
            return made(line)
        except (KeyError, TypeError, AttributeError) as error:
            log.debug("%s: damaged line at byte %d: %r", path, offset, error)
            return None


class Journal:
    """One shard's journal, open for one run at a time.

    Args:
        out: Output folder.
        head: This run.

    Raises:
        OutputError: E405 if another run writes the same journal, E402 if it cannot be written.
    """

    def __init__(self, out: Path, head: Head) -> None:
        shard = head.shard.replace("/", "-of-")
        self.path = out / FOLDER / f"{head.command}.{shard}.jsonl"
        self._out = out
        self._stream = _opened(self.path)
        try:
            self._append({"run": asdict(head)})
        except BaseException:
            self._stream.close()  # and with it the lock
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._stream, reporting(self.path):
            reach("fsync")
            os.fsync(self._stream.fileno())

    def start(self, item: Item) -> None:
        """Notes that an item is about to be worked on."""
        self._append({"start": unit_name(item, self._out)})

    def finish(self, item: Item, position: int, made: Made, *, kept: bool = False) -> None:
        """Notes what became of an item, and its position in the whole plan.

        What was kept is only pointed at: its line stands further up or in another journal.
        """
        line = {"done": unit_name(item, self._out), "position": position, "key": made.key}
        self._append(line if kept else {**line, "result": asdict(made.result)})

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, default=str, separators=(",", ":"))
        left = text.encode("ascii") + b"\n"
        with reporting(self.path):
            # Unbuffered: a kill leaves whole lines, or tears the last. On a disk that is almost
            # full a write takes a part, and the next one says why.
            while left:
                reach("write")
                left = left[self._stream.write(left) :]


def made(line: Mapping[str, Any]) -> Made:
    """What a ``done`` line says."""
    return Made(line["key"], Result.from_json(line["result"]))


def unit_name(item: Item, out: Path) -> str:
    """The path of an item's output below the output folder, which differs between machines."""
    output, folder = os.fspath(item.output), f"{out}{os.sep}"
    return output[len(folder) :] if output.startswith(folder) else os.path.relpath(output, out)


def _opened(path: Path) -> BinaryIO:
    try:
        reach("open")
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab", buffering=0)
    except OSError as error:
        raise OutputError(
            f"cannot write the journal {path}: {error.strerror}", "choose another -o", code="E402"
        ) from error
    _lock(stream, path)
    if stream.tell() and not _ends_a_line(path):
        stream.write(b"\n")
    return stream


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def _lock(stream: BinaryIO, path: Path) -> None:
    """Takes the journal for this process; the system releases it when the process ends."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.close()
        raise OutputError(
            f"another run is writing to {path.parent.parent}",
            "wait for it, or give this one another -o or --shard",
            code="E405",
        ) from error
    except OSError as error:  # some network file systems
        log.debug("no lock on %s: %s", path, error)
