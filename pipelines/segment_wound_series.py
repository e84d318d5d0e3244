"""A folder of photographs as one wound over time: a table and a trend plot beside the masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resattn.errors import ResattnError
from resattn.io.atomic import write_csv, write_text
from resattn.pipelines.plan import Item
from resattn.pipelines.progress import Progress
from resattn.pipelines.provenance import as_facts
from resattn.pipelines.result import Result, Status
from resattn.pipelines.segment_wound_config import SegmentWoundConfig
from resattn.pipelines.segment_wound_photo import Examined, Examiner, beside, finish, photograph
from resattn.wound.examine import NOTICE, Finding
from resattn.wound.follow_up import Change, Visit, changes, taken, trend

HEADER = (
    "photograph", "date", "days", "area", "area_low", "area_high", "unit",
    "change_since_first_percent", "change_since_last_percent", "confidence", "flags",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Series:
    """What the photographs of a series gave."""

    found: dict[str, tuple[Examined, tuple[Path, ...]]]
    failures: tuple[str, ...]

    @property
    def unit(self) -> str:
        """cm² where every photograph has a scale, else px."""
        scaled = all(e.finding.area_cm2 is not None for e, _ in self.found.values())
        return "cm²" if scaled else "px"


def follow(item: Item, progress: Progress, *, examiner: Examiner) -> Result:
    """The masks of a series, its table ``.csv`` and its plot ``.svg``.

    A photograph that cannot be read fails the item, but not before the others are finished.
    """
    series = _examine(item, progress, examiner)
    if not series.found:
        return Result(item.name, "failed", error="; ".join(series.failures))
    rows = changes([_visit(name, e, series.unit) for name, (e, _) in series.found.items()])
    overwrite = examiner.config.overwrite
    plot = _plot(item)
    made = as_facts(examiner.tags)
    write_text(plot, trend(rows, series.unit, item.name, made), overwrite=overwrite)
    table = [_row(row, series.found[row.visit.name][0].finding, series.unit) for row in rows]
    write_csv(item.output, HEADER, table, overwrite=overwrite)
    outputs = [item.output, plot, *(p for _, paths in series.found.values() for p in paths)]
    first, last = rows[0].visit, rows[-1]
    since = "" if last.since_first is None else f", {last.since_first:+.1f} %"
    facts = {
        "trend": f"{first.area:.4g} to {last.visit.area:.4g} {series.unit}{since}",
        "photographs": len(rows),
        "notice": NOTICE,
        "network": [examiner.weights, examiner.weights_sha256],
    }
    warnings = tuple(f"{n}: {w}" for n, (e, _) in series.found.items() for w in e.warnings)
    metrics = {} if last.since_first is None else {"area_change_percent": last.since_first}
    status: Status = "failed" if series.failures else "ok"
    return Result(
        item.name, status, tuple(outputs), metrics, {}, facts, warnings,
        error="; ".join(series.failures),
    )  # fmt: skip


def companions(item: Item, config: SegmentWoundConfig) -> tuple[Path, ...]:
    """Files beside the table, if every photograph can be read."""
    masks = [(_mask(item, path), path) for path in item.inputs]
    files = ((mask, *beside(mask, photo, config)) for mask, photo in masks)
    return (_plot(item), *(path for group in files for path in group))


def _plot(item: Item) -> Path:
    return item.output.with_suffix(".svg")


def _mask(item: Item, photograph: Path) -> Path:
    folder = item.output.parent / item.output.name.split(".")[0]
    return folder / f"{photograph.stem}.wound.png"


def _examine(item: Item, progress: Progress, examiner: Examiner) -> _Series:
    found: dict[str, tuple[Examined, tuple[Path, ...]]] = {}
    failures: list[str] = []
    with progress.steps(len(item.inputs), item.name) as bar:
        for path in item.inputs:
            try:
                examined = photograph(path, examiner)
                outputs = finish(examined, _mask(item, path), examiner)
                found[path.name] = (examined, outputs)
            except ResattnError as error:  # said at the end; the other photographs are finished
                failures.append(f"error[{error.code}] {path.name}: {error}")
            bar.update()
    return _Series(found, tuple(failures))


def _visit(name: str, examined: Examined, unit: str) -> Visit:
    finding = examined.finding
    date = taken(name, examined.image.info.metadata)
    if unit == "cm²" and finding.area_cm2 is not None and finding.area_cm2_90 is not None:
        return Visit(name, date, finding.area_cm2, *finding.area_cm2_90)
    return Visit(name, date, finding.area_px, *finding.area_px_90)


def _row(row: Change, finding: Finding, unit: str) -> list[object]:
    visit = row.visit
    areas = [f"{value:.6g}" for value in (visit.area, visit.low, visit.high)]
    days = "" if row.days is None else f"{row.days:.2f}"
    shown = ["" if v is None else f"{v:.2f}" for v in (row.since_first, row.since_last)]
    date = visit.date.isoformat(" ") if visit.date else ""
    sure = f"{finding.confidence:.4f}"
    return [visit.name, date, days, *areas, unit, *shown, sure, " ".join(finding.flags)]
