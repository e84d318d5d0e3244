"""A plan made ready to be run: this shard's part of it, its journal, its workers."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resattn.errors import UserError
from resattn.pipelines import fingerprint
from resattn.pipelines.ahead import available_threads
from resattn.pipelines.attempt import Terms
from resattn.pipelines.journal import Head, Journal, Memory, unit_name
from resattn.pipelines.plan import Plan
from resattn.pipelines.run import Batch
from resattn.pipelines.shard import Shard, parse
from resattn.pipelines.sources import absolute


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line says of a run as a whole.

    Attributes:
        command: The verb.
        config: Its resolved options.
        out: The value of ``--out``.
        overwrite: Existing outputs may be replaced, whoever made them.
        resume: What is proven to be made already is left alone.
        workers: Processes; 0 takes one per CPU.
        shard: ``i/n``, ``auto``, ``auto/n`` or nothing.
        scheduler: A Dask cluster, or nothing.
        time_limit: Seconds an item may take; 0 for ever.
        hashes: Whether results should carry the hashes of files, journal or not.
    """

    command: str
    config: Mapping[str, Any]
    out: Path
    overwrite: bool = False
    resume: bool = False
    workers: int = 1
    shard: str = ""
    scheduler: str = ""
    time_limit: float = 0.0
    hashes: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """This process's part of a plan, and where it is accounted for.

    Attributes:
        plan: The part.
        root: Output folder; unit names are paths below it.
        shard: Which part it is.
        digest: SHA-256 of the names of all units of all parts.
        journaled: Whether a journal is kept: for folders, and whenever something asks for one.
        memory: Under ``--resume``, what earlier runs made.
    """

    plan: Plan
    root: Path
    shard: Shard
    digest: str
    journaled: bool
    memory: Memory | None = None


def share(plan: Plan, order: Order) -> Share:
    """The part of a plan that `order` gives to this process.

    Raises:
        UserError: ``--shard`` cannot be understood, or, E404, an output exists that no run of ours
            began to make.
    """
    every = (*plan.skipped, *plan.items)
    out = absolute(order.out)
    root = out.parent if any(item.output == out for item in every) else out
    digest = hashlib.sha256()
    for item in every:
        digest.update(os.fsencode(unit_name(item, root)) + b"\0")
    journaled = len(every) > 1 or order.resume or bool(order.shard or order.scheduler)
    shard = Shard()
    if order.shard:
        shard = parse(order.shard, os.environ)
        plan = plan.part(lambda item: shard.takes(unit_name(item, root)))
    memory = Memory(root, order.command) if order.resume else None
    if (order.resume or order.shard) and not order.overwrite:  # `plan` could not tell
        _check_existing(plan, memory)
    return Share(plan, root, shard, digest.hexdigest(), journaled, memory)


@contextlib.contextmanager
def opened(part: Share, order: Order, stop: Callable[[], bool]) -> Iterator[Batch]:
    """The batch, with its journal open.

    Raises:
        OutputError: E405 if another run writes the same journal, E402 if it cannot be written.
    """
    batch = Batch(
        order.workers or available_threads(),
        order.scheduler,
        terms(part, order),
        time_limit=order.time_limit,
        stop=stop,
    )
    if not part.journaled:
        yield batch
        return
    head = Head(
        command=order.command,
        fingerprint=batch.terms.fingerprint,
        plan=part.digest,
        units=len(part.plan.items) + len(part.plan.skipped),
        shard=str(part.shard),
        started=time.time(),
        argv=tuple(sys.argv[1:]),
        config=order.config,
    )
    with Journal(part.root, head) as journal:
        yield replace(batch, journal=journal, memory=part.memory)


def terms(part: Share, order: Order) -> Terms:
    """What every unit is told; files are hashed where a journal or a report wants it."""
    hashing = part.journaled or order.hashes
    return Terms(
        fingerprint.of_run(order.command, order.config) if hashing else "",
        logging.getLogger("resattn").getEffectiveLevel(),
    )


def _check_existing(plan: Plan, memory: Memory | None) -> None:
    """Refuses to replace what may be anybody's."""
    for item in plan.items:
        if item.writes and item.output.exists() and not (memory and memory.knows(item)):
            raise UserError(
                f"{item.output} exists, and no journal says that a run began to make it",
                "add --resume if one did, else --overwrite or --skip-existing",
                code="E404",
            )
