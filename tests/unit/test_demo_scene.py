"""The shipped samples: present, small, of a known source, and a usable pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from resattn import demo
from resattn.errors import UserError
from resattn.io.raster import open_raster


@pytest.mark.parametrize("place", ["landsat8", "marburg"])
def test_pan_and_ms_show_the_same_ground_at_ratio_two(place: str) -> None:
    with (
        open_raster(demo.path(f"{place}_pan")) as pan,
        open_raster(demo.path(f"{place}_ms")) as ms,
    ):
        assert pan.info.height == 2 * ms.info.height
        assert pan.info.width == 2 * ms.info.width
        assert ms.info.transform.a == 2 * pan.info.transform.a
        assert pan.info.crs == ms.info.crs
        assert abs(pan.info.transform.c - ms.info.transform.c) < ms.info.transform.a
        assert pan.info.count == 1
        assert all(ms.info.descriptions)
        assert ms.valid().all()
        assert ms.read().std() > 100


def test_every_sample_has_a_source_and_all_are_small() -> None:
    folder = Path(demo.__file__).parent
    text = (folder / "README.md").read_text("utf-8")
    assert demo.names() == ["landsat8_ms", "landsat8_pan", "marburg_ms", "marburg_pan"]
    assert all(f"`{name}.tif`" in text for name in demo.names())
    assert "public domain" in text
    assert sum(demo.path(name).stat().st_size for name in demo.names()) < 1_000_000


def test_an_unknown_sample_is_answered_with_the_list() -> None:
    with pytest.raises(UserError, match="landsat8_ms, landsat8_pan") as caught:
        demo.path("moon")
    assert caught.value.code == "E209"
