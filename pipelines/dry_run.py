"""What a run would read, write, keep and cost, without making anything."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from resattn.pipelines import journal
from resattn.pipelines.ahead import available_threads
from resattn.pipelines.attempt import Terms, is_made
from resattn.pipelines.batch import Order, Share, terms
from resattn.pipelines.division import Division
from resattn.pipelines.memory import parse_bytes
from resattn.pipelines.plan import Item
from resattn.pipelines.portable import Portable, Work


def describe(share: Share, order: Order, work: Work, divided: Sequence[Division] = ()) -> str:
    """The text of ``--dry-run``: a line per file, then totals; words are separated by tabs.

    Under ``--resume`` files are hashed as the run would do it, so that ``keep`` is exact. Memory
    is that of this process, its networks loaded, and ``--ram``, for every worker. Time is that of
    items which the journals know for the same options, by bytes of input.
    """
    told = terms(share, order)
    kept = {item.output for item in share.plan.items if _is_kept(item, share, told)}
    plan = share.plan.part(lambda item: item.output not in kept)
    units = max([len(plan.items), *(len(division.item.strips) for division in divided)])
    workers = max(1, min(order.workers or available_threads(), units))
    ram = workers * (_resident() + parse_bytes(str(order.config.get("ram", "0GB"))))
    seconds = _seconds(plan.items, share.root, order.command, told.fingerprint)
    lines = [
        plan.describe(work.companions if isinstance(work, Portable) else lambda _: ()),
        *(f"keep\t{path}" for path in sorted(kept)),
        *([f"journal\t{share.root / journal.FOLDER}"] if share.journaled else []),
        f"units\t{len(plan.items)}",
        *(f"strips\t{len(division.item.strips)}\t{division.item.output}" for division in divided),
        f"shard\t{share.shard}",
        f"workers\t{order.scheduler or workers}",
        f"memory\tat most {ram / 2**30:.1f} GB",
        "time\tunknown until items were made here with these options"
        if seconds is None
        else f"time\tabout {seconds / workers:.0f} s",
    ]
    return "\n".join(lines)


def _is_kept(item: Item, share: Share, told: Terms) -> bool:
    earlier = None if share.memory is None else share.memory.made(item)
    return earlier is not None and is_made(item, earlier, told)


def _resident() -> int:
    """Bytes this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _seconds(items: Sequence[Item], root: Path, command: str, fingerprint: str) -> float | None:
    """What one worker would take, by the speed of earlier items; None if there are none."""
    spent, size = 0.0, 0
    for result in _earlier(root, command, fingerprint):
        spent += result["seconds"]
        size += _bytes(map(Path, result["inputs"]))
    return spent / size * sum(_bytes(item.inputs) for item in items) if size else None


def _earlier(root: Path, command: str, fingerprint: str) -> Iterable[dict[str, Any]]:
    for path in journal.paths(root, command):
        same = False
        for _, line in journal.lines(path):
            same = line["run"]["fingerprint"] == fingerprint if "run" in line else same
            if same and line.get("result", {}).get("status") == "ok":
                yield line["result"]


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
