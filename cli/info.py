"""`resattn info`: what is here, for people and for programs, without loading any of it."""

from __future__ import annotations

import importlib
import inspect
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.models import ParameterInfo

from resattn.cli.app import LightHelp, verb_app
from resattn.cli.exits import Exit
from resattn.cli.options import option
from resattn.cli.verbs import VERBS
from resattn.metrics.table import METRICS
from resattn.version import __version__

app = verb_app()

FORMATS = {
    "read": ["GeoTIFF", "COG", "BigTIFF", "PNG", "JPEG", "WebP", "TIFF", "JPEG 2000", "RAC"],
    "write": [
        *("GeoTIFF", "COG", "PNG", "JPEG", "WebP", "TIFF", "RAC"),
        *("COCO", "GeoJSON", "GeoPackage", "CSV", "YOLO", "VOC"),
    ],
}


@app.command(add_help_option=False)
def info(
    as_json: Annotated[bool, option("--json", help="Print everything as JSON.")] = False,
    show_help: LightHelp = False,  # noqa: ARG001 (its callback acts)
) -> None:
    """List commands, options, models, metrics and formats.

    The JSON form is stable (key "schema"), needs no torch and answers within 150 ms of CPU time.
    """
    document = describe()
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    typer.echo(f"resattn {__version__}")
    for name, verb in VERBS.items():
        typer.echo(f"  {name:15}{verb.summary}")
    typer.echo("metrics")
    for name, metric in METRICS.items():
        better = "higher" if metric.higher_is_better else "lower"
        typer.echo(f"  {name:15}{metric.unit or '-':10}{better} is better")


def describe() -> dict[str, Any]:
    """Everything `info --json` prints."""
    return {
        "schema": 1,
        "version": __version__,
        "exit_codes": {code.name.lower(): code.value for code in Exit},
        "commands": {
            name: {"summary": verb.summary, "options": _options(verb.module)}
            for name, verb in VERBS.items()
        },
        "models": _models(),
        "metrics": {name: asdict(metric) for name, metric in METRICS.items()},
        "formats": FORMATS,
    }


def _options(module: str) -> list[dict[str, Any]]:
    # Read from the signatures: building Click's own objects would import pydantic.
    commands = importlib.import_module(module).app.registered_commands
    parameters = (
        parameter
        for command in commands
        for parameter in inspect.signature(command.callback, eval_str=True).parameters.values()
        if parameter.annotation is not typer.Context
    )
    return [_describe_parameter(parameter) for parameter in parameters]


def _describe_parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    base: Any = parameter.annotation
    described = ""
    if get_origin(base) is Annotated:
        base, *extra = get_args(base)
        described = next((e.help or "" for e in extra if isinstance(e, ParameterInfo)), "")
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    return {
        "name": parameter.name.replace("_", "-"),
        "type": getattr(base, "__name__", str(base)) if get_origin(base) is None else str(base),
        "default": default if isinstance(default, (bool, int, float, str, list)) else None,
        "required": parameter.default is inspect.Parameter.empty,
        "help": described,
    }


def _models() -> dict[str, Any]:
    index = Path(importlib.import_module("resattn.weights").__path__[0]) / "index.json"
    if not index.is_file():
        return {}
    models: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
    return models
