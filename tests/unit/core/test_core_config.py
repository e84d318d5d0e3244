from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from resattn.config import Config
from resattn.mixers.base import MixerConfig
from resattn.mixers.eca import EcaConfig
from resattn.registry import Entry, build, table


@dataclass(frozen=True)
class Nested(Config):
    mixers: tuple[MixerConfig, ...] = ()
    size: tuple[int, int] = (3, 4)
    mode: Literal["a", "b"] = "a"
    rate: float = 0.5
    limit: int | None = None


FULL = Nested((EcaConfig(8), EcaConfig(16, kernel=5)), (1, 2), "b", 0.1, 7)


def test_nested_configs_round_trip_through_json():
    assert Nested.from_json(FULL.to_json()) == FULL
    assert Nested.from_json(Nested().to_json()) == Nested()


def test_digest_tells_configs_apart_and_is_stable():
    assert Nested().digest() == Nested().digest() != FULL.digest()


def test_an_integer_serves_as_a_float_but_a_bool_not_as_an_integer():
    assert Nested.from_dict({"rate": 1}).rate == 1.0
    with pytest.raises(ValueError, match="limit must be int, not True"):
        Nested.from_dict({"limit": True})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sise": [1, 2]}, "unknown key 'sise'; did you mean 'size'"),
        ({"size": [1]}, "size must hold 2 values"),
        ({"size": 3}, "size must be a list"),
        ({"size": [1, "2"]}, "size must be int, not '2'"),
        ({"mode": "c"}, "unknown choice 'c'"),
        ({"mixers": [{"kind": "ecaa", "dim": 3}]}, "unknown mixer 'ecaa'; did you mean 'eca'"),
        ({"mixers": [{"kind": "eca"}]}, "dim"),
        ({"mixers": [{"kind": "eca", "dim": 0}]}, "dim must be at least 1, not 0"),
    ],
)
def test_bad_values_are_refused_by_name(data, message):
    with pytest.raises(ValueError, match=message):
        Nested.from_dict(data)


def test_a_config_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="is a CbamConfig, not a EcaConfig"):
        EcaConfig.from_dict({"kind": "cbam", "dim": 16})


def test_build_takes_plain_values():
    assert build({"kind": "eca", "dim": 8}).config == EcaConfig(8)


def test_a_new_mixer_is_one_file_one_line_and_one_identity():
    """What a contributor does, in miniature: class and config, identity, table line."""
    from resattn.checks.probe import Probe, error, identities
    from resattn.mixers.base import Mixer

    @dataclass(frozen=True)
    class HalfConfig(MixerConfig):
        kind: ClassVar[str] = "half"
        dim: int

    class Half(Mixer):
        layout = "NCHW"
        family = "gate"

        def forward(self, x):
            return x / 2

        def radius(self):
            return 0

        def flops(self, height, width):
            return 0

        def extra_bytes(self, height, width):
            return 4 * self.config.dim * height * width

    def half_is_half(probe):
        x = probe.randn(1, 2, 3, 4)
        return error(Half(HalfConfig(2))(x), 0.5 * x)

    line = Entry(Half, (HalfConfig(2),), identities(half_is_half))
    mixers = table([line])
    assert mixers["half"].identities[0].measure(Probe()) == 0.0

    with pytest.raises(ValueError, match="'half' has no identity check"):
        table([Entry(Half, (HalfConfig(2),), ())])
    with pytest.raises(ValueError, match="twice"):
        table([line, line])
    with pytest.raises(TypeError):
        mixers["other"] = line
