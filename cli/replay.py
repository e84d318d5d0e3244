"""`resattn replay`: a reported run once more, byte by byte."""

from __future__ import annotations

import json
import shlex
import tempfile
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resattn.cli.app import verb_app
from resattn.cli.exits import Exit
from resattn.cli.options import option
from resattn.errors import UserError

if TYPE_CHECKING:
    from resattn.pipelines.replay import Repeated

app = verb_app()


@app.command()
def replay(
    record: Annotated[
        Path, typer.Argument(metavar="RUN.JSON", help="A JSON report.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        option("--out", "-o", metavar="OUT", help="Keep the new outputs in this new folder."),
    ] = None,
    as_json: Annotated[bool, option("--json", help="Print the verdicts as JSON.")] = False,
    show: Annotated[
        bool, option("--show", help="Print the command that was typed, then stop.")
    ] = False,
) -> None:
    """Repeat a reported run and say whether the outputs are the same bytes.

    Every option is taken from the report, not from today's defaults or environment. Without --out
    the new outputs are compared and removed. What differs in inputs and versions is named. Exit
    code 0: all equal, 3: something differs, 1: an item failed.

    Example: resattn replay out/run.json
    """
    from resattn.pipelines import replay as pipeline

    told = pipeline.read(record)
    if show:
        typer.echo(shlex.join(["resattn", *told.argv]))
        return
    if out is not None and out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty", "choose a new folder", code="E404")
    for change in pipeline.changes(told):
        typer.echo(f"note: {change}", err=True)
    place = tempfile.TemporaryDirectory() if out is None else nullcontext(str(out))
    with place as folder:
        done = list(pipeline.repeat(told, Path(folder)))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in done], indent=2, ensure_ascii=False))
    else:
        _tell(done)
    if any(one.verdict == "failed" for one in done):
        raise typer.Exit(Exit.ITEM_FAILED)
    if any(one.verdict == "differs" for one in done):
        raise typer.Exit(Exit.GATE_FAILED)


def _tell(done: list[Repeated]) -> None:
    for one in done:
        typer.echo(f"{one.name}: {one.verdict}")
        for sentence in one.said:
            typer.echo(f"  {sentence}")
    equal = sum(one.verdict == "equal" for one in done)
    typer.echo(f"{equal} of {len(done)} items came out the same")
