"""Which method sharpens a scene: the one asked for, fitted to it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Protocol

from resattn.errors import UserError
from resattn.fusion import classical
from resattn.fusion.pyramid import Optics
from resattn.fusion.scene import Scene
from resattn.fusion.taps import Image, Mask
from resattn.tiling import Window


class Fuser(Protocol):
    """A method fitted to one scene."""

    def apply(self, scene: Scene, window: Window) -> tuple[Image, Mask]:
        """Fused bands (B, H, W) of a PAN window, and where they are valid (H, W)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A fitted method and its name.

    Attributes:
        name: The method that was chosen.
        fuser: It, fitted.
        own_threads: True for networks, whose arithmetic uses all threads by itself.
    """

    name: str
    fuser: Fuser
    own_threads: bool = False


METHODS = ("auto", "lambda-pnn", *classical.METHODS)


def check_method(method: str) -> None:
    """Refuses a method that does not exist.

    Raises:
        UserError: It is not one of `METHODS`.
    """
    if method not in METHODS:
        close = difflib.get_close_matches(method, METHODS)
        hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(METHODS)}"
        raise UserError(f"unknown method {method!r}", hint, code="E208")


def choose(method: str, scene: Scene, optics: Optics) -> Choice:
    """The method, fitted."""
    return Choice(method, classical.fit(method, scene, optics))
