"""The table of architectures weights can be of: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from resattn.config import Config, unknown
from resattn.errors import WeightsError
from resattn.models.compress import CompressConfig, CompressNet
from resattn.models.craft import Craft, CraftConfig
from resattn.models.detector import Detector, DetectorConfig
from resattn.models.lambda_pnn import LambdaPnn, LambdaPnnConfig
from resattn.models.super_resolve import GatedSr, GatedSrConfig
from resattn.models.wound_unet import WoundUNet, WoundUNetConfig


@dataclass(frozen=True)
class Architecture:
    """How to make a model from its settings."""

    config: type[Config]
    model: type[nn.Module]

    def build(self, settings: Mapping[str, Any]) -> nn.Module:
        """A model with these settings, its weights still random."""
        return self.model(self.config.from_dict(settings))


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "compress-net": Architecture(CompressConfig, CompressNet),
        "craft": Architecture(CraftConfig, Craft),
        "detector": Architecture(DetectorConfig, Detector),
        "lambda-pnn": Architecture(LambdaPnnConfig, LambdaPnn),
        "gated-sr": Architecture(GatedSrConfig, GatedSr),
        "wound-unet": Architecture(WoundUNetConfig, WoundUNet),
    }
)


def architecture(name: str) -> Architecture:
    """The line of that name.

    Raises:
        WeightsError: There is none (E606).
    """
    if name not in ARCHITECTURES:
        raise WeightsError(
            unknown("architecture", name, ARCHITECTURES),
            "the file is of a newer version of resattn",
            code="E606",
        )
    return ARCHITECTURES[name]
