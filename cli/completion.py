"""`resattn completion`: what a shell needs to complete commands and options on Tab."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

from resattn.cli.app import verb_app
from resattn.errors import UserError

app = verb_app()

VARIABLE = "_RESATTN_COMPLETE"
"""Set by the script when the shell asks; the root command answers instead of running."""

Shell = Literal["bash", "zsh", "fish"]


@app.command()
def completion(
    shell: Annotated[
        Shell | None,
        typer.Argument(help="bash, zsh or fish; by default that of $SHELL.", show_default=False),
    ] = None,
) -> None:
    """Print the script that completes commands and options in a shell.

    Nothing is installed: the line that loads it belongs into the shell's own start-up file.

    Example: echo 'eval "$(resattn completion bash)"' >> ~/.bashrc
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # not listed

    name = shell or os.environ.get("SHELL", "").rpartition("/")[2]
    if name not in ("bash", "zsh", "fish"):
        raise UserError(f"shell {name or 'unknown'!r}", "name bash, zsh or fish", code="E208")
    typer.echo(get_completion_script(prog_name="resattn", complete_var=VARIABLE, shell=name))


def prepare() -> None:
    """Makes Typer able to answer a shell; costs 50 ms that no other run should pay."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()  # registers the shells on the way
