"""`resattn doctor`: what it says, and that it finds what is broken."""

from __future__ import annotations

import json

import pytest

from resattn.errors import WeightsError
from resattn.io import drivers
from resattn.pipelines import doctor


@pytest.fixture
def examined(resattn, tmp_path):
    """Findings by topic and the exit code, for a folder."""

    def run(folder=tmp_path):
        done = resattn("doctor", folder, "--json")
        return {finding["topic"]: finding for finding in json.loads(done.out)}, done.code

    return run


def test_this_machine_is_well(examined):
    found, code = examined()
    assert code == 0
    assert {"resattn", "torch", "rasterio", "opencv", "weights", "disk", "limits"} & set(found) >= {
        "resattn", "torch", "rasterio", "opencv", "weights",
    }  # fmt: skip
    assert all(finding["state"] != "bad" for finding in found.values())


def test_it_is_one_screen(resattn, tmp_path):
    done = resattn("doctor", tmp_path)
    assert done.code == 0
    assert len(done.out.splitlines()) <= 30
    assert "GDAL" in done.out


def test_a_missing_driver_is_bad_and_named(examined, monkeypatch):
    monkeypatch.setitem(drivers.DRIVERS, "jp2", "NoSuchDriver")
    found, code = examined()
    assert code == 1
    assert "NoSuchDriver" in found["rasterio"]["said"]
    assert found["rasterio"]["remedy"]


def test_damaged_weights_are_bad_and_the_rest_is_still_examined(examined, monkeypatch):
    def broken(name):
        raise WeightsError("another SHA-256", "obtain it again")

    monkeypatch.setattr("resattn.weights.load.verify", broken)
    found, code = examined()
    assert code == 1
    assert found["weights"]["remedy"] == "obtain it again"
    assert found["output"]["state"] != "bad"


def test_a_folder_that_is_not_there_is_bad(examined, tmp_path):
    found, code = examined(tmp_path / "none")
    assert code == 1
    assert found["disk"]["state"] == "bad"


def test_low_limits_are_notes(monkeypatch):
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda kind: (64, 64))
    found = {finding.topic: finding for finding in doctor._limits()}
    assert found["open files"].state == "note"
    assert "ulimit" in found["address space"].remedy
