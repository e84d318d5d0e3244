"""Commands in README and docs are run: a document that lies fails here.

A fenced block marked `sh` holds commands, run in order in one empty folder that contains the
demonstration pair as the documents name it.
"""

from __future__ import annotations

import re
import shlex
import shutil
from importlib import resources

import pytest

from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def commands(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("resattn ")]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.exists() and commands(p.read_text())], ids=lambda p: p.name
)
def test_commands_of_a_page_run(page, tmp_path, monkeypatch, resattn):
    for name in ("landsat8_pan.tif", "landsat8_ms.tif"):
        shutil.copy(str(resources.files("resattn.demo") / name), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESATTN_ADAPT_STEPS", "2")  # `make demo` runs the first one as it is
    for command in commands(page.read_text()):
        assert not re.search(r"[|&;<>$`*?]", command), "write it so that it needs no shell"
        done = resattn(*shlex.split(command)[1:])
        assert done.code == 0, f"{page.name}: {command}\n{done.err}"


def test_links_inside_the_repository_lead_somewhere():
    for page in [*PAGES, REPOSITORY / "CONTRIBUTING.md"]:
        if not page.exists():
            continue
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
