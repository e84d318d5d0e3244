"""The table of attention mechanisms: one line each, with the proof that it is what it says.

A line holds the mixer, small examples of its config, and the identities of its paper that
`resattn core check` and the tests run. A mixer without identities is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from resattn.checks import channels, gates, points, windows
from resattn.checks.probe import Check
from resattn.config import unknown
from resattn.mixers.additive import AdditiveConfig, AdditiveGate
from resattn.mixers.base import Mixer, MixerConfig
from resattn.mixers.cbam import Cbam, CbamConfig
from resattn.mixers.channel import ChannelAttention, ChannelConfig
from resattn.mixers.deformable import DeformableAttention
from resattn.mixers.eca import Eca, EcaConfig
from resattn.mixers.keys import KeyAttention
from resattn.mixers.large_kernel import LargeKernel, LargeKernelConfig
from resattn.mixers.position import PositionAttention, PositionConfig
from resattn.mixers.transposed import TransposedAttention, TransposedConfig
from resattn.mixers.window import WindowAttention


@dataclass(frozen=True)
class Entry:
    """One mechanism: how to build it, how to try it, how to prove it."""

    mixer: type[Mixer]
    examples: tuple[MixerConfig, ...]
    identities: tuple[Check, ...]


def table(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    """Entries by the kind of their config, read-only.

    Raises:
        ValueError: An entry has no identity to prove it by, or a kind appears twice.
    """
    mixers: dict[str, Entry] = {}
    for entry in entries:
        kind = entry.examples[0].kind
        if not entry.identities:
            raise ValueError(f"mixer {kind!r} has no identity check: write one in resattn/checks")
        if kind in mixers:
            raise ValueError(f"mixer {kind!r} is in the table twice")
        mixers[kind] = entry
    return MappingProxyType(mixers)


MIXERS = table(
    [
        Entry(Eca, (EcaConfig(16),), gates.ECA),
        Entry(Cbam, (CbamConfig(16),), gates.CBAM),
        Entry(AdditiveGate, (AdditiveConfig(16, context_dim=8, hidden=8),), gates.ADDITIVE),
        Entry(LargeKernel, (LargeKernelConfig(16, kernel=11),), gates.LARGE_KERNEL),
        Entry(WindowAttention, windows.EXAMPLES, windows.WINDOW),
        Entry(TransposedAttention, (TransposedConfig(16, 4),), channels.TRANSPOSED),
        Entry(ChannelAttention, (ChannelConfig(16), ChannelConfig(16, False)), channels.CHANNEL),
        Entry(PositionAttention, (PositionConfig(16),), points.POSITION),
        Entry(DeformableAttention, points.DEFORMABLE_EXAMPLES, points.DEFORMABLE),
        Entry(KeyAttention, points.KEY_EXAMPLES, points.KEYS),
    ]
)


def entry(kind: str) -> Entry:
    """The table's line for `kind`.

    Raises:
        ValueError: No such kind; the message lists close matches.
    """
    if kind not in MIXERS:
        raise ValueError(unknown("mixer", kind, MIXERS))
    return MIXERS[kind]


def config_type(kind: str) -> type[MixerConfig]:
    """The config class that `kind` names."""
    return type(entry(kind).examples[0])


def build(config: MixerConfig | Mapping[str, Any]) -> Mixer:
    """A fresh mixer from its config, or from the plain values of one with a ``kind``."""
    if not isinstance(config, MixerConfig):
        config = MixerConfig.from_dict(config)
    return entry(config.kind).mixer(config)
