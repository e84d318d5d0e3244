"""What a file of weights says about itself, in its own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resattn.errors import WeightsError

KEY = "resattn"
"""Of the metadata: one JSON text, because the format keeps a table of texts in random order."""


@dataclass(frozen=True)
class Origin:
    """What a file of weights says about itself; the fields are those of `Entry`."""

    name: str
    task: str
    architecture: str
    config: Mapping[str, Any]
    data: str
    data_licence: str
    licence: str
    command: str
    metrics: Mapping[str, float] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """The metadata of a file of these weights."""
        return {KEY: json.dumps(vars(self), sort_keys=True, default=dict)}


def described(metadata: Mapping[str, str], file: str) -> Origin:
    """What a file of ours says about itself.

    Raises:
        WeightsError: It says nothing, or not all of it (E606).
    """
    try:
        return Origin(**json.loads(metadata[KEY]))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{file} does not say which model it is for: {error!r}",
            "convert it with: resattn weights convert FILE --out OUT.safetensors",
            code="E606",
        ) from error
