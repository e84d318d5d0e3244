"""`resattn weights`: what is installed, whether it is whole, and how to add more."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from resattn.cli.app import verb_app
from resattn.cli.options import option
from resattn.errors import UserError

app = verb_app(no_args_is_help=True, help="List, verify, add and convert weights.")

Name = Annotated[str, typer.Argument(help="Name of the weights.", show_default=False)]
Checkpoint = Annotated[
    Path,
    typer.Argument(help="Official checkpoint: .pth, .pt or .safetensors.", show_default=False),
]


@app.command("list")
def list_(
    as_json: Annotated[bool, option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List all weights with their size, licence and quality."""
    from resattn.weights.index import listed

    entries = [entry for _, entry in listed().values()]
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(e) for e in entries], indent=2))
        return
    for entry in entries:
        quality = ", ".join(f"{metric} {value:g}" for metric, value in entry.metrics.items())
        note = "" if entry.commercial else "  not for commercial use"
        typer.echo(f"{entry.name}  {entry.bytes / 1e6:.2f} MB  {entry.licence}{note}")
        typer.echo(f"    {quality}")


@app.command()
def info(name: Name) -> None:
    """Print all that is known of weights: origin, licences, quality and settings."""
    from resattn.weights.index import find

    _, entry = find(name)
    for key, value in dataclasses.asdict(entry).items():
        inner = value.items() if isinstance(value, dict) else ()
        typer.echo(f"{key}:" if inner else f"{key}: {value}")
        for word, setting in sorted(inner):
            typer.echo(f"  {word}: {json.dumps(setting)}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names; all if none.", show_default=False)
    ] = None,
) -> None:
    """Check hash, tensors and values of weights."""
    from resattn.weights.index import listed
    from resattn.weights.load import verify as check

    for name in names or list(listed()):
        entry = check(name)
        typer.echo(f"{name}: {entry.parameters} values, sha256 {entry.sha256[:12]}, whole")


@app.command()
def path(name: Name) -> None:
    """Print where a file of weights lies."""
    from resattn.weights.index import find

    shelf, entry = find(name)
    typer.echo(shelf.folder / entry.file)


@app.command()
def get(
    name: Name,
    out: Annotated[Path, option("--out", "-o", metavar="FILE", help="New .safetensors file.")],
) -> None:
    """Copy a verified file of weights out of the store."""
    from resattn.weights.index import find
    from resattn.weights.load import verify as check

    check(name)
    shelf, entry = find(name)
    _write(out, (shelf.folder / entry.file).read_bytes())


@app.command("import")
def import_(
    checkpoint: Checkpoint,
    name: Annotated[str, option("--name", metavar="NAME", help="Name to call them by.")],
) -> None:
    """Add a checkpoint in an official layout, or weights trained here, to your store."""
    from resattn.weights.convert import take
    from resattn.weights.index import personal

    entry, data = take(checkpoint, name)
    typer.echo(personal().put(entry, data))


@app.command()
def convert(
    checkpoint: Checkpoint,
    out: Annotated[Path, option("--out", "-o", metavar="FILE", help="New .safetensors file.")],
) -> None:
    """Turn an official checkpoint into a file that --weights accepts."""
    from resattn.weights.convert import take

    _write(out, take(checkpoint, out.stem)[1])


def _write(out: Path, data: bytes) -> None:
    if out.suffix != ".safetensors":
        raise UserError(f"{out} does not end in .safetensors", "choose such a name")
    from resattn.io.atomic import write_bytes

    write_bytes(out, data)
    typer.echo(out)
