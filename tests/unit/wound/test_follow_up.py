"""Series: where dates come from, the order, the percentages, the plot."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime

import pytest

from resattn.io.metadata import Metadata
from resattn.wound.follow_up import Visit, changes, taken, trend


def visit(name, area, day=None):
    date = None if day is None else datetime(2024, 3, day)
    return Visit(name, date, area, 0.9 * area, 1.1 * area)


def test_the_earliest_date_in_the_exif_wins_over_the_name():
    edited = b"II*\0 2024:05:02 09:00:00\0 2024:03:01 08:30:05\0 0000:00:00 00:00:00\0"
    name = "IMG_20230101.jpg"
    assert taken(name, Metadata(exif=edited)) == datetime(2024, 3, 1, 8, 30, 5)
    assert taken(name, Metadata()) == datetime(2023, 1, 1)


@pytest.mark.parametrize("name", ["a.jpg", "123456789012.jpg", "20241399.jpg"])
def test_no_date_is_no_date(name):
    assert taken(name, Metadata()) is None


def test_changes_are_against_the_first_and_the_last():
    rows = changes([visit("c", 5, 15), visit("a", 10, 1), visit("b", 8, 8)])
    assert [row.visit.name for row in rows] == ["a", "b", "c"]
    assert [row.days for row in rows] == [0, 7, 14]
    assert [row.since_first for row in rows] == pytest.approx([0, -20, -50])
    assert rows[0].since_last is None
    assert [row.since_last for row in rows[1:]] == pytest.approx([-20, -37.5])


def test_names_order_a_series_in_which_one_date_is_missing():
    rows = changes([visit("b", 1, 1), visit("a", 2)])
    assert [row.visit.name for row in rows] == ["a", "b"]


def test_healed_at_first_has_no_percentage():
    rows = changes([visit("a", 0, 1), visit("b", 3, 2)])
    assert rows[1].since_first is None


@pytest.mark.parametrize("areas", [[4.0], [4.0, 3.0, 0.0], [0.0, 0.0]])
def test_the_plot_is_well_formed_and_monotone(areas):
    rows = changes([visit(f"<{i}>", area, i + 1) for i, area in enumerate(areas)])
    root = ET.fromstring(trend(rows, "cm²", "A & B"))  # noqa: S314 (our own text)
    circles = [e for e in root.iter() if e.tag.endswith("circle")]
    heights = [float(c.get("cy")) for c in circles]
    assert heights == sorted(heights), "a shrinking wound goes down the page"
    across = [float(c.get("cx")) for c in circles]
    assert across == sorted(across)
