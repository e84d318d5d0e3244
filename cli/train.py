"""`resattn train`: fit a model, or go on where a run was stopped."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resattn.cli.app import flatten, verb_app
from resattn.cli.exits import Exit
from resattn.cli.options import Precision, option, parse_device
from resattn.errors import UserError

if TYPE_CHECKING:
    from types import FrameType

    from resattn.pipelines.train import Trained

app = verb_app()


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What is trained on what, and for how long."""

    data: Annotated[
        Path, option("--data", metavar="PATH", help="Folder of images, or a --keep-data file.")
    ]
    run: Annotated[
        Path,
        option(
            "--run", metavar="FOLDER", help="Log, checkpoint and weights; a stopped run goes on."
        ),
    ]
    minutes: Annotated[
        float | None, option("--minutes", metavar="N", help="Length of the run by the clock.")
    ] = None
    steps: Annotated[int | None, option("--steps", metavar="N", help="Length in steps.")] = None
    batch: Annotated[int, option("--batch", metavar="N", min=1, help="Samples per step.")] = 8
    lr: Annotated[float, option("--lr", metavar="RATE", help="Peak learning rate.")] = 1e-3
    set_: Annotated[
        list[str],
        option("--set", metavar="KEY=VALUE", help="Option of the task: model.scale=2; repeatable."),
    ] = field(default_factory=list)
    init: Annotated[
        str | None, option("--init", metavar="WEIGHTS", help="Weights to start from.")
    ] = None
    side: Annotated[
        int, option("--side", metavar="PIXELS", min=1, help="Images are cut to these squares.")
    ] = 512
    folds: Annotated[
        int, option("--folds", metavar="N", min=2, help="Parts the photographs fall into.")
    ] = 16
    fold: Annotated[
        int, option("--fold", metavar="N", min=0, help="The part that validates, from 0.")
    ] = 0
    device: Annotated[
        str,
        option(
            "--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.", callback=parse_device
        ),
    ] = "auto"
    precision: Annotated[Precision, option("--precision", help="Arithmetic of a step.")] = "bf16"
    seed: Annotated[int, option("--seed", metavar="N", min=0, help="Seed of the run.")] = 0
    name: Annotated[str, option("--name", metavar="NAME", help="Name of the weights.")] = "mine"
    licence: Annotated[str, option("--licence", metavar="TEXT", help="Licence of the weights.")] = (
        "not stated"
    )
    data_name: Annotated[
        str, option("--data-name", metavar="TEXT", help="The data in words, for the weights.")
    ] = "not stated"
    data_licence: Annotated[
        str, option("--data-licence", metavar="TEXT", help="Licence of the data.")
    ] = "not stated"
    keep_data: Annotated[
        Path | None,
        option("--keep-data", metavar="FILE", help="Keep the squares as one .safetensors file."),
    ] = None
    quiet: Annotated[bool, option("--quiet", "-q", help="No progress on stderr.")] = False


@app.command()
@flatten
def train(
    task: Annotated[
        str,
        typer.Argument(
            help="super-resolve, segment-wound, compress or detect.", show_default=False
        ),
    ],
    own: TrainOptions,
) -> None:
    """Fit a model, or go on where a run was stopped.

    The learning rate always ends at its floor, by --minutes or by --steps. Repeat a command to
    continue a run that was stopped or killed. Several GPUs: torchrun --nproc-per-node N -m --
    resattn train ...

    Example: resattn train super-resolve --data photos/ --run runs/x4 --minutes 60
    """
    from resattn.pipelines import train as pipeline
    from resattn.training.config import TrainConfig

    try:
        config = TrainConfig(
            steps=own.steps,
            minutes=own.minutes,
            batch=own.batch,
            lr=own.lr,
            precision=own.precision,
            seed=own.seed,
        )
    except ValueError as error:
        raise UserError(str(error), "give --minutes or --steps") from error
    job = pipeline.TrainJob(
        task=task,
        data=own.data,
        run=own.run,
        config=config,
        settings=parse_settings(own.set_),
        side=own.side,
        folds=own.folds,
        fold=own.fold,
        device=own.device,
        init=own.init,
        provenance=pipeline.Provenance(
            own.name, own.data_name, own.data_licence, own.licence, shareable(sys.argv[1:])
        ),
        keep_data=own.keep_data,
    )
    stop = _Stop()
    _show(pipeline.train(job, stop=stop, tell=None if own.quiet else _tell), stop)


def shareable(words: list[str]) -> str:
    """The command as it was typed, each path by its last part.

    It is written into weights, which are given away; the folders of a machine are not.
    """
    return shlex.join(["resattn", *(_last_part(word) for word in words)])


def _last_part(word: str) -> str:
    flag, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    known = "/" in path and " " not in path
    return flag + equals + (PurePath(path).name if known else path)


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Nested settings of ``a.b=value`` texts; values are JSON where they read as such.

    Raises:
        UserError: A text has no ``=``, or one key is both a value and a group.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        *groups, last = key.split(".")
        place = settings
        for group in groups:
            place = place.setdefault(group, {}) if isinstance(place, dict) else {}
        if not equals or not isinstance(place, dict):
            raise UserError(f"--set {text!r} does not read key=value", "write: --set model.scale=2")
        try:
            place[last] = json.loads(value)
        except ValueError:
            place[last] = value
    return settings


class _Stop:
    """Ends the run after the current step at the first SIGINT or SIGTERM, at once at the second."""

    def __init__(self) -> None:
        self.signal = 0
        self._previous = {
            s: signal.signal(s, self._arrived) for s in (signal.SIGINT, signal.SIGTERM)
        }

    def __call__(self) -> bool:
        return self.signal != 0

    def _arrived(self, signum: int, _frame: FrameType | None) -> None:
        self.signal = signum
        for number, handler in self._previous.items():
            signal.signal(number, handler)


def _tell(line: dict[str, Any]) -> None:
    values = (f"{k} {v:.5g}" for k, v in line.items() if isinstance(v, float))
    typer.echo(f"{line['event']} step {line['step']}: {', '.join(values)}", err=True)


def _show(done: Trained, stop: _Stop) -> None:
    if not done.outcome.finished:
        typer.echo(
            f"stopped after step {done.outcome.steps}; repeat the command to go on", err=True
        )
        raise typer.Exit(Exit.INTERRUPTED if stop.signal == signal.SIGINT else Exit.TERMINATED)
    if done.entry is not None:
        typer.echo(done.weights)
        for metric, value in done.entry.metrics.items():
            typer.echo(f"  {metric}: {value:.4f}")
