"""Results on stdout, in the form that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from resattn.pipelines import report
from resattn.pipelines.result import Result
from resattn.pipelines.summary import summary


def show(run: report.Run, form: str) -> None:
    """Prints a run as text, json, jsonl or csv."""
    if form == "json":
        typer.echo(report.to_json(run), nl=False)
    elif form == "jsonl":
        for result in run.results:
            document = json.loads(report.to_json(report.Run(run.command, run.config, [result])))
            typer.echo(json.dumps(document["items"][0], ensure_ascii=False))
    elif form == "csv":
        typer.echo(report.to_csv(run), nl=False)
    elif any(r.outputs for r in run.results) or not any(r.metrics for r in run.results):
        for result in run.results:
            typer.echo(as_text(result))
        if sum(result.status == "ok" for result in run.results) > 1:
            _echo(_means(run.results))
    else:
        _echo([*_per_item(run.results), *_means(run.results)[1:]])


def _echo(rows: Sequence[Sequence[str]]) -> None:
    for line in _aligned(rows):
        typer.echo(line)


def as_text(result: Result) -> str:
    """One item: its output, then its metrics beside those of the baselines."""
    if result.status == "failed":
        return f"{result.name}: failed"
    if result.status == "skipped":
        return f"{result.name}: skipped, {result.outputs[0]} exists"
    lines = [f"{result.name} -> {result.outputs[0]}"]
    lines += [f"  {key}: {value}" for key, value in result.facts.items() if isinstance(value, str)]
    if result.metrics:
        lines += _table(result)
    return "\n".join(lines)


def _table(result: Result) -> list[str]:
    rows: list[Sequence[str]] = [["", *result.metrics]]
    columns = {"result": result.metrics, **result.baselines}
    for name, scores in columns.items():
        rows.append([name, *(_number(scores.get(metric)) for metric in result.metrics)])
    return [f"  {line}" for line in _aligned(rows)]


def _per_item(results: Sequence[Result]) -> list[Sequence[str]]:
    """One row per item, for runs that only measure."""
    names = list(dict.fromkeys(name for result in results for name in result.metrics))
    rows: list[Sequence[str]] = [["item", *names]]
    for result in results:
        failed = [result.status] if result.status != "ok" else []
        values = [_number(result.metrics.get(name)) for name in names]
        rows.append([result.name, *(failed or values)])
    return rows


def _means(results: Sequence[Result]) -> list[Sequence[str]]:
    """Means over the finished items, with the ends of their 95 % intervals, ours and baselines'."""
    found = summary(results)
    metrics = found["metrics"]
    if not metrics:
        return []
    rows: list[Sequence[str]] = [["", *metrics]]
    rows.append(["mean", *(_number(row["mean"]) for row in metrics.values())])
    for end, place in (("95 % from", 0), ("to", 1)):
        ends = [row["ci95"][place] if row["ci95"] else None for row in metrics.values()]
        rows.append([end, *map(_number, ends)])
    for rival, scores in found["baselines"].items():
        means = [scores.get(name, {}).get("mean") for name in metrics]
        rows.append([f"mean of {rival}", *map(_number, means)])
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines in which the first column is left-aligned and every other right-aligned."""
    columns = len(rows[0]) if rows else 0
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(columns)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) >= 100 else f"{value:.4f}"
