"""What the fusion methods must know of a camera: how much contrast is left at its Nyquist rate.

The modulation transfer function (MTF) of each band is modelled as a Gaussian that falls to the
listed gain at the Nyquist frequency of the multispectral grid; the panchromatic gain is the one
at PAN's own Nyquist frequency. Values: docs/pansharpen-methods.md, "Sensors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from resattn.errors import UserError


@dataclass(frozen=True, slots=True)
class Sensor:
    """MTF gains and bit depth of one camera.

    Args:
        name: Key of the table.
        ms_gains: Nyquist gain of every MS band, or one value that holds for all.
        pan_gain: Nyquist gain of PAN.
        bits: Bits of the delivered digital numbers, None if products differ.
        bundle: For cameras with unequal gains: which bands the usual 4-band product keeps.
    """

    name: str
    ms_gains: tuple[float, ...]
    pan_gain: float
    bits: int | None = None
    bundle: tuple[int, ...] = ()

    def gains(self, bands: int) -> tuple[float, ...]:
        """Nyquist gains for an image of `bands` bands.

        Raises:
            UserError: the camera's bands differ and `bands` is not a known product of it.
        """
        if len(self.ms_gains) == bands:
            return self.ms_gains
        if len(set(self.ms_gains)) == 1:
            return self.ms_gains[:1] * bands
        if len(self.bundle) == bands:
            return tuple(self.ms_gains[band] for band in self.bundle)
        raise UserError(
            f"sensor {self.name} has {len(self.ms_gains)} band gains, the image has {bands} bands",
            f"give {bands} values with --mtf, or --sensor default",
        )


_WORLDVIEW_BUNDLE = (1, 2, 4, 6)  # blue, green, red, near infrared 1

_ALL = (
    Sensor("default", (0.30,), 0.15),
    Sensor("quickbird", (0.34, 0.32, 0.30, 0.22), 0.15, 11),
    Sensor("ikonos", (0.26, 0.28, 0.29, 0.28), 0.17, 11),
    Sensor("geoeye-1", (0.23,), 0.16, 11),
    Sensor("worldview-2", (0.35,) * 7 + (0.27,), 0.11, 11, _WORLDVIEW_BUNDLE),
    Sensor(
        "worldview-3",
        (0.325, 0.355, 0.360, 0.350, 0.365, 0.360, 0.335, 0.315),
        0.14,
        11,
        _WORLDVIEW_BUNDLE,
    ),
    Sensor("worldview-4", (0.23,), 0.16, 11),
    Sensor("gaofen-2", (0.30,), 0.15, 10),
    Sensor("landsat-7", (0.30,), 0.15, 8),
    Sensor("landsat-8", (0.30,), 0.15, 16),
    Sensor("landsat-9", (0.30,), 0.15, 16),
    Sensor("pleiades", (0.30,), 0.15, 12),
    Sensor("spot-6", (0.30,), 0.15, 12),
)

SENSORS: Mapping[str, Sensor] = MappingProxyType({sensor.name: sensor for sensor in _ALL})
"""Cameras by name. Those with .30 and .15 have no published gains and carry the default."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "qb": "quickbird",
        "qb2": "quickbird",
        "ik": "ikonos",
        "ge1": "geoeye-1",
        "geoeye": "geoeye-1",
        "wv2": "worldview-2",
        "wv3": "worldview-3",
        "wv4": "worldview-4",
        "gf2": "gaofen-2",
        "l7": "landsat-7",
        "l8": "landsat-8",
        "l9": "landsat-9",
        "phr": "pleiades",
        "spot7": "spot-6",
    }
)
"""Short names, compared without case, blanks, dashes and underscores."""


def find(name: str) -> Sensor:
    """The camera called `name`, by its full name or an alias ("WV-3", "worldview 3", "gf2").

    Raises:
        UserError: no such camera.
    """
    folded = _fold(name)
    for known, sensor in SENSORS.items():
        if folded == _fold(known):
            return sensor
    if folded in ALIASES:
        return SENSORS[ALIASES[folded]]
    raise UserError(
        f"unknown sensor {name!r}",
        f"use one of {', '.join(SENSORS)}, or --sensor default with --mtf",
    )


def with_gains(
    sensor: Sensor, ms_gains: tuple[float, ...], pan_gain: float | None = None
) -> Sensor:
    """`sensor` with measured Nyquist gains in place of the table's (the `--mtf` option).

    Raises:
        UserError: a gain outside the open interval (0, 1), or none at all.
    """
    gains = (*ms_gains, sensor.pan_gain if pan_gain is None else pan_gain)
    if not ms_gains:
        raise UserError("no MTF gain given", "give one value, or one per MS band")
    for gain in gains:
        if not 0.0 < gain < 1.0:
            raise UserError(
                f"MTF gain {gain} at the Nyquist frequency", "give values between 0 and 1"
            )
    return replace(sensor, ms_gains=tuple(ms_gains), pan_gain=gains[-1], bundle=())


def _fold(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
