"""One raster among many hands: strips of its output as items of a run of their own.

That run is like every other: executors, account, resume, shards. Its folder lies inside the folder
of the account of the whole run, which then only puts the strips together, and goes with them.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from resattn.errors import ResattnError
from resattn.pipelines import batch, journal
from resattn.pipelines.ahead import available_threads
from resattn.pipelines.attempt import is_made
from resattn.pipelines.batch import Order, Share
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Portable, Work
from resattn.pipelines.result import Result
from resattn.tiling import Window

FOLDER: Final = "strips"


@dataclass(frozen=True, slots=True)
class Division:
    """The run that makes the strips of one item.

    Attributes:
        item: The whole.
        strips: All of them, in order.
        share: Those that are this process's to make.
        order: How.
    """

    item: Item
    strips: tuple[Item, ...]
    share: Share
    order: Order

    def failure(self, made: Sequence[Result]) -> Result | None:
        """The result of the whole item where a strip could not be made."""
        for result in made:
            if result.status == "failed":
                return replace(
                    result,
                    name=self.item.name,
                    inputs=self.item.inputs,
                    reference=self.item.reference,
                )
        return None

    def remove(self) -> None:
        """Deletes the folder of the strips."""
        shutil.rmtree(self.share.root, ignore_errors=True)
        with contextlib.suppress(OSError):  # others have theirs there, or an account
            self.share.root.parent.rmdir()
            self.share.root.parent.parent.rmdir()


def divisions(plan: Plan, share: Share, order: Order, work: Work) -> Iterator[Division]:
    """The items to be divided: those to be made in a run that has fewer of them than hands.

    Args:
        plan: The whole, of which `share` may be a part.
        share: This process's part.
        order: Of the run.
        work: What is done with an item.
    """
    if not isinstance(work, Portable) or len(plan.items) >= _hands(share, order):
        return
    told = batch.terms(share, order)
    for item in plan.items:
        earlier = None if share.memory is None else share.memory.made(item)
        windows = () if earlier and is_made(item, earlier, told) else _windows(item, work)
        if len(windows) > 1:
            yield _division(item, windows, share, order)


def joined(share: Share, done: Sequence[Division]) -> Share:
    """The share with the items put together of their strips."""
    strips = {division.item.output: division.strips for division in done}
    items = tuple(replace(item, strips=strips.get(item.output, ())) for item in share.plan.items)
    return replace(share, plan=replace(share.plan, items=items))


def without(share: Share, item: Item) -> Share:
    """The share without one of its items."""
    return replace(share, plan=share.plan.part(lambda other: other.output != item.output))


def _hands(share: Share, order: Order) -> int:
    if not order.scheduler:
        return share.shard.count * (order.workers or available_threads())
    local = re.fullmatch(r"local:(\d+)", order.scheduler)
    return int(local[1]) if local else 2  # a cluster is joined for more than one item


def _windows(item: Item, work: Portable) -> Sequence[Window]:
    try:
        return work.strips(item)
    except ResattnError:  # the run will say so, in the words of every run
        return ()


def _division(item: Item, windows: Sequence[Window], share: Share, order: Order) -> Division:
    root = share.root / journal.FOLDER / FOLDER / journal.unit_name(item, share.root)
    order = replace(order, out=root, overwrite=True)
    strips = tuple(_strip(item, window, root) for window in windows)
    return Division(item, strips, batch.share(Plan(strips), order), order)


def _strip(item: Item, window: Window, root: Path) -> Item:
    rows = f"{window.row:08}-{window.bottom:08}"
    return Item(f"{item.name}[{rows}]", item.inputs, root / f"{rows}.tif", strip=window)
