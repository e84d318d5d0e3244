"""`resattn core`: the attention mechanisms themselves, listed, proven and measured."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from resattn.cli.app import verb_app
from resattn.cli.exits import Exit
from resattn.cli.options import option, parse_device
from resattn.errors import UserError

if TYPE_CHECKING:
    from resattn.benchmark.bars import Bar
    from resattn.benchmark.machine import Limits, Row
    from resattn.registry import Entry

app = verb_app(no_args_is_help=True)

Json = Annotated[bool, option("--json", help="Print JSON.")]
Kinds = Annotated[str, option("--mixer", metavar="KIND,...", help="Only these mixers.")]
Device = Annotated[
    str,
    option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N.", callback=parse_device),
]


@app.callback()
def core() -> None:
    """List, show, check and measure the attention mechanisms all models are built from."""


@app.command("list")
def list_mixers(as_json: Json = False) -> None:
    """List every mixer: its name, what its weights are computed over, what it does."""
    from resattn.registry import MIXERS

    facts = {kind: _facts(line) for kind, line in MIXERS.items()}
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for kind, fact in facts.items():
        typer.echo(f"{kind:14}{fact['family']:9}{fact['summary']}")


@app.command()
def show(
    kind: Annotated[str, typer.Argument(help="Name of a mixer, as `core list` prints it.")],
    as_json: Json = False,
) -> None:
    """Show one mixer: equation, paper, settings, facts, and the identities that prove it."""
    import sys

    line = _entries(kind)[kind]
    facts = _facts(line)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(sys.modules[line.mixer.__module__].__doc__)
    for name, value in facts.items():
        typer.echo(f"{name}: {json.dumps(value)}")


@app.command()
def check(
    mixer: Kinds = "",
    device: Device = "auto",
    precision: Annotated[
        Literal["fp64", "fp32"], option("--precision", help="Precision of the tensors.")
    ] = "fp64",
    as_json: Json = False,
) -> None:
    """Check every identity of every mixer on this device; exit code 3 if one does not hold."""
    import torch

    from resattn.checks.probe import Probe
    from resattn.device import pick

    place, dtype = str(pick(device)), {"fp64": torch.float64, "fp32": torch.float32}[precision]
    results: list[dict[str, Any]] = []
    for kind, line in _entries(mixer).items():
        for identity in line.identities:
            probe = Probe(place, dtype)
            error = identity.measure(probe)
            holds = error <= probe.tolerance
            results.append({"mixer": kind, "check": identity.name, "error": error, "holds": holds})
            if not as_json:
                typer.echo(f"{'ok' if holds else 'FAILED':8}{kind:14}{identity.name}  {error:.1e}")
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    if not all(result["holds"] for result in results):
        raise typer.Exit(Exit.GATE_FAILED)


@app.command()
def bench(
    mixer: Kinds = "",
    size: Annotated[str, option("--size", metavar="N,...", help="Sides of the images.")] = "64,128",
    dim: Annotated[int, option("--dim", min=16, help="Channels, a multiple of 16.")] = 64,
    device: Device = "auto",
    threads: Annotated[int, option("--threads", min=1, help="CPU threads.")] = 1,
    seconds: Annotated[
        float, option("--seconds", min=0.001, help="Time to spend on each measurement.")
    ] = 0.3,
    targets: Annotated[bool, option("--targets", help="Also measure the CPU targets.")] = False,
    plot: Annotated[Path | None, option("--plot", help="Draw the shares to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Measure mixers as shares of this machine's matrix-product and copy rates.

    CPU times are of this process alone, the shortest of several. With --targets the exit code is
    3 if one is missed.
    """
    # Torch's profiler, which counts the memory, otherwise writes two lines a call to stderr.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    import torch

    from resattn.benchmark.bars import bars
    from resattn.benchmark.machine import cases, limits, rows
    from resattn.device import pick

    place, sizes = pick(device), _sizes(size)
    torch.set_num_threads(threads)
    limit = limits(place, 3 * seconds)
    measured = list(rows(cases(dim, _entries(mixer)), sizes, place, limit, seconds))
    judged = list(bars(place, measured)) if targets else []
    if plot is not None:
        from resattn.benchmark.plot import plot as draw

        draw(measured, plot)
    typer.echo(_as_json(limit, measured, judged) if as_json else _as_text(limit, measured, judged))
    if not all(bar.met for bar in judged):
        raise typer.Exit(Exit.GATE_FAILED)


def _entries(kinds: str) -> dict[str, Entry]:
    """The table's lines for a comma-separated list of kinds; all of them for an empty one."""
    from resattn.registry import MIXERS, entry

    try:
        return {kind: entry(kind) for kind in (kinds.split(",") if kinds else MIXERS)}
    except ValueError as error:
        raise UserError(str(error), "see resattn core list") from error


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--size {text!r} is not a list of numbers", "write 64,128") from error
    if min(sizes) < 1:
        raise UserError(f"--size {text!r} holds a size below 1", "write 64,128")
    return sizes


def _facts(line: Entry) -> dict[str, Any]:
    from resattn.registry import build

    mixer = build(line.examples[0])
    return {
        "summary": (line.mixer.__doc__ or "").splitlines()[0],
        "family": mixer.family,
        "layout": mixer.layout,
        "takes_context": mixer.takes_context,
        "pixel_equivariant": mixer.pixel_equivariant,
        "radius": mixer.radius(),
        "example": mixer.config.to_dict(),
        "identities": [identity.name for identity in line.identities],
    }


def _as_json(limit: Limits, rows: list[Row], judged: list[Bar]) -> str:
    document = {
        "limits": asdict(limit),
        "rows": [asdict(row) for row in rows],
        "targets": [asdict(bar) | {"met": bar.met} for bar in judged],
    }
    return json.dumps(document, indent=2).replace("Infinity", "null")


def _as_text(limit: Limits, rows: list[Row], judged: list[Bar]) -> str:
    lines = [
        f"limits: GEMM {limit.gemm / 1e9:.0f} GFLOP/s, copy {limit.copy / 1e9:.1f} GB/s",
        f"{'':22}{'size':>5}{'ms':>10}{'GFLOP/s':>9}{'of GEMM':>9}{'of copy':>9}{'MB':>8}",
    ]
    lines += [
        f"{row.name:22}{row.size:5}{row.seconds * 1e3:10.2f}"
        f"{row.flops / row.seconds / 1e9:9.1f}{row.gemm_share:9.1%}{row.copy_share:9.1%}"
        f"{row.peak_bytes / 1e6:8.1f}"
        for row in rows
    ]
    lines += [
        f"{'met' if bar.met else 'MISSED':8}{bar.value:<12.4g}{_target(bar):14}{bar.name}"
        for bar in judged
    ]
    return "\n".join(lines)


def _target(bar: Bar) -> str:
    if bar.high == float("inf"):
        return f">= {bar.low:g}"
    return f"<= {bar.high:g}" if bar.low == 0 else f"{bar.low:g} to {bar.high:g}"
