"""What the scene itself says of its camera: band shifts, and whether the assumed MTF can be true.

PAN reduced with the right low-pass is nearly a weighted sum of the MS bands; the Nyquist gain at
which that fit is best is the pair's own. Camera images stay below 0.6. Pairs whose MS was thinned
out by plain interpolation come out near 0.8: their MS never was as sharp as their PAN, and detail
injected at full PAN sharpness would be detail that the bands do not have. For those PAN is
softened to the measured response first, and MS counts as point samples of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np

from resattn.fusion import registration
from resattn.fusion.moments import Moments
from resattn.fusion.pyramid import POINT, Optics, Pyramid, Shift
from resattn.fusion.scene import Scene
from resattn.tiling import Window

DECIMATED = 0.7
"""From this measured gain on, MS was not made by a camera's low-pass."""

_LESS_UNEXPLAINED = 2.0
"""How much less of PAN the measured gain must leave unexplained than the assumed one."""

_DISTRUST = 40.0

_GAINS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_WINDOWS = 9


@dataclass(frozen=True, slots=True)
class Response:
    """The measured MTF gain at MS Nyquist.

    Args:
        gain: Where PAN, so reduced, is explained best by the MS bands.
        explained: Share of the reduced PAN's variance that the bands explain there.
        assumed: The same for the mean of the assumed gains.
    """

    gain: float
    explained: float
    assumed: float

    @property
    def decimated(self) -> bool:
        """Whether MS was thinned out without a low-pass."""
        left, before = 1.0 - self.explained, 1.0 - self.assumed
        return self.gain >= DECIMATED and before >= _LESS_UNEXPLAINED * left


@dataclass(frozen=True, slots=True)
class Calibration:
    """The optics to fuse with, and the measurements they rest on."""

    optics: Optics
    registration: registration.Registration
    response: Response

    @property
    def consistency(self) -> float:
        """How strongly to correct fused bands towards the MS samples (`classical.fit`), 0 … 1.

        What the bands do not explain of the reduced PAN, share u, is what the camera model, the
        registration or the spectra get wrong; correcting turns that into texture. Like a Wiener
        filter's, the weight 1/(1 + 40 u) is near 1 on simulated pairs (u < .003) and .15 to .5 on
        camera images (u from .02 to .15).
        """
        response = self.response
        explained = response.explained if response.decimated else response.assumed
        return 1.0 / (1.0 + _DISTRUST * (1.0 - min(max(explained, 0.0), 1.0)))


def calibrate(scene: Scene, ms_gains: Sequence[float], *, register: bool = True) -> Calibration:
    """Optics for a scene: the camera's gains with measured shifts, or those of a decimated pair.

    Args:
        scene: Both images.
        ms_gains: Assumed Nyquist gain of every band (`sensors.Sensor.gains`).
        register: Use the measured shifts; they are reported either way.
    """
    mean = float(np.mean(ms_gains))
    measured = registration.measure(scene, mean)
    none = ((0.0, 0.0),) * scene.bands
    common = measured.common
    response = measure_response(scene, mean, common)
    if response.decimated:
        # Single bands of such pairs disagree by aliasing, not by the camera: one shift for all.
        shifts = (common,) * scene.bands if register else none
        optics = Optics((POINT,) * scene.bands, shifts, response.gain)
    else:
        optics = Optics(tuple(ms_gains), measured.shifts if register else none)
    return Calibration(optics, measured, response)


def measure_response(scene: Scene, assumed: float, shift: Shift) -> Response:
    """The gain that fits this scene, and how well the `assumed` one does."""
    gains = (*_GAINS, assumed)
    pyramid = Pyramid(scene, Optics(gains, (shift,) * len(gains)))
    windows = list(scene.sample_ms_windows())
    windows = windows[:: -(-len(windows) // _WINDOWS)]
    groups = [pyramid.optics.members[index] for index in range(len(gains))]
    moments = reduce(add, scene.each(partial(_samples, pyramid), windows))
    bands = list(range(scene.bands))
    explained = [_explained(moments, scene.bands + group, bands) for group in groups]
    best = int(np.argmax(explained[: len(_GAINS)]))
    gain = _GAINS[best] + 0.1 * _refinement(explained[: len(_GAINS)], best)
    return Response(gain, explained[best], explained[-1])


def _samples(pyramid: Pyramid, window: Window) -> Moments:
    """Moments of the MS bands and of PAN reduced with every gain, at the samples of a window."""
    ms, valid = pyramid.scene.read_ms(window)
    return Moments.of(np.concatenate([ms, pyramid.reduced_pan(window)])[:, valid])


def _explained(moments: Moments, target: int, predictors: list[int]) -> float:
    """Coefficient of determination of a regression, 0 for a constant target."""
    covariance = moments.covariance
    variance = covariance[target, target]
    slopes = moments.regress(target, predictors)
    return float(slopes @ covariance[predictors, target] / variance) if variance > 0 else 0.0


def _refinement(values: Sequence[float], best: int) -> float:
    if not 0 < best < len(values) - 1:
        return 0.0
    return registration.vertex(np.array(values[best - 1 : best + 2]))
