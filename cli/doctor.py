"""`resattn doctor`: one screen about this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from resattn.cli.app import verb_app
from resattn.cli.exits import Exit
from resattn.cli.options import option

app = verb_app()


@app.command()
def doctor(
    folder: Annotated[
        Path, typer.Argument(help="Where you mean to write.", show_default=False)
    ] = Path(),
    as_json: Annotated[bool, option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what this machine can do, and what is missing.

    Looks at CPU, memory, accelerators, libraries, GDAL's drivers, every file of weights, free
    disk and limits. Exit code 1 when something is bad; notes are no failure.
    """
    from resattn.pipelines.doctor import examine

    findings = list(examine(folder))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = {"ok": " ", "note": "·", "bad": "!"}[finding.state]
            remedy = f" — {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{mark} {finding.topic:14}{finding.said}{remedy}")
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(Exit.ITEM_FAILED)
