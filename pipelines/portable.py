"""Work that can cross to another process: as its recipe, never as the network it has loaded."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from resattn.pipelines.plan import Item
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result
from resattn.tiling import Window

Work = Callable[[Item, Progress], Result]
Config = TypeVar("Config")


@runtime_checkable
class Divisible(Protocol):
    """A `Work` that can make one output in strips, and of its strips: it minds `Item.strips`."""

    def __call__(self, item: Item, progress: Progress, /) -> Result:
        """Does the work on one item."""

    def strips(self, item: Item, /) -> Sequence[Window]:
        """Rows of the output that can be made apart, in order; none if it is made at once."""

    def strip(self, item: Item, progress: Progress, /) -> Result:
        """Makes the file of `Item.strip`."""


@runtime_checkable
class Fitted(Divisible, Protocol):
    """A `Divisible` whose strips share what is first fitted to the whole: `Item.fit`."""

    def fit(self, item: Item, progress: Progress, /) -> Result:
        """Makes the file that strips, and the item put together of them, read."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How work is made: small, hashable, and sent to processes that have the same package.

    Attributes:
        make: A pipeline's ``work``, found again by its module and name.
        config: What it is called with.
    """

    make: Callable[[Any], Work]
    config: Any

    def with_threads(self, threads: int) -> Recipe:
        """The same recipe with that many CPU threads, where the config leaves it open."""
        if getattr(self.config, "threads", None) != 0:
            return self
        return Recipe(self.make, dataclasses.replace(self.config, threads=threads))

    def follow(self) -> Work:
        """The work, its networks loaded here and now."""
        return self.make(self.config)


class Portable:
    """A `Work` that remembers its recipe.

    Args:
        work: What is done.
        recipe: How it was made.
        companions: Files that an item becomes beside its main output.
    """

    def __init__(
        self, work: Work, recipe: Recipe, companions: Callable[[Item], tuple[Path, ...]]
    ) -> None:
        self._work = work
        self.recipe = recipe
        self.companions = companions

    def __call__(self, item: Item, progress: Progress) -> Result:
        """Does the work on one item, or on the part of it that this item is."""
        if isinstance(self._work, Fitted) and item.fit == item.output:
            return self._work.fit(item, progress)
        if isinstance(self._work, Divisible) and item.strip is not None:
            return self._work.strip(item, progress)
        return self._work(item, progress)

    def strips(self, item: Item) -> Sequence[Window]:
        """See `Divisible`."""
        return self._work.strips(item) if isinstance(self._work, Divisible) else ()

    @property
    def is_fitted(self) -> bool:
        """See `Fitted`."""
        return isinstance(self._work, Fitted)


def portable(make: Callable[[Config], Work]) -> Callable[[Config], Portable]:
    """Marks a pipeline's ``work(config)``, a function of a module, so that workers can call it."""
    return portable_with(lambda _item, _config: ())(make)


def portable_with(
    companions: Callable[[Item, Config], tuple[Path, ...]],
) -> Callable[[Callable[[Config], Work]], Callable[[Config], Portable]]:
    """`portable` for work that writes files beside an item's main output.

    Args:
        companions: Names them, for ``--dry-run``.
    """

    def mark(make: Callable[[Config], Work]) -> Callable[[Config], Portable]:
        @functools.wraps(make)
        def made(config: Config) -> Portable:
            return Portable(
                make(config), Recipe(made, config), lambda item: companions(item, config)
            )

        return made

    return mark
