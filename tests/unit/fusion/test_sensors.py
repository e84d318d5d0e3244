"""The camera table: names, gains for a band count, measured gains."""

import pytest

from resattn.errors import UserError
from resattn.fusion import sensors


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("worldview-3", "worldview-3"),
        ("WV-3", "worldview-3"),
        ("WorldView 3", "worldview-3"),
        ("GF-2", "gaofen-2"),
        ("GeoEye1", "geoeye-1"),
        ("QB", "quickbird"),
    ],
)
def test_a_camera_is_found_by_any_spelling(given, name):
    assert sensors.find(given).name == name


def test_an_unknown_camera_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'hubble'.*worldview-3"):
        sensors.find("hubble")


def test_every_alias_leads_to_a_camera():
    assert all(sensors.find(alias).name == name for alias, name in sensors.ALIASES.items())


def test_every_gain_is_a_gain():
    for sensor in sensors.SENSORS.values():
        assert all(0 < gain < 1 for gain in (*sensor.ms_gains, sensor.pan_gain))


def test_equal_gains_hold_for_any_band_count():
    assert sensors.find("default").gains(11) == (0.30,) * 11


def test_the_four_band_product_keeps_its_bands():
    assert sensors.find("wv2").gains(4) == (0.35, 0.35, 0.35, 0.35)
    assert sensors.find("wv3").gains(4) == (0.355, 0.360, 0.365, 0.335)


def test_a_band_count_the_camera_does_not_have_is_refused():
    with pytest.raises(UserError, match="8 band gains, the image has 5 bands"):
        sensors.find("wv3").gains(5)


def test_measured_gains_replace_the_table():
    sensor = sensors.with_gains(sensors.find("wv3"), (0.2, 0.4), 0.1)
    assert sensor.gains(2) == (0.2, 0.4)
    assert sensor.pan_gain == 0.1
    assert sensors.with_gains(sensors.find("wv3"), (0.2,)).pan_gain == 0.14


@pytest.mark.parametrize("gains", [(0.0,), (0.3, 1.0), (-0.1,), (float("nan"),), ()])
def test_gains_outside_zero_to_one_are_refused(gains):
    with pytest.raises(UserError):
        sensors.with_gains(sensors.find("default"), gains)
