"""`resattn rac`: what compressed files say of themselves, and whether they are sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from resattn.cli.app import verb_app
from resattn.cli.exits import Exit
from resattn.cli.main import report_error
from resattn.cli.options import option, parse_device
from resattn.errors import ItemError

app = verb_app(no_args_is_help=True, help="Show and verify compressed files.")

Files = Annotated[list[Path], typer.Argument(help="Files that compress made.", show_default=False)]
AsJson = Annotated[bool, option("--json", help="Print a list with an object per file.")]


@app.command()
def info(files: Files, as_json: AsJson = False) -> None:
    """Print size, type, tiles, quality, network and metadata of compressed files."""
    from resattn.pipelines.rac import describe

    documents = [describe(path) for path in files]
    if as_json:
        typer.echo(json.dumps(documents, indent=2))
        return
    for document in documents:
        typer.echo(document.pop("file"))
        for key, value in document.items():
            typer.echo(f"  {key}: {_plain(value)}")


@app.command()
def verify(
    files: Files,
    weights: Annotated[
        str,
        option("--weights", metavar="FILE", help="The network, where it is not installed."),
    ] = "",
    device: Annotated[
        str, option("--device", metavar="DEVICE", help="As in compress.", callback=parse_device)
    ] = "auto",
) -> None:
    """Check that every tile decodes to what was coded, without making a picture.

    Exits with 1 if a file is damaged, after all of them were checked.
    """
    from resattn.pipelines.compress_networks import Networks
    from resattn.pipelines.rac_verify import verify as check

    networks = Networks(weights, device, "fp32")
    failed = False
    for path in files:
        try:
            found = check(path, networks)
        except ItemError as error:
            report_error(error)
            failed = True
            continue
        how = "decoded" if found.by_content else "by their bytes, the network is not installed"
        typer.echo(f"{path}: sound, {found.units} units checked ({how})")
    if failed:
        raise typer.Exit(Exit.ITEM_FAILED)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return " to ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
