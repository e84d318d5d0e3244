"""Several processes on one machine, each with its own networks, fed one unit at a time.

Processes are spawned, never forked: GDAL and torch do not survive a fork. A unit is sent only to a
worker that is idle, so that when a worker dies it is known which unit it died of.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Any, Final

from resattn.errors import ResourceError
from resattn.io.atomic import remove_stale
from resattn.pipelines.attempt import Outcome, Terms, Unit, attempt, lost, overdue, recorded
from resattn.pipelines.portable import Recipe
from resattn.pipelines.progress import Progress

MOST_DEATHS: Final = 2
"""Workers a unit may cost before it is set aside."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    unit: Unit | None = None
    ready: bool = False
    since: float = 0.0
    """When it began its unit; what it did before, until it was ready, took no item's time."""


class Crew:
    """Up to `size` worker processes.

    Args:
        recipe: How each makes its work, once.
        terms: Of the run.
        size: Number of processes.
        threads: CPU threads of each, unless the recipe says.
        time_limit: Seconds a unit may take before its worker is ended; 0 for ever.
    """

    def __init__(
        self, recipe: Recipe, terms: Terms, size: int, threads: int, time_limit: float = 0.0
    ) -> None:
        self._recipe = recipe.with_threads(threads)
        self._terms = terms
        self._size = size
        self._threads = threads
        self._time_limit = time_limit or math.inf
        self._workers: list[_Worker] = []
        self._again: deque[Unit] = deque()
        self._deaths: Counter[int] = Counter()

    def run(self, units: Iterator[Unit]) -> Iterator[Outcome]:
        """The outcomes as they come. Units are taken when a worker is free, and not before.

        Raises:
            ResattnError: A worker could not make its work.
            ResourceError: E503 if a worker dies before it has made its work.
        """
        try:
            while busy := self._feed(units):
                for pipe in wait([worker.pipe for worker in busy], self._patience(busy)):
                    worker = next(one for one in busy if one.pipe is pipe)
                    yield from self._hear(worker)
                yield from self._end_overdue()
        finally:
            self._dismiss()

    def _feed(self, units: Iterator[Unit]) -> list[_Worker]:
        """The busy workers, once every idle one has a unit, as far as there are any."""
        while True:
            worker = next((one for one in self._workers if one.unit is None), None)
            if worker is None and len(self._workers) == self._size:
                break
            unit = self._again.popleft() if self._again else next(units, None)
            if unit is None:
                break
            worker = worker or self._hire()
            worker.unit, worker.since = unit, time.monotonic()
            with contextlib.suppress(OSError):  # it died while idle: `_hear` will find out
                worker.pipe.send(unit)
        return [one for one in self._workers if one.unit is not None]

    def _hire(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._threads), daemon=True)
        process.start()
        theirs.close()  # the worker's end is then closed by its death alone
        worker = _Worker(process, ours)
        self._workers.append(worker)
        with contextlib.suppress(OSError):
            ours.send((self._recipe, self._terms))
        return worker

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(worker)
            return
        if isinstance(message, Exception):
            raise message
        if isinstance(message, Outcome):
            worker.unit = None
            yield message
        else:
            worker.ready, worker.since = True, time.monotonic()

    def _patience(self, busy: list[_Worker]) -> float | None:
        """Seconds until the next worker is overdue; None if none can be."""
        started = [worker.since for worker in busy if worker.ready]
        if self._time_limit == math.inf or not started:
            return None
        return max(0.0, min(started) + self._time_limit - time.monotonic())

    def _end_overdue(self) -> Iterator[Outcome]:
        """Ends the workers that took too long, unless their outcome has just come."""
        latest = time.monotonic() - self._time_limit
        for worker in list(self._workers):
            unit = worker.unit
            if unit is None or not worker.ready or worker.since > latest or worker.pipe.poll():
                continue
            worker.process.kill()
            self._remove(worker)
            remove_stale(unit.item.output.parent)
            yield overdue(unit, self._time_limit)

    def _bury(self, worker: _Worker) -> Iterator[Outcome]:
        """Takes a dead worker's unit back, for another worker or, the second time, for none."""
        self._remove(worker)
        if not worker.ready:
            raise ResourceError(
                f"a worker ended with code {worker.process.exitcode} before its first item",
                "lower --workers, or see what one process says with --workers 1",
                code="E503",
            )
        unit = worker.unit
        if unit is None:
            return
        remove_stale(unit.item.output.parent)
        self._deaths[unit.place] += 1
        if self._deaths[unit.place] < MOST_DEATHS:
            self._again.append(unit)
        else:
            yield lost(unit, MOST_DEATHS)

    def _remove(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)

    def _dismiss(self) -> None:
        """Ends the workers: at once those whose unit nobody waits for any more."""
        for worker in self._workers:
            if worker.unit is not None:
                worker.process.kill()
            worker.pipe.close()  # an idle worker ends when it can hear nothing any more
        for worker in self._workers:
            worker.process.join()
            if worker.unit is not None:
                remove_stale(worker.unit.item.output.parent)


def _serve(pipe: Connection, threads: int) -> None:
    """A worker's life: make the work, then a unit and its outcome, until the pipe closes."""
    # The run decides what a signal means; a terminal sends it to every process of the group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))  # read when NumPy and torch are imported
    with contextlib.suppress(EOFError, BrokenPipeError):
        recipe, terms = pipe.recv()
        try:
            with recorded(terms.log_level):  # the run itself has said it already
                work = recipe.follow()
        except Exception as error:
            pipe.send(error)
            return
        pipe.send("ready")
        while True:
            pipe.send(attempt_elsewhere(pipe.recv(), work, terms))


def attempt_elsewhere(unit: Unit, work: Any, terms: Terms) -> Outcome:
    """`attempt` in a process of its own: silent, its messages in the outcome."""
    with recorded(terms.log_level) as messages:
        outcome = attempt(unit, work, Progress(enabled=False), terms)
    return replace(outcome, messages=tuple(messages))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
