"""The only batch loop: one bad file never stops the others, and nothing is swallowed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from resattn.errors import ItemError, ResattnError, ResourceError, is_out_of_memory
from resattn.io.atomic import remove_stale
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result

log = logging.getLogger(__name__)

Work = Callable[[Item, Progress], Result]


def execute(plan: Plan, work: Work, progress: Progress) -> Iterator[Result]:
    """Yields a result per item, in order, as each is finished.

    An expected failure of an item becomes a ``failed`` result and the loop goes on; so does a
    defect of ours, with its traceback in the log. KeyboardInterrupt and SIGTERM pass through: the
    writers remove their temporary files on the way. Those of runs that were killed go first.
    """
    for folder in sorted({item.output.parent for item in plan.items if item.writes}):
        remove_stale(folder)
    for item in plan.skipped:
        yield Result(item.name, "skipped", (item.output,), inputs=item.inputs)
    with progress.items(len(plan.items)):
        for item in plan.items:
            started = time.perf_counter()
            result = _attempt(item, work, progress)
            yield replace(
                result,
                inputs=item.inputs,
                reference=item.reference,
                seconds=round(time.perf_counter() - started, 3),
            )
            progress.item_done()


def _attempt(item: Item, work: Work, progress: Progress) -> Result:
    try:
        return work(item, progress)
    except ResattnError as error:
        return _failed(item, error)
    except Exception as error:  # a defect: the rest of the batch must not pay for it
        if is_out_of_memory(error):
            return _failed(
                item,
                ResourceError(f"out of memory: {error}", "lower --ram or --tile", code="E501"),
            )
        log.debug("traceback of %s", item.name, exc_info=True)
        return _failed(
            item,
            ItemError(
                f"{type(error).__name__}: {error}",
                "this is a defect: rerun with --debug and report it",
                code="E999",
            ),
        )


def _failed(item: Item, error: ResattnError) -> Result:
    log.debug("%s failed", item.name, exc_info=error)
    return Result(item.name, "failed", error=f"error[{error.code}] {item.name}: {error}")
