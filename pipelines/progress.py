"""Progress on stderr: items of a run, and steps inside an item."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


class Progress:
    """Two nested tqdm bars that stay silent away from a terminal.

    Args:
        enabled: True or False to force; None shows bars only where stderr is a terminal.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        # tqdm: disable=None means "off when not a TTY".
        self._disable = None if enabled is None else not enabled
        self._outer: Any = None

    @contextlib.contextmanager
    def items(self, total: int) -> Iterator[None]:
        """The outer bar, shown when there is more than one item."""
        with self._bar(total, "items", "item", hide=total < 2) as bar:
            self._outer = bar
            yield

    def item_done(self) -> None:
        """One more item is finished."""
        if self._outer is not None:
            self._outer.update()

    @contextlib.contextmanager
    def steps(self, total: int, label: str) -> Iterator[Any]:
        """An inner bar; call ``update()`` on what it yields."""
        with self._bar(total, label, "step", leave=False) as bar:
            yield bar

    def _bar(
        self, total: int, label: str, unit: str, *, hide: bool = False, leave: bool = True
    ) -> Any:
        from tqdm import tqdm

        return tqdm(
            total=total,
            desc=label,
            unit=unit,
            leave=leave,
            dynamic_ncols=True,
            disable=True if hide else self._disable,
        )
