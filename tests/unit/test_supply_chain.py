"""The bill of materials and the lock file name what is really needed."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from types import ModuleType

from tests.conftest import REPOSITORY


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def direct() -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return {re.match(r"[\w.-]+", one)[0].lower() for one in project["dependencies"]}


def test_the_bill_holds_every_package_once_and_every_reference_leads_to_one() -> None:
    bill = script("sbom").document()
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    named = [one["name"] for one in bill["components"]]
    assert len(named) == len(set(named))
    assert direct() <= set(named)
    assert "gdal" in named
    known = {"resattn", *(one["bom-ref"] for one in bill["components"] if "bom-ref" in one)}
    assert {one["ref"] for one in bill["dependencies"]} == known
    assert all(set(one["dependsOn"]) <= known for one in bill["dependencies"])
    assert all(one["version"] for one in bill["components"])


def test_the_lock_gives_every_dependency_a_version_and_a_hash() -> None:
    lines = (REPOSITORY / "requirements.lock").read_text("utf-8").splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    pattern = r"([a-z0-9._-]+)==\S+ --hash=sha256:[0-9a-f]{64}"
    found = [re.fullmatch(pattern, line) for line in entries]
    assert all(found)
    locked = {match[1] for match in found if match}
    assert len(locked) == len(entries)
    missing = direct() - locked
    assert not missing, f"run: python .ci/lock.py (missing: {missing})"


def test_a_report_of_pip_becomes_lines_of_the_lock() -> None:
    report = {
        "install": [
            {
                "metadata": {"name": name, "version": "1"},
                "download_info": {"archive_info": {"hashes": {"sha256": "a" * 64}}},
            }
            for name in ("Zlib", "affine")
        ]
    }
    assert script("lock").entries(report) == [
        f"affine==1 --hash=sha256:{'a' * 64}",
        f"zlib==1 --hash=sha256:{'a' * 64}",
    ]
