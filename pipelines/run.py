"""The only batch loop: one bad file never stops the others, and nothing is swallowed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from resattn.io.atomic import remove_stale
from resattn.pipelines.ahead import available_threads
from resattn.pipelines.attempt import Made, Outcome, Terms, Unit, attempt, repeat
from resattn.pipelines.journal import Journal, Memory
from resattn.pipelines.plan import Plan
from resattn.pipelines.portable import Portable, Recipe, Work
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result

log = logging.getLogger(__name__)

__all__ = ["Batch", "Work", "execute"]


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Batch:
    """Who works on a plan, and what is kept of it.

    Attributes:
        workers: Processes on this machine; 1 works in this one.
        scheduler: A Dask cluster instead: ``tcp://HOST:PORT``, ``local:N`` or a file.
        terms: What every unit is told.
        journal: Where each unit is accounted for; None keeps no account.
        memory: What earlier runs made, to be kept where it still holds.
        time_limit: Seconds a worker may take for a unit; 0 for ever. It makes even one worker a
            process of its own, since nothing else can end a decoder that hangs.
        stop: Asked before each unit; True ends the run after those in hand.
    """

    workers: int = 1
    scheduler: str = ""
    terms: Terms = field(default_factory=Terms)
    journal: Journal | None = None
    memory: Memory | None = None
    time_limit: float = 0.0
    stop: Callable[[], bool] = _never


def execute(
    plan: Plan, work: Work, progress: Progress, batch: Batch | None = None
) -> Generator[Result, None, None]:
    """Yields a result per item, in order, whoever made it and whenever it was finished.

    An expected failure of an item becomes a ``failed`` result and the loop goes on; so does a
    defect of ours, with its traceback in the log. KeyboardInterrupt and SIGTERM pass through: the
    writers remove their temporary files on the way. Those of runs that were killed go first.
    """
    batch = batch or Batch()
    _sweep(plan)
    for position, item in enumerate(plan.skipped):
        skipped = Result(item.name, "skipped", (item.output,), inputs=item.inputs)
        if batch.journal is not None:
            batch.journal.finish(item, position, Made("", skipped))
        yield skipped
    with progress.items(len(plan.items)):
        outcomes = _noted(_outcomes(_units(plan, batch), plan, work, progress, batch), plan, batch)
        for outcome in _in_order(outcomes):
            repeat(outcome.messages)
            yield outcome.made.result
            progress.item_done()
    if batch.memory is not None:
        _sweep(plan)  # a process of the run that was killed may have died after our start


def _sweep(plan: Plan) -> None:
    for folder in sorted({os.path.dirname(item.output) for item in plan.items if item.writes}):  # noqa: PTH120 (many)
        remove_stale(Path(folder))


def _units(plan: Plan, batch: Batch) -> Iterator[Unit]:
    """The units, each noted as started at the moment it is taken."""
    for place, item in enumerate(plan.items):
        if batch.stop():
            return
        if batch.journal is not None:
            batch.journal.start(item)
        yield Unit(place, item, None if batch.memory is None else batch.memory.made(item))


def _outcomes(
    units: Iterator[Unit], plan: Plan, work: Work, progress: Progress, batch: Batch
) -> Iterator[Outcome]:
    if batch.scheduler:
        from resattn.pipelines import dask_workers

        yield from dask_workers.run(units, _recipe(work), batch.terms, batch.scheduler)
    elif (size := min(batch.workers, len(plan.items))) > 1 or (size and batch.time_limit):
        from resattn.pipelines.workers import Crew

        threads = max(1, available_threads() // size)
        crew = Crew(_recipe(work), batch.terms, size, threads, batch.time_limit)
        yield from crew.run(units)
    else:
        for unit in units:
            yield attempt(unit, work, progress, batch.terms)


def _noted(outcomes: Iterator[Outcome], plan: Plan, batch: Batch) -> Iterator[Outcome]:
    for outcome in outcomes:
        if batch.journal is not None:
            item = plan.items[outcome.place]
            position = plan.positions[outcome.place] if plan.positions else outcome.place
            batch.journal.finish(item, position, outcome.made, kept=outcome.kept)
        yield outcome


def _in_order(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """The outcomes in the order of the plan; at an early end, also those behind a gap."""
    waiting: dict[int, Outcome] = {}
    place = 0
    for outcome in outcomes:
        waiting[outcome.place] = outcome
        while place in waiting:
            yield waiting.pop(place)
            place += 1
    yield from (waiting[place] for place in sorted(waiting))


def _recipe(work: Work) -> Recipe:
    if not isinstance(work, Portable):
        raise TypeError(f"{work!r} cannot go to another process: mark its maker as @portable")
    return work.recipe
