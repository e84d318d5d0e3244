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
from resattn.pipelines.journal import Memory
from resattn.pipelines.plan import Item, Plan
from resattn.pipelines.portable import Portable, Work
from resattn.pipelines.result import Result
from resattn.pipelines.shard import Shard
from resattn.tiling import Window

FOLDER: Final = "strips"


@dataclass(frozen=True, slots=True)
class Division:
    """The runs that make the strips of one item.

    Attributes:
        item: The whole, to be put together of all its strips.
        share: The strips that are this process's to make.
        order: How.
        fit: The run before it, where strips share what is fitted to the whole.
    """

    item: Item
    share: Share
    order: Order
    fit: Share | None = None

    @property
    def stages(self) -> tuple[Share, ...]:
        """What is run, in order."""
        return (self.share,) if self.fit is None else (self.fit, self.share)

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
            yield _division(item, windows, share, order, is_fitted=work.is_fitted)


def joined(share: Share, done: Sequence[Division]) -> Share:
    """The share with the items put together of their strips."""
    divided = {division.item.output: division.item for division in done}
    items = tuple(divided.get(item.output, item) for item in share.plan.items)
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


def _division(
    item: Item, windows: Sequence[Window], share: Share, order: Order, *, is_fitted: bool
) -> Division:
    root = share.root / journal.FOLDER / FOLDER / journal.unit_name(item, share.root)
    order = replace(order, out=root, overwrite=True)
    fit = root / "fit" if is_fitted else None
    strips = tuple(_strip(item, window, root, fit) for window in windows)
    return Division(
        replace(item, strips=strips, fit=fit),
        batch.share(Plan(strips), order),
        order,
        None if fit is None else _fitting(item, fit, order, share.shard),
    )


def _strip(item: Item, window: Window, root: Path, fit: Path | None) -> Item:
    rows = f"{window.row:08}-{window.bottom:08}"
    output = root / f"{rows}{item.output.suffix}"  # the suffix says what it is a part of
    return Item(f"{item.name}[{rows}]", item.inputs, output, strip=window, fit=fit)


def _fitting(item: Item, fit: Path, order: Order, shard: Shard) -> Share:
    """A run of one unit that every shard needs: whichever has made it, the others keep it."""
    whole = Item(f"{item.name}[fit]", item.inputs, fit, fit=fit)
    memory = Memory(order.out, order.command)
    alone = batch.share(Plan((whole,)), replace(order, shard="", resume=False))
    return replace(alone, shard=shard, journaled=True, memory=memory)
