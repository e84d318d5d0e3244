"""The page in a real browser: nothing is refused, and its controls do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resattn.pipelines.report import write
from tests.unit.pipelines.report_runs import run_of

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium here: apt-get install chromium")

ACTS = """
const said = [];
const figure = document.querySelector(".swipe");
const stack = figure.querySelector(".stack");
const range = figure.querySelector("input[type=range]");
const shown = () => [...figure.querySelectorAll(".over")].map(
  (image) => getComputedStyle(image).visibility + image.naturalWidth).join();
range.focus();
said.push("focus " + (document.activeElement === range));
range.value = 20;
range.dispatchEvent(new Event("input", {bubbles: true}));
said.push("cut " + stack.style.getPropertyValue("--cut"));
said.push("layers " + shown());
const radios = figure.querySelectorAll("input[type=radio]");
radios[1].click();
said.push("layers " + shown());
const names = () => [...document.querySelectorAll("#items tbody th")].map(
  (head) => head.textContent).join();
const head = [...document.querySelectorAll("#items thead th")].find(
  (one) => one.textContent.startsWith("PSNR"));
head.querySelector("button").click();
said.push("sorted " + names() + " " + head.getAttribute("aria-sort"));
head.querySelector("button").click();
said.push("sorted " + names() + " " + head.getAttribute("aria-sort"));
const filter = document.querySelector("input[type=search]");
filter.value = "002";
filter.dispatchEvent(new Event("input", {bubbles: true}));
said.push("left " + [...document.querySelectorAll("#items tbody tr")].filter(
  (row) => getComputedStyle(row).display !== "none").length);
said.push("wide " + (document.documentElement.scrollWidth <= innerWidth));
document.body.dataset.said = said.join("; ");
"""


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions",
            "--disable-background-networking", f"--user-data-dir={profile}",
            "--enable-logging=stderr", *options, page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write([folder / "report.html"], run_of(folder, 4))
    return folder / "report.html"


def test_controls_do_what_they_say(page, tmp_path):
    acting = tmp_path / "acting.html"
    text = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text())  # or it would not let us act
    acting.write_text(text.replace("</body>", f"<script>{{ {ACTS} }}</script></body>"))
    said = re.search(r'data-said="([^"]*)"', browse(acting, tmp_path / "p", "--dump-dom").stdout)
    assert said is not None
    first, last = "item-000", "item-003"
    up = ",".join(f"item-{place:03}" for place in range(4))
    down = ",".join(f"item-{place:03}" for place in reversed(range(4)))
    assert said[1].split("; ") == [
        "focus true",
        "cut 20%",
        "layers visible24,hidden24,hidden24",
        "layers hidden24,visible24,hidden24",
        f"sorted {down} descending",
        f"sorted {up} ascending",
        "left 1",
        "wide true",
    ]
    assert first in up
    assert last in down


def test_nothing_is_refused_and_nothing_fails(page, tmp_path):
    """Its own policy lets the page's script and pictures pass, and the console stays empty."""
    done = browse(page, tmp_path / "p", f"--screenshot={tmp_path / 'shot.png'}")
    assert "CONSOLE" not in done.stderr, done.stderr
    assert (tmp_path / "shot.png").stat().st_size > 10_000


def test_a_foreign_script_is_refused(page, tmp_path):
    evil = tmp_path / "evil.html"
    evil.write_text(
        page.read_text().replace("</body>", "<script>document.title='owned'</script></body>")
    )
    done = browse(evil, tmp_path / "p", "--dump-dom")
    assert "<title>owned" not in done.stdout
    assert "Content Security Policy" in done.stderr
