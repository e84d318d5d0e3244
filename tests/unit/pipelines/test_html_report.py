"""The HTML report: what is in it, what it refuses to do, how large it may become."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from resattn.pipelines import html_tables
from resattn.pipelines.html_charts import histogram
from resattn.pipelines.html_gallery import ranked
from resattn.pipelines.html_pictures import SIDE, sheet, smaller, thumbnail
from resattn.pipelines.html_report import to_html
from resattn.pipelines.report import Run, to_plain, write
from resattn.pipelines.result import Result
from tests.unit.pipelines.report_runs import noise, picture, run_of


def page_of(run: Run) -> str:
    return to_html(run.results, to_plain(run))


VOID = {"meta", "img", "input", "br"}


class Elements(HTMLParser):
    """Every start tag of a page, and whether all were closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_asks_for_nothing_beyond_itself(tmp_path):
    page = page_of(run_of(tmp_path, 4))
    elements = Elements(page)
    assert all(image["src"].startswith("data:image/webp;base64,") for image in elements.of("img"))
    assert not [
        tag for tag, _ in elements.found if tag in ("link", "iframe", "object", "a", "base")
    ]
    assert all("src" not in script for script in elements.of("script"))
    assert "url(" not in page
    assert "@import" not in page
    policy = next(m["content"] for m in elements.of("meta") if "content" in m and "http-equiv" in m)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


def test_names_that_look_like_markup_stay_text(tmp_path):
    evil = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'
    run = run_of(tmp_path, 3, name=evil)
    broken = Result(evil, "failed", error=f"error[E301] {evil}")
    run = Run(evil, {"path": evil}, [*run.results, broken], [f"{evil} gate"])
    page = page_of(run)
    assert evil not in page
    assert html.escape(evil) in page
    assert len(Elements(page).of("script")) == 1


def test_the_worst_come_first_and_are_ten(tmp_path):
    page = page_of(run_of(tmp_path, 14))
    figures = re.findall(r"<figcaption><b>([^<]*)</b> <span>([^<]*)</span>", page)
    assert [name for name, _ in figures] == [f"item-{place:03}" for place in range(10)]
    assert figures[0][1].strip() == "PSNR 20 dB"
    assert "The 10 worst by PSNR" in page
    assert page.count('type="range"') == 10


def test_what_is_not_a_number_is_worst_and_direction_counts():
    def one(name, value):
        return Result(name, "ok", metrics={"sam": value})

    metric, order = ranked([one("a", 1.0), one("b", 9.0), one("c", math.nan), one("d", math.inf)])
    assert metric == "sam"
    assert [result.name for result in order] == ["c", "d", "b", "a"]


def test_a_metric_that_few_items_have_ranks_nothing():
    results = [Result("a", "ok", metrics={"sam": 1.0}), Result("b", "ok", metrics={"dice": 0.5})]
    assert ranked(results) == ("", results)


def test_means_intervals_and_baselines_stand_in_one_table(tmp_path):
    page = page_of(run_of(tmp_path, 5))
    row = re.search(r'<tr><th scope="row">PSNR.*?</tr>', page)[0]
    assert "<b>22.000</b>" in row
    assert "21.000<br><small>ours is better in 100 %" in row
    assert "20.8" in row  # the lower end of the interval of 20 … 24


def test_scores_of_the_whole_set_stand_apart(tmp_path):
    run = run_of(tmp_path, 3)
    whole = Result("all pictures", "ok", metrics={"ap": 0.4321}, of_run=True)
    page = page_of(Run("detect", {}, [*run.results, whole]))
    assert "<title>detect: 3 items</title>" in page
    part = page[page.index("All items as one set") : page.index("<h2>Means")]
    assert "0.4321" in part
    assert "all pictures" not in page


def test_troubles_come_before_everything_else(tmp_path):
    run = run_of(tmp_path, 3)
    failed = Result("x", "failed", error="error[E301] x is truncated")
    page = page_of(Run(run.command, {}, [*run.results, failed], ["item-000: psnr 20 < 30"]))
    trouble = page.index("Needs attention")
    assert trouble < page.index("Means")
    assert "error[E301] x is truncated" in page
    assert "item-000: psnr 20 &lt; 30" in page
    assert '<span class="failed">1 failed</span>' in page


def test_files_that_are_gone_cost_their_picture_and_nothing_else(tmp_path):
    run = run_of(tmp_path, 3)
    for path in tmp_path.glob("out*.png"):
        path.unlink()
    page = page_of(run)
    assert 'type="range"' not in page
    assert page.count('<th scope="row">item-') == 3


def test_the_same_run_gives_the_same_bytes(tmp_path):
    run = run_of(tmp_path, 4)
    write([tmp_path / "a.html", tmp_path / "b.html"], run)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("side", [40, pytest.param(1100, marks=pytest.mark.slow)])
def test_500_items_of_noise_stay_below_5_mb(tmp_path, side):
    run = run_of(tmp_path, 500, side=side)
    write([tmp_path / "r.html"], run)
    page = (tmp_path / "r.html").read_text()
    assert len(page.encode()) <= 5_000_000
    assert page.count("data:image/webp") >= 500


def test_a_very_long_run_shows_the_failed_and_the_worst(tmp_path, monkeypatch):
    monkeypatch.setattr(html_tables, "ROWS", 4)
    run = run_of(tmp_path, 6)
    failed = Result("broken", "failed", error="error[E301] broken")
    text = html_tables.items([*run.results, failed])
    assert "the 4 worst of 7" in text
    assert re.findall(r'<th scope="row">([\w-]+)', text) == [
        "broken", "item-000", "item-001", "item-002",
    ]  # fmt: skip


def result_of(tmp_path: Path, before, after, reference=None) -> Result:
    return Result(
        "a", "ok", (picture(tmp_path / "after.png", after),), inputs=(
            picture(tmp_path / "before.png", before),
        ),
        reference=None if reference is None else picture(tmp_path / "ref.png", reference),
    )  # fmt: skip


def test_layers_show_the_files_pixel_for_pixel(tmp_path):
    truth = noise(3, 40, 60)
    made = truth.copy()
    made[:, 5:9, 10:14] ^= 255
    shown = sheet(result_of(tmp_path, truth, made, truth))
    output, source, reference, error = shown.layers
    assert [layer.label.split(",")[0] for layer in shown.layers] == [
        "output", "input", "reference", "error",
    ]  # fmt: skip
    np.testing.assert_array_equal(output.pixels, made)
    np.testing.assert_array_equal(source.pixels, truth)
    np.testing.assert_array_equal(reference.pixels, truth)
    lit = error.pixels.max(axis=0) > 0
    assert lit[5:9, 10:14].any()
    lit[5:9, 10:14] = False
    assert not lit.any()


def test_a_smaller_input_is_enlarged_to_the_output(tmp_path):
    low = np.full((3, 10, 15), 90, np.uint8)
    shown = sheet(result_of(tmp_path, low, noise(3, 40, 60)))
    assert (shown.layers[1].pixels == 90).all()
    assert shown.layers[1].pixels.shape == (3, 40, 60)


def test_a_large_output_is_shown_where_it_is_worst(tmp_path):
    truth = np.full((3, 900, 1300), 100, np.uint8)
    made = truth.copy()
    made[:, 700:740, 1000:1040] = 200
    shown = sheet(result_of(tmp_path, truth[:, :9, :13].copy(), made, truth))
    assert shown.layers[0].pixels.shape == (3, SIDE, SIDE)
    assert (shown.layers[0].pixels == 200).any()
    row, col = map(int, re.findall(r"(\d+) to", shown.note))
    window = made[:, row : row + SIDE, col : col + SIDE]
    np.testing.assert_array_equal(shown.layers[0].pixels, window)


def test_masks_are_drawn_into_their_photograph(tmp_path):
    photo = np.full((3, 30, 30), 80, np.uint8)
    found = np.zeros((1, 30, 30), np.uint8)
    true = found.copy()
    found[:, 5:15, 5:15] = true[:, 10:20, 5:15] = 255
    shown = sheet(result_of(tmp_path, photo, found, true))
    output, reference, error, source = (layer.pixels for layer in shown.layers)
    changed = (output != photo).any(axis=0)
    np.testing.assert_array_equal(changed, found[0] > 0)
    np.testing.assert_array_equal((reference != photo).any(axis=0), true[0] > 0)
    np.testing.assert_array_equal((error != photo).any(axis=0), (found != true)[0])
    np.testing.assert_array_equal(source, photo)
    assert "orange is too much" in shown.note


@pytest.mark.parametrize(("height", "width"), [(500, 300), (97, 1000), (3, 900), (20, 20)])
def test_thumbnails_keep_the_mean_and_the_limit(tmp_path, height, width):
    pixels = noise(3, height, width)
    small = smaller(pixels, 96)
    assert max(small.shape[1:]) <= 96
    assert small.mean() == pytest.approx(pixels.mean(), abs=3)
    shown = thumbnail(result_of(tmp_path, pixels, pixels), 96)
    np.testing.assert_array_equal(shown, small)


def test_a_result_without_pictures_has_no_thumbnail(tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("a")
    result = Result("a", "ok", (table,), inputs=(table,))
    assert thumbnail(result, 96) is None
    assert sheet(result).layers == ()


def test_the_histogram_counts_everything_once_and_places_the_marks():
    drawing = histogram([1.0, 1.1, 5.0, 9.0], {"mean": 4.0, "bicubic": 5.0})
    heights = [float(h) for h in re.findall(r'class="bar".*?height="([\d.]+)"', drawing)]
    assert len(heights) == 3
    assert max(heights) == 2 * min(heights)
    places = [float(x) for x in re.findall(r'class="mark m\d" x1="([\d.]+)"', drawing)]
    assert places == [120.0, 160.0]  # 3/8 and 4/8 of 320
    assert "bicubic 5" in drawing


def test_equal_values_have_a_histogram_too():
    assert histogram([2.0, 2.0], {"mean": 2.0}).count('class="bar"') == 1


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_every_text_can_be_read_in_light_and_dark():
    """WCAG 2.1 AA: a contrast of 4.5 for text, 3 for drawings."""
    style = Path(html_tables.__file__).with_name("report.css").read_text()
    schemes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in style.split("@media")[:2]]
    assert schemes[0] != schemes[1]
    for scheme in schemes:
        for back in ("page", "card"):
            for text in ("ink", "soft", "accent", "good", "bad", "bar"):
                pair = sorted((luminance(scheme[text]), luminance(scheme[back])))
                contrast = (pair[1] + 0.05) / (pair[0] + 0.05)
                assert contrast >= (1.5 if text == "bar" else 4.5), (text, back)


def test_long_numbers_and_missing_ones():
    assert [html_tables.number(v) for v in (0.91234, 32.4234, 724.123, None, math.nan)] == [
        "0.9123", "32.423", "724.1", "–", "–",
    ]  # fmt: skip
    assert html_tables.number(math.inf) == "∞"


def test_skipped_items_keep_their_place(tmp_path):
    run = run_of(tmp_path, 3)
    skipped = replace(run.results[1], status="skipped", metrics={})
    page = page_of(Run("x", {}, [run.results[0], skipped, run.results[2]]))
    assert '<tr class="skipped">' in page
    assert '<span class="skipped">1 skipped</span>' in page
