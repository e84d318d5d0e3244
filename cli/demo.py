"""`resattn demo`: every job once, on samples that come with the package."""

from __future__ import annotations

import importlib
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resattn.cli.app import verb_app
from resattn.cli.exits import Exit
from resattn.cli.options import option
from resattn.cli.verbs import VERBS

if TYPE_CHECKING:
    from resattn.pipelines.result import Result

app = verb_app()


@app.command()
def demo(
    out: Annotated[
        Path, option("--out", "-o", metavar="OUT", help="Folder for samples and results.")
    ] = Path("resattn-demo"),
    overwrite: Annotated[bool, option("--overwrite", help="Replace an earlier demo.")] = False,
) -> None:
    """Run every job on the shipped samples, with one report.

    Prints each command before it runs, so that it can be repeated and changed. Needs no network.

    Example: resattn demo --out demo && xdg-open demo/report.html
    """
    from resattn.pipelines import report
    from resattn.pipelines.demo import COMMANDS, arguments

    results: list[Result] = []
    configs: dict[str, Any] = {}
    failed = False
    for verb in (name for name in COMMANDS if name in VERBS):
        options = [*arguments(verb, out), *(["--overwrite"] if overwrite else [])]
        typer.echo(f"$ {shlex.join(['resattn', verb, *options])}")
        record = out / f"{verb}.json"
        failed |= _run(verb, [*options, "--report", str(record)]) != Exit.OK
        configs[verb], done = _read(record)
        results += [replace(result, name=f"{verb}: {result.name}") for result in done]
    pages = [out / "report.html", out / "report.json"]
    report.write(pages, report.Run("demo", configs, results))
    typer.echo(f"look at {pages[0]}")
    if failed:
        raise typer.Exit(Exit.ITEM_FAILED)


def _run(verb: str, options: list[str]) -> int:
    """The exit code of a verb, run in this process: the libraries are loaded once for all."""
    command = typer.main.get_command(importlib.import_module(VERBS[verb].module).app)
    return int(command.main(options, prog_name=verb, standalone_mode=False) or 0)


def _read(record: Path) -> tuple[dict[str, Any], list[Result]]:
    from resattn.pipelines.result import Result

    document = json.loads(record.read_text(encoding="utf-8"))
    return document["config"], [Result.from_json(item) for item in document["items"]]
