"""The options of `pansharpen`, frozen and hashable, and what their texts mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resattn.errors import UserError
from resattn.fusion import sensors
from resattn.fusion.sensors import Sensor
from resattn.io.sniff import Limits
from resattn.pipelines.compute_config import ComputeConfig

_WITHOUT_EFFECT_ON_PIXELS = {
    *("save_weights", "cog", "preview", "metrics", "baselines", "wald"),
    *("overwrite", "tile", "overlap", "ram", "threads", "max_pixels"),
}


@dataclass(frozen=True, slots=True)
class PansharpenConfig(ComputeConfig):
    """Everything that decides what `pansharpen` computes, as the command line names it.

    Attributes:
        method: ``auto``, ``lambda-pnn`` or a classical method.
        sensor: Camera whose MTF gains are used.
        mtf: Nyquist gains instead: MS bands by comma, then ``;`` and PAN.
        bands: MS bands to take, counted from 1, such as ``3,2,1`` or ``2-4``.
        registration: Whether residual band shifts are measured and corrected.
        adapt_steps: Most steps of adaptation.
        adapt_seconds: Most CPU seconds of adaptation; 0 for no limit.
        weights: Adapted weights to start from.
        save_weights: Keep the adapted weights beside the output.
        cog: Write a Cloud-Optimized GeoTIFF.
        preview: Write a before/after PNG.
        metrics: Measure quality.
        baselines: Classical methods to measure beside the result, by comma.
        wald: Also measure at reduced resolution.
        max_pixels: Most pixels an input may claim; 0 takes the limit of its format.
        tile: Side of a tile in PAN pixels; 0 fits it to `ram`.
        overlap: Extra context around a tile; methods here need none.
        ram: Memory to plan for, in words such as ``2GB``.
        seed: Seed of the adaptation.
    """

    method: str = "auto"
    sensor: str = "default"
    mtf: str = ""
    bands: str = ""
    registration: bool = True
    adapt_steps: int = 80
    adapt_seconds: float = 0.0
    weights: Path | None = None
    save_weights: bool = False
    cog: bool = False
    preview: bool = False
    metrics: bool = True
    baselines: str = ""
    wald: bool = False
    max_pixels: int = 0

    @property
    def limits(self) -> Limits:
        """What an input may claim, and with it the output, which is as large as PAN."""
        given = self.max_pixels
        return Limits(pixels=given, whole_pixels=given) if given else Limits()

    def result_options(self) -> dict[str, Any]:
        """The options that can change a pixel: what the provenance hash covers."""
        values = {k: v for k, v in asdict(self).items() if k not in _WITHOUT_EFFECT_ON_PIXELS}
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    def band_numbers(self) -> tuple[int, ...]:
        """`bands` as numbers; empty means all.

        Raises:
            UserError: It does not read like ``3,2,1`` or ``2-4``.
        """
        numbers: list[int] = []
        for part in filter(None, self.bands.replace(" ", "").split(",")):
            first, dash, last = part.partition("-")
            if not first.isdigit() or (dash and not last.isdigit()):
                raise UserError(f"--bands {self.bands!r}", "write 3,2,1 or 2-4", code="E208")
            numbers += range(int(first), int(last or first) + 1)
        return tuple(numbers)

    def baseline_methods(self) -> tuple[str, ...]:
        """`baselines` as names."""
        return tuple(filter(None, self.baselines.replace(" ", "").split(",")))

    def camera(self) -> Sensor:
        """The sensor, with the gains of `mtf` in place of its own where given.

        Raises:
            UserError: Unknown sensor, or gains that are no numbers between 0 and 1.
        """
        sensor = sensors.find(self.sensor)
        if not self.mtf:
            return sensor
        ms_gains, _, pan_gain = self.mtf.partition(";")
        try:
            gains = tuple(float(gain) for gain in ms_gains.split(","))
            return sensors.with_gains(sensor, gains, float(pan_gain) if pan_gain else None)
        except ValueError:
            raise UserError(
                f"--mtf {self.mtf!r}", "write MS gains, then PAN: .34,.32,.30,.22;.15", code="E208"
            ) from None
