"""One unit, wherever it is worked on: proven to be done already, or tried and accounted for."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from resattn.errors import ItemError, ResattnError, ResourceError, is_out_of_memory
from resattn.hashing import file_sha256
from resattn.pipelines import fingerprint
from resattn.pipelines.plan import Item
from resattn.pipelines.portable import Work
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result

log = logging.getLogger(__name__)

Message = tuple[str, int, str]
"""Name of the logger, level, text."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a journal says was made: the key of the unit, and its result."""

    key: str
    result: Result


@dataclass(frozen=True, slots=True)
class Unit:
    """What an executor hands to a worker: paths, never pixels.

    Attributes:
        place: Its place among the units of this run.
        item: What to do.
        earlier: What was made of it before, if a journal knows.
    """

    place: int
    item: Item
    earlier: Made | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all units of a run.

    Attributes:
        fingerprint: See `fingerprint.of_run`; empty means that no file is hashed.
        log_level: Messages below it are not worth sending.
    """

    fingerprint: str = ""
    log_level: int = logging.WARNING


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit.

    Attributes:
        place: The unit's.
        made: Key and result.
        kept: Whether it had been made before and was left alone.
        messages: What was logged about it in another process.
    """

    place: int
    made: Made
    kept: bool = False
    messages: tuple[Message, ...] = ()


def attempt(unit: Unit, work: Work, progress: Progress, terms: Terms) -> Outcome:
    """The outcome of a unit, after leaving it alone if its inputs and outputs are as they were.

    An expected failure becomes a ``failed`` result, and so does a defect of ours, with its
    traceback in the log. KeyboardInterrupt and SIGTERM pass through.
    """
    started = time.perf_counter()
    item = unit.item
    read, key = _key(item, terms)
    if unit.earlier is not None and _still_holds(unit.earlier, key, item):
        return Outcome(unit.place, unit.earlier, kept=True)
    result = _result(item, work, progress)
    result = replace(
        result,
        inputs=item.inputs,
        reference=item.reference,
        sha256=read | _hashes(result.outputs) if terms.fingerprint else {},
        seconds=round(time.perf_counter() - started, 3),
    )
    return Outcome(unit.place, Made(key, result))


def is_made(item: Item, earlier: Made, terms: Terms) -> bool:
    """Whether `attempt` would leave the item alone."""
    return _still_holds(earlier, _key(item, terms)[1], item)


def lost(unit: Unit, deaths: int) -> Outcome:
    """The outcome of a unit whose worker died every time it was tried."""
    error = ResourceError(
        f"its worker died {deaths} times and it was set aside",
        "try it alone; if memory is short, lower --workers, --ram or --tile",
        code="E503",
    )
    return Outcome(unit.place, Made("", failed(unit.item, error)))


def overdue(unit: Unit, seconds: float) -> Outcome:
    """The outcome of a unit that was ended because it took too long."""
    error = ResourceError(
        f"it took more than {seconds:g} s and was ended",
        "raise --time-limit if the file is to be trusted",
        code="E502",
    )
    return Outcome(unit.place, Made("", failed(unit.item, error)))


def failed(item: Item, error: ResattnError) -> Result:
    """The result of an item that could not be made."""
    log.debug("%s failed", item.name, exc_info=error)
    return Result(
        item.name,
        "failed",
        error=f"error[{error.code}] {item.name}: {error}",
        inputs=item.inputs,
        reference=item.reference,
    )


@contextlib.contextmanager
def recorded(level: int) -> Iterator[list[Message]]:
    """The messages of the library while the block runs, to be said again by `repeat`."""
    recorder = _Recorder()
    logger = logging.getLogger("resattn")
    before = logger.level
    logger.addHandler(recorder)
    logger.setLevel(level)
    try:
        yield recorder.messages
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(before)


def repeat(messages: tuple[Message, ...]) -> None:
    """Logs messages of another process here."""
    for name, level, text in messages:
        logging.getLogger(name).log(level, "%s", text)


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append((record.name, record.levelno, self.format(record)))


def _key(item: Item, terms: Terms) -> tuple[dict[str, str], str]:
    """SHA-256 of each file the item reads, if files are hashed, and the key of its unit."""
    read = _hashes(item.reads, _unchanged_sha256) if terms.fingerprint else {}
    return read, fingerprint.of_unit(terms.fingerprint, read.values())


def _hashes(paths: tuple[Path, ...], sha256: Callable[[Path], str] = file_sha256) -> dict[str, str]:
    """SHA-256 by path; empty for what is no readable file: the work says why, in its own words."""
    hashes = {}
    for path in paths:
        try:
            hashes[str(path)] = sha256(path) if path.is_file() else ""
        except OSError:
            hashes[str(path)] = ""
    return hashes


def _unchanged_sha256(path: Path) -> str:
    """That of an input, read once while its status stays the same: strips share their inputs."""
    status = path.stat()
    changes = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return _sha256_as_of(path, changes)


@functools.lru_cache(maxsize=16)
def _sha256_as_of(path: Path, _changes: tuple[int, ...]) -> str:
    return file_sha256(path)


def _still_holds(earlier: Made, key: str, item: Item) -> bool:
    result = earlier.result
    if earlier.key != key or result.status != "ok" or item.output not in result.outputs:
        return False
    found = _hashes(result.outputs)
    return all(digest and digest == result.sha256.get(path) for path, digest in found.items())


def _result(item: Item, work: Work, progress: Progress) -> Result:
    try:
        return work(item, progress)
    except ResattnError as error:
        return failed(item, error)
    except Exception as error:  # a defect: the rest of the batch must not pay for it
        if is_out_of_memory(error):
            return failed(
                item,
                ResourceError(f"out of memory: {error}", "lower --ram or --tile", code="E501"),
            )
        log.debug("traceback of %s", item.name, exc_info=True)
        return failed(
            item,
            ItemError(
                f"{type(error).__name__}: {error}",
                "this is a defect: rerun with --debug and report it",
                code="E999",
            ),
        )
