"""Results on stdout, in the form that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from resattn.pipelines import report
from resattn.pipelines.result import Result


def show(run: report.Run, form: str) -> None:
    """Prints a run as text, json, jsonl or csv."""
    if form == "json":
        typer.echo(report.to_json(run), nl=False)
    elif form == "jsonl":
        for result in run.results:
            document = json.loads(report.to_json(report.Run(run.command, run.config, [result])))
            typer.echo(json.dumps(document["items"][0], ensure_ascii=False))
    elif form == "csv":
        typer.echo(report.to_csv(run.results), nl=False)
    else:
        for result in run.results:
            typer.echo(as_text(result))


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
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) >= 100 else f"{value:.4f}"
