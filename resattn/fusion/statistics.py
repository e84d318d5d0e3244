"""What the classical methods need to know of a scene, gathered by windows at both resolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np

from resattn.errors import ItemError
from resattn.fusion.moments import Moments
from resattn.fusion.mtf import SIZE, blur
from resattn.fusion.pyramid import POINT, Pyramid
from resattn.fusion.taps import Image
from resattn.tiling import Window


@dataclass(frozen=True, slots=True)
class Coarse:
    """Valid samples of an MS window and of the same one scale below, (B, N) each.

    Args:
        ms: The MS bands.
        ms_low: The bands under the band's own low-pass.
        pan: PAN reduced to MS, as each band saw it.
        pan_low: That under the same low-pass.
    """

    ms: Image
    ms_low: Image
    pan: Image
    pan_low: Image


class Statistics:
    """Moments and samples of one scene; each is computed when first asked for."""

    def __init__(self, pyramid: Pyramid) -> None:
        self.pyramid = pyramid
        self.bands = pyramid.scene.bands
        self.members = pyramid.optics.members

    @cached_property
    def fine(self) -> Moments:
        """At PAN resolution: channels are the enlarged bands, the low-pass PANs, then PAN.

        Raises:
            ItemError: E327, no pixel is valid in both images.
        """
        scene = self.pyramid.scene
        moments = reduce(add, scene.each(self._fine, scene.sample_windows()))
        if moments.count == 0:
            raise ItemError(
                "no pixel is valid in both PAN and MS", "check nodata values and masks", code="E327"
            )
        return moments

    def low_channel(self, band: int) -> int:
        """Channel of `fine` that holds the low-pass PAN of a band."""
        return self.bands + self.members[band]

    @property
    def pan_channel(self) -> int:
        """Channel of `fine` that holds PAN."""
        return self.bands + len(self.pyramid.optics.groups)

    def coarse(self) -> Iterator[Coarse]:
        """Samples at MS resolution, window by window."""
        scene = self.pyramid.scene
        return scene.each(self._coarse, scene.sample_ms_windows())

    def _fine(self, window: Window) -> Moments:
        pan, pan_valid = self.pyramid.pan(window)
        enlarged, covered = self.pyramid.enlarged(window)
        channels = np.concatenate([enlarged, self.pyramid.low(window), pan[None]])
        valid = pan_valid & covered
        whole = valid.all()  # then spare the copy
        return Moments.of(channels.reshape(len(channels), -1) if whole else channels[:, valid])

    def _coarse(self, window: Window) -> Coarse:
        outer = self.pyramid.clip_ms(window.grown(SIZE // 2))
        inside = window.relative_to(outer).slices
        ms, valid = self.pyramid.scene.read_ms(outer)
        pan = self.pyramid.reduced_pan(outer)
        kept = valid[inside]
        ratio = self.pyramid.scene.grid.ratio
        # Point samples have no low-pass of their own: any moderate one separates the detail.
        gains = [0.3 if gain == POINT else gain for gain in self.pyramid.optics.ms_gains]

        def below(image: Image, gain: float) -> Image:
            return blur(image, gain, ratio, valid)[inside][kept]

        return Coarse(
            ms[:, *inside][:, kept],
            np.stack([below(band, gain) for band, gain in zip(ms, gains, strict=True)]),
            pan[list(self.members)][:, *inside][:, kept],
            np.stack([below(pan[m], gain) for m, gain in zip(self.members, gains, strict=True)]),
        )
