"""Prints a CycloneDX bill of materials of resattn as it is installed here.

    python .ci/sbom.py > resattn.cdx.json

From the metadata of installed packages alone. Libraries that wheels carry inside them, and that no
package manager sees, are named as far as they say their version.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def main() -> None:
    """The document on stdout."""
    json.dump(document(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def document() -> dict[str, Any]:
    """The bill: resattn, what it needs, what that needs, and what wheels carry."""
    from resattn.version import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = {"resattn": sorted({_canonical(one) for one in project["dependencies"]})}
    waiting = list(needs["resattn"])
    while waiting:
        name = waiting.pop()
        if name not in needs:
            needs[name] = _needs_of(name)
            waiting += needs[name]
    packages = [name for name in sorted(needs) if name != "resattn"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": "resattn", "name": "resattn",
                "version": __version__, "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [*map(_component, packages), *_carried()],
        "dependencies": [
            {"ref": _ref(name), "dependsOn": [_ref(one) for one in needs[name]]}
            for name in ["resattn", *packages]
        ],
    }  # fmt: skip


def _canonical(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0] if found else requirement).lower()


def _needs_of(name: str) -> list[str]:
    """What an installed package needs itself: no extras, nothing that is not installed."""
    found = set()
    for one in metadata.requires(name) or []:
        if "extra ==" in one:
            continue
        try:
            metadata.version(_canonical(one))
        except metadata.PackageNotFoundError:
            continue  # a marker keeps it from this platform
        found.add(_canonical(one))
    return sorted(found)


def _ref(name: str) -> str:
    return name if name == "resattn" else f"pkg:pypi/{name}@{metadata.version(name)}"


def _component(name: str) -> dict[str, Any]:
    facts = metadata.metadata(name)
    licence = facts.get("License-Expression") or (facts.get("License") or "").split("\n")[0]
    if not licence or len(licence) > 80:
        kinds = [c for c in facts.get_all("Classifier") or [] if c.startswith("License ::")]
        licence = "; ".join(kind.rpartition(" :: ")[2] for kind in kinds) or "see the package"
    return {
        "type": "library", "bom-ref": _ref(name), "name": name,
        "version": metadata.version(name), "purl": _ref(name),
        "licenses": [{"license": {"name": licence}}],
    }  # fmt: skip


def _carried() -> list[dict[str, Any]]:
    import cv2
    import rasterio

    found = {"gdal": (rasterio.__gdal_version__, "rasterio")}
    pattern = r"^ *(JPEG|PNG|TIFF|WEBP|ZLib|OpenJPEG|JPEG 2000): +.*?\(ver ([^)]+)\)"
    for name, version in re.findall(pattern, cv2.getBuildInformation(), re.MULTILINE):
        found[f"{name.lower().replace(' ', '')} in opencv"] = (version, "opencv-python")
    return [
        {"type": "library", "name": name, "version": version, "group": f"inside {wheel}"}
        for name, (version, wheel) in sorted(found.items())
    ]


if __name__ == "__main__":
    main()
