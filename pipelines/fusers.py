"""Which method sharpens a scene: the one asked for, or the best by its own scores; fitted to it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from resattn.errors import UserError
from resattn.fusion import classical
from resattn.fusion.calibration import Calibration
from resattn.fusion.scene import Scene
from resattn.fusion.taps import Image, Mask
from resattn.pipelines.pansharpen_config import PansharpenConfig
from resattn.pipelines.progress import Progress
from resattn.tiling import Window

METHODS = ("auto", "lambda-pnn", *classical.METHODS)


class Fuser(Protocol):
    """A method fitted to one scene."""

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """Fused bands (B, H, W) of a PAN window, and where they are valid (H, W)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A fitted method, its name, and what the choice rests on.

    Attributes:
        name: The method that was chosen.
        fuser: It, fitted.
        own_threads: True for networks, whose arithmetic uses all threads by itself.
        tile: Side of its tiles, PAN pixels, where memory allows it.
        facts: For the report: scores that decided, loss before and after.
        pack: Gives the adapted weights as the bytes of a file; None where nothing was adapted.
    """

    name: str
    fuser: Fuser
    own_threads: bool = False
    tile: int = 1024
    facts: Mapping[str, Any] = field(default_factory=dict)
    pack: Callable[[str], bytes] | None = None


def check_method(method: str) -> None:
    """Refuses a method that does not exist.

    Raises:
        UserError: It is not one of `METHODS`.
    """
    if method not in METHODS:
        close = difflib.get_close_matches(method, METHODS)
        hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(METHODS)}"
        raise UserError(f"unknown method {method!r}", hint, code="E208")


def choose(
    method: str,
    scene: Scene,
    calibration: Calibration,
    config: PansharpenConfig,
    progress: Progress,
) -> Choice:
    """The method, fitted to the scene and, where it learns, adapted to it."""
    if method in classical.METHODS:
        # They read little around a tile: a small one stays in the cache of its core.
        return Choice(method, classical.fit(method, scene, calibration.optics), tile=512)
    return _adapted(method, scene, calibration, config, progress)


def _adapted(
    method: str,
    scene: Scene,
    calibration: Calibration,
    config: PansharpenConfig,
    progress: Progress,
) -> Choice:
    # torch takes longer to import than a classical method takes to run.
    from resattn.device import pick
    from resattn.fusion import select
    from resattn.fusion.adapt import AdaptedModel, adapt, load_network
    from resattn.fusion.adapt_training import AdaptConfig

    budget = AdaptConfig(
        steps=config.adapt_steps,
        seconds=config.adapt_seconds or None,
        seed=config.seed,
        precision=config.precision,
        device=str(pick(config.device)),
    )
    optics, strength = calibration.optics, calibration.consistency
    begin = None if config.weights is None else load_network(config.weights, scene.bands)
    with progress.steps(config.adapt_steps, "adapting") as bar:

        def tick(_done: int, _steps: int) -> None:
            bar.update()

        if method == "lambda-pnn":
            start, reduced = select.best_classical(scene, optics, strength=strength)
            adapted = adapt(scene, start, budget, begin=begin, progress=tick)
            facts: dict[str, Any] = {"start": start.method, "reduced_ergas": reduced}
            chosen: Fuser = adapted
        else:
            choice = select.choose(
                scene, optics, budget, strength=strength, begin=begin, progress=tick
            )
            facts = {
                "start": choice.start,
                "reduced_ergas": choice.reduced,
                "rehearsal_ergas": choice.rehearsal,
            }
            if choice.scores is not None:
                facts["classical_scores"], facts["adapted_scores"] = map(asdict, choice.scores)
            chosen = choice.fuser
    if isinstance(chosen, AdaptedModel):
        facts["loss"] = chosen.losses
        return Choice("lambda-pnn", chosen, own_threads=True, facts=facts, pack=chosen.packed)
    return Choice(facts["start"], chosen, facts=facts)
