"""Every option that more than one verb takes, once: its flag, default, meaning and check.

The same word is the flag, the key of a --config file, the key in the report and the argument of
the Python function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from resattn.cli.config_file import load_config
from resattn.errors import UserError
from resattn.pipelines.compute_config import Precision as Precision
from resattn.pipelines.memory import parse_bytes

Format = Literal["text", "json", "jsonl", "csv"]


def option(*names: str, help: str, **settings: Any) -> Any:
    """A Typer option in the house style: no environment variable in its help line."""
    return typer.Option(*names, help=help, show_envvar=False, **settings)


Pictures = Annotated[
    list[str],
    typer.Argument(
        help="Photographs or rasters: files, folders, globs, @list or -.", show_default=False
    ),
]

MaxPixels = Annotated[
    int,
    option(
        "--max-pixels",
        metavar="N",
        min=0,
        help="Most pixels an input may claim; 0 takes the limit of its format.",
    ),
]


TimeLimit = Annotated[
    float,
    option(
        "--time-limit",
        metavar="SECONDS",
        min=0,
        help="Give an item up after so long, and go on with the next; 0: never.",
    ),
]


def parse_ram(text: str) -> str:
    """The size itself once it is known to be one; the pipeline turns it into bytes."""
    parse_bytes(text)
    return text


def parse_device(text: str) -> str:
    """The device name when it has a form torch knows.

    Raises:
        typer.BadParameter: It has not.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise typer.BadParameter(f"{text!r} is not one of auto, cpu, cuda, cuda:N, mps")
    return text


def parse_gate(text: str) -> str:
    """The text itself when it reads ``metric=value`` or ``mean.metric=value``.

    Raises:
        typer.BadParameter: It does not.
    """
    name, _, value = text.partition("=")
    try:
        float(value)
    except ValueError:
        name = ""
    if not re.fullmatch(r"(mean\.)?[a-z][a-z0-9_]*", name):
        raise typer.BadParameter(f"{text!r} does not read metric=value, for example ergas=3.5")
    return text


def parse_gates(texts: list[str]) -> list[str]:
    """`parse_gate` over a repeatable option."""
    return [parse_gate(text) for text in texts]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Where outputs go, what may happen to files already there, and who makes them."""

    out: Annotated[
        Path,
        option(
            "--out",
            "-o",
            metavar="OUT",
            help="Output file for one input with a file-like OUT, else a folder.",
        ),
    ]
    recursive: Annotated[bool, option(help="Descend into sub-folders of a folder input.")] = True
    include: Annotated[
        str,
        option(
            "--include", metavar="GLOB", help="Glob that file names of a folder input must match."
        ),
    ] = "*"
    overwrite: Annotated[bool, option("--overwrite", help="Replace existing outputs.")] = False
    skip_existing: Annotated[
        bool, option("--skip-existing", help="Leave items alone whose output exists.")
    ] = False
    resume: Annotated[
        bool,
        option(
            "--resume", help="Make only what is not proven, by hashes, to be made of these inputs."
        ),
    ] = False
    dry_run: Annotated[
        bool, option("--dry-run", help="Print what would be read and written, then stop.")
    ] = False
    workers: Annotated[
        int,
        option(
            "--workers",
            metavar="N",
            min=0,
            help="Processes that share the items; 0 takes one per CPU.",
        ),
    ] = 1
    shard: Annotated[
        str,
        option(
            "--shard",
            metavar="I/N",
            help="Do part I of N; auto asks Slurm or AWS Batch, auto/N Kubernetes.",
        ),
    ] = ""
    scheduler: Annotated[
        str,
        option(
            "--scheduler",
            metavar="CLUSTER",
            help="Dask workers: tcp://HOST:PORT, local:N or a scheduler file.",
        ),
    ] = ""
    time_limit: TimeLimit = 0.0
    grace: Annotated[
        float,
        option(
            "--grace",
            metavar="SECONDS",
            min=0,
            help="What items in hand get to finish after SIGINT or SIGTERM.",
        ),
    ] = 0.5

    @property
    def replaces(self) -> bool:
        """Whether writers may replace files; `conduct` sees to it that these are the run's own."""
        return self.overwrite or self.resume or bool(self.shard)

    def placement(self) -> dict[str, Any]:
        """What every pipeline's ``plan`` wants to know of these."""
        return {
            "include": self.include,
            "recursive": self.recursive,
            "overwrite": self.replaces,
            "skip_existing": self.skip_existing,
        }

    def check(self) -> None:
        """Refuses what cannot be meant.

        Raises:
            UserError: Options exclude each other.
        """
        for name in ("overwrite", "resume"):
            if self.skip_existing and getattr(self, name):
                raise UserError(
                    f"--{name} and --skip-existing exclude each other", "give one of them"
                )
        if self.scheduler and self.workers != 1:
            raise UserError("--scheduler and --workers exclude each other", "give one of them")
        if self.scheduler and self.time_limit:
            raise UserError(
                "--scheduler and --time-limit exclude each other: Dask cannot end one task",
                "give one of them",
            )


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """How the work is done; none of these changes what is computed beyond rounding."""

    device: Annotated[
        str,
        option(
            "--device",
            metavar="DEVICE",
            help="auto, cpu, cuda, cuda:N or mps.",
            callback=parse_device,
        ),
    ] = "auto"
    precision: Annotated[Precision, option("--precision", help="Arithmetic of the network.")] = (
        "fp32"
    )
    tile: Annotated[
        int,
        option(
            "--tile",
            metavar="PIXELS",
            min=0,
            help="Tile edge in output pixels; 0 fits it to --ram.",
        ),
    ] = 0
    overlap: Annotated[
        int,
        option(
            "--overlap",
            metavar="PIXELS",
            min=0,
            help="Overlap added beyond the halo the method needs.",
        ),
    ] = 0
    ram: Annotated[
        str,
        option(
            "--ram", metavar="SIZE", help="Memory to plan for, for example 2GB.", callback=parse_ram
        ),
    ] = "2GB"
    threads: Annotated[
        int,
        option(
            "--threads", metavar="N", min=0, help="CPU threads; 0 takes all the process may use."
        ),
    ] = 0
    seed: Annotated[
        int, option("--seed", metavar="N", min=0, help="Seed of everything random.")
    ] = 0


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What is told of a run besides its results, and when the shell should hear of it."""

    report: Annotated[
        list[Path],
        option(
            "--report", metavar="FILE", help="Write a report, .json, .csv or .html; repeatable."
        ),
    ] = field(default_factory=list)
    fail_under: Annotated[
        list[str],
        option(
            "--fail-under",
            metavar="METRIC=VALUE",
            help="Exit 3 when an item's metric is below; mean.METRIC: when the mean is.",
            callback=parse_gates,
        ),
    ] = field(default_factory=list)
    fail_over: Annotated[
        list[str],
        option(
            "--fail-over",
            metavar="METRIC=VALUE",
            help="Exit 3 when an item's metric is above; mean.METRIC: when the mean is.",
            callback=parse_gates,
        ),
    ] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class QualityOptions(ReportOptions):
    """What is measured, and against what."""

    reference: Annotated[
        Path | None,
        option(
            "--reference", "--ref", metavar="PATH", help="Reference file, or folder paired by name."
        ),
    ] = None
    pair: Annotated[
        str,
        option(
            "--pair",
            metavar="REGEX",
            help="Regular expression; its first group pairs an input with a reference.",
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class TalkOptions:
    """How results and progress are shown, and where options come from."""

    format: Annotated[Format, option("--format", help="Form of the result on stdout.")] = "text"
    progress: Annotated[
        bool | None,
        option("--progress/--no-progress", help="Progress on stderr; default: on a terminal."),
    ] = None
    quiet: Annotated[bool, option("--quiet", "-q", help="No messages but errors.")] = False
    verbose: Annotated[bool, option("--verbose", "-v", help="Say what is done.")] = False
    log_file: Annotated[
        Path | None, option("--log-file", metavar="FILE", help="Append messages to this file.")
    ] = None
    debug: Annotated[bool, option("--debug", help="Show the traceback of an error.")] = False
    config: Annotated[
        Path | None,
        option(
            "--config",
            metavar="FILE",
            help="TOML file of defaults; flags and RESATTN_<OPTION> win over it.",
            is_eager=True,
            callback=load_config,
        ),
    ] = None
    print_config: Annotated[
        bool, option("--print-config", help="Print the resolved options as TOML, then stop.")
    ] = False
