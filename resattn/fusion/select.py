"""Which method suits a scene best, by scores that need no truth.

Two questions are asked one scale below, where the MS image itself is the truth (Wald's protocol on
the scene): which classical method predicts detail best, and whether adapting it, rehearsed there,
comes nearer to the truth. If so the scene is adapted, and the registered scores at full resolution
decide: the adapted model is returned where R-ERGAS, R-Q2n and D_rho together, weighed as in its
loss, are better than the winner's, and where it loses to no classical method in the first two.
A winner that loses to one there is made fully consistent first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from resattn.fusion import classical
from resattn.fusion.adapt import AdaptedModel, adapt
from resattn.fusion.adapt_training import AdaptConfig, Progress
from resattn.fusion.geometry import GridMap
from resattn.fusion.pyramid import POINT, Optics, Pyramid, Shift
from resattn.fusion.scene import Scene, from_arrays
from resattn.fusion.taps import Image, Mask
from resattn.metrics.correlation import d_rho
from resattn.metrics.ergas import ergas
from resattn.metrics.q2n import q2n
from resattn.models.lambda_pnn import LambdaPnn
from resattn.tiling import Window

CANDIDATES = ("mtf-glp-reg", "mtf-glp-hpm", "mtf-glp-fs", "mtf-glp")
"""Classical methods to start from: those that add only what the camera cannot see. One scale below
bdsd can win and still miss the MS samples at full scale (wv3_adelaide: R-ERGAS 4.0 against 2.0)."""

_MARGIN = 0.05
"""Share by which another method's ERGAS one scale below must undercut the first candidate's: what
differs by less there changes places at full scale (gf2_reduced_0 and _1)."""

_SIDE = 128
"""MS samples along the part of a scene that scores are taken from."""

_REHEARSAL_STEPS = 60

_REHEARSAL_SIDE = 16
"""Reduced MS samples along the shorter side below which there is no rehearsal: the network sees 29
pixels, which at 8 samples and ratio 4 is all there is, and has a sixteenth of the scene's data."""

_REHEARSAL_SHARE = 0.25
"""Of the seconds that adaptation may take."""

_LEAST_SIDE = 8
"""Reduced MS samples along the shorter side below which the scale below says nothing."""


class Fuser(Protocol):
    """A method fitted to one scene."""

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """Fused bands (B, H, W) of a PAN window, and where they are valid (H, W)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Registered scores at full resolution."""

    r_ergas: float
    r_q2n: float
    d_rho: float

    def cost(self, config: AdaptConfig) -> float:
        """All three, weighed as the terms of the loss."""
        spectral = config.ergas * self.r_ergas + config.quality * (1 - self.r_q2n)
        return spectral + config.structure * self.d_rho

    def at_least(self, others: Iterable[Scores]) -> bool:
        """Whether no other is better in R-ERGAS or in R-Q2n."""
        return all(self.r_ergas <= o.r_ergas and self.r_q2n >= o.r_q2n for o in others)


@dataclass(frozen=True, slots=True)
class Choice:
    """The method to use and what the decision rests on.

    Args:
        name: ``lambda-pnn`` or the name of a classical method.
        fuser: The method, fitted.
        start: Best classical method.
        reduced: ERGAS one scale below of every candidate, by name; empty for tiny scenes.
        rehearsal: ERGAS one scale below of the best classical method, made consistent, and of the
            same adapted there; None for tiny scenes.
        scores: Registered scores of both at full resolution; None where the rehearsal failed.
    """

    name: str
    fuser: Fuser
    start: str
    reduced: dict[str, float]
    rehearsal: tuple[float, float] | None
    scores: tuple[Scores, Scores] | None


def choose(
    scene: Scene,
    optics: Optics,
    config: AdaptConfig | None = None,
    *,
    strength: float = 1.0,
    begin: LambdaPnn | None = None,
    progress: Progress | None = None,
) -> Choice:
    """The best method for a scene, fitted and adapted.

    Args:
        scene: Both images.
        optics: The scene's camera (`calibration.calibrate`).
        config: Budget of the adaptation.
        strength: Of consistency, 0 … 1; `Calibration.consistency` proposes one.
        begin: Weights to begin the adaptation from.
        progress: Told of every step of the adaptation.

    Raises:
        ItemError: E327, nothing is valid in both images.
    """
    config = config or AdaptConfig()
    start, reduced = best_classical(scene, optics, strength=strength)
    rehearsal = rehearse(scene, start, config)
    rivals = [score(scene, classical.fit(name, scene, optics)) for name in classical.METHODS]
    if not score(scene, start).at_least(rivals):
        start = replace(start, consistency=1.0)
    if rehearsal is not None and not rehearsal[1] < rehearsal[0]:
        return Choice(start.method, start, start.method, reduced, rehearsal, None)
    share = _limited(config, 1 - _REHEARSAL_SHARE)
    adapted = adapt(scene, start, share, begin=begin, progress=progress)
    before, after = score(scene, start), score(scene, adapted)
    better = after.cost(config) < before.cost(config) and after.at_least(rivals)
    fuser: Fuser = adapted if better else start
    name = adapted.method if better else start.method
    return Choice(name, fuser, start.method, reduced, rehearsal, (before, after))


def rehearse(
    scene: Scene, start: classical.Model, config: AdaptConfig
) -> tuple[float, float] | None:
    """ERGAS one scale below of the method of `start` there, and of the same adapted there.

    None where the scene is too small for a scale below.
    """
    below = _reduced(scene, start.optics)
    if below is None or min(below.grid.ms_height, below.grid.ms_width) < _REHEARSAL_SIDE:
        return None
    model = below.fit(start.method)
    short = _limited(config, _REHEARSAL_SHARE)
    short = replace(short, steps=min(config.steps, _REHEARSAL_STEPS))
    return below.ergas(model), below.ergas(adapt(below.scene, model, short))


def _limited(config: AdaptConfig, share: float) -> AdaptConfig:
    """`config` with a share of its seconds."""
    return replace(config, seconds=None if config.seconds is None else share * config.seconds)


def best_classical(
    scene: Scene,
    optics: Optics,
    candidates: Sequence[str] = CANDIDATES,
    *,
    strength: float = 1.0,
) -> tuple[classical.Model, dict[str, float]]:
    """The classical method that is best one scale below, fitted, and the ERGAS of every one there.

    The first candidate stands unless another is clearly better, or the scene too small to tell.
    Pairs that were decimated without a low-pass stay as fitted whatever the `strength`: point
    samples agree already.
    """
    if POINT in optics.ms_gains:
        strength = 0.0
    below = _reduced(scene, optics)
    errors = {} if below is None else {n: below.ergas(below.fit(n)) for n in candidates}
    known = {name: value for name, value in errors.items() if math.isfinite(value)}
    best = min(known, key=lambda name: known[name]) if known else candidates[0]
    if candidates[0] in known and known[best] > (1 - _MARGIN) * known[candidates[0]]:
        best = candidates[0]
    return classical.fit(best, scene, optics, consistency=strength), errors


def score(scene: Scene, fuser: classical.Model | AdaptedModel) -> Scores:
    """Registered scores, from the middle of the scene."""
    optics = fuser.optics
    pyramid = Pyramid(scene, optics)
    cover = _middle(scene.grid.ms_overlap, _SIDE)
    span = pyramid.pan_cover(cover)
    fused, valid = fuser.apply(scene, span)
    ms, known = scene.read_ms(cover)
    seen = np.where(known, ms, 0) - pyramid.residual(fused, valid, span, cover)
    ratio = scene.grid.ratio
    pan, pan_valid = scene.read_pan(span)
    usable = valid & pan_valid
    return Scores(
        ergas(seen, np.where(known, ms, 0), ratio=ratio, valid=known),
        q2n(seen, np.where(known, ms, 0), valid=known),
        d_rho(np.where(usable, fused, 0), np.where(usable, pan, 0), ratio=ratio, valid=usable),
    )


@dataclass(frozen=True, slots=True)
class _Reduced:
    """A scene one scale below and its truth."""

    scene: Scene
    optics: Optics
    truth: Image
    valid: Mask

    @property
    def grid(self) -> GridMap:
        """Of the reduced pair."""
        return self.scene.grid

    def fit(self, method: str) -> classical.Model:
        """A classical method fitted there."""
        # The camera is simulated here and known exactly: full consistency is best for all.
        strength = 0.0 if POINT in self.optics.ms_gains else 1.0
        return classical.fit(method, self.scene, self.optics, consistency=strength)

    def ergas(self, fuser: Fuser) -> float:
        """Error of a method fitted there."""
        height, width = self.valid.shape
        fused, covered = fuser.apply(self.scene, Window(0, 0, height, width))
        valid = covered & self.valid
        if not valid.any():
            return math.inf
        estimate, truth = (np.where(valid, image, 0) for image in (fused, self.truth))
        return ergas(estimate, truth, ratio=self.scene.grid.ratio, valid=valid)


def _reduced(scene: Scene, optics: Optics) -> _Reduced | None:
    """The middle of the scene one scale below, or None where too little would be left.

    PAN is seen by the MS camera, at the place of the bands' median shift, so that it is as sharp
    as the truth.
    """
    window = _middle(scene.grid.ms_overlap, _SIDE)
    ratio = scene.grid.ratio
    height, width = int(window.height / ratio), int(window.width / ratio)
    if min(height, width) < _LEAST_SIDE:
        return None
    gains = optics.ms_gains
    camera = Optics((float(np.mean(gains)),), (_median(optics.shifts),), optics.softness)
    pan = Pyramid(scene, camera).reduced_pan(window)[0]
    truth, valid = scene.read_ms(window)
    truth = np.where(valid, truth, truth[:, valid].mean(1)[:, None, None] if valid.any() else 0)
    first = (ratio - 1) / 2
    grid = GridMap(window.height, window.width, height, width, ratio, ratio, first, first)
    cover = Window(0, 0, height, width)
    ms = np.stack([_seen(band, grid, gain, cover) for band, gain in zip(truth, gains, strict=True)])
    return _Reduced(from_arrays(pan, ms, grid), Optics.of(gains), truth, valid)


def _seen(band: Image, grid: GridMap, gain: float, cover: Window) -> Image:
    """A band as a camera with `gain` delivers it at the samples of `grid`."""
    nothing = np.zeros((1, grid.ms_height, grid.ms_width), np.float32)
    seen: Image = Pyramid(from_arrays(band, nothing, grid), Optics.of((gain,))).reduced_pan(cover)[
        0
    ]
    return seen


def _median(shifts: Sequence[Shift]) -> Shift:
    dy, dx = np.median(np.array(shifts), axis=0)
    return float(dy), float(dx)


def _middle(area: Window, side: int) -> Window:
    """The central part of a window, at most `side` long."""
    height, width = min(side, area.height), min(side, area.width)
    return Window(
        area.row + (area.height - height) // 2, area.col + (area.width - width) // 2, height, width
    )
