"""Workers of a Dask cluster: one that runs already, or one made on this machine.

Dask (``pip install resattn[dist]``) is imported here alone, and only when it is asked for. It moves
paths, options and results; journal, resume and order are ours, as with every other executor.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resattn.errors import UserError
from resattn.pipelines import fingerprint
from resattn.pipelines.attempt import Outcome, Terms, Unit, lost, recorded
from resattn.pipelines.portable import Recipe, Work
from resattn.pipelines.workers import MOST_DEATHS, attempt_elsewhere


def run(units: Iterator[Unit], recipe: Recipe, terms: Terms, scheduler: str) -> Iterator[Outcome]:
    """The outcomes as they come; as many units are out as the cluster has threads.

    Args:
        units: Taken when a thread of the cluster is free.
        recipe: How each worker process makes its work, once.
        terms: Of the run.
        scheduler: ``tcp://HOST:PORT``, ``local:N`` or a scheduler file.

    Raises:
        UserError: E212 if Dask is not installed, there is no such cluster or it runs other code.
    """
    try:
        import distributed
    except ImportError as error:
        raise UserError(
            "--scheduler needs Dask", "pip install 'resattn[dist]'", code="E212"
        ) from error
    name, code = uuid.uuid4().hex[:8], fingerprint.of_code()
    with _connected(scheduler) as client:
        running = distributed.as_completed()
        sent: dict[str, Unit] = {}
        doubtful: list[Unit] = []

        def submit(unit: Unit, word: str = "unit") -> Any:
            key = f"resattn-{name}-{word}-{unit.place}"
            sent[key] = unit
            # Not pure: what it is called for is that files appear.
            return client.submit(_attempt, unit, recipe, terms, code, key=key, pure=False)

        threads = max(1, sum(client.nthreads().values()))
        for unit in itertools.islice(units, threads):
            running.add(submit(unit))
        for future in running:
            unit = sent.pop(future.key)
            try:
                yield future.result()
            except distributed.scheduler.KilledWorker:
                doubtful.append(unit)
            for following in itertools.islice(units, 1):
                running.add(submit(following))
        # A unit waiting on the worker of one that kills it is blamed as well: by itself, none is.
        for unit in doubtful:
            try:
                yield submit(unit, "alone").result()
            except distributed.scheduler.KilledWorker:
                yield lost(unit, MOST_DEATHS)


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    import dask
    import distributed

    if local := re.fullmatch(r"local:([1-9]\d*)", scheduler):
        # One thread each: the units of a process would wait for each other anyway.
        options = {"n_workers": int(local[1]), "threads_per_worker": 1, "dashboard_address": None}
        allowed = {"distributed.scheduler.allowed-failures": MOST_DEATHS - 1}
        with (
            dask.config.set(allowed),
            distributed.LocalCluster(**options, silence_logs=logging.CRITICAL) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
        return
    is_file = Path(scheduler).is_file()
    try:
        where = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
        client = distributed.Client(**where, timeout=30)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--scheduler {scheduler}: no cluster answers ({error})",
            "write tcp://HOST:PORT, local:N or the path of a scheduler file",
            code="E212",
        ) from error
    with client:
        client.wait_for_workers(1, timeout=300)
        yield client


def _attempt(unit: Unit, recipe: Recipe, terms: Terms, code: str) -> Outcome:
    """Runs in the cluster."""
    if fingerprint.of_code() != code:
        raise UserError(
            "the cluster has another version of resattn, or of its libraries",
            "install the same on every machine",
            code="E212",
        )
    work, turn = _work(recipe, terms.log_level)
    with turn:
        return attempt_elsewhere(unit, work, terms)


@functools.lru_cache(maxsize=2)
def _work(recipe: Recipe, log_level: int) -> tuple[Work, threading.Lock]:
    """The work of a recipe, made once per process, and whose turn it is there."""
    with recorded(log_level):
        return recipe.follow(), threading.Lock()
