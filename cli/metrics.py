"""`resattn metrics`: outputs of any tool against references."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from resattn.cli import talk
from resattn.cli.app import flatten, verb_app
from resattn.cli.config_file import dump_config
from resattn.cli.options import (
    MaxPixels,
    QualityOptions,
    TalkOptions,
    TimeLimit,
    option,
)
from resattn.errors import UserError

app = verb_app()


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """What the verb alone takes; the fields are those of `MetricsConfig`."""

    task: Annotated[
        str,
        option(
            "--task",
            metavar="TASK",
            help="Measures of pansharpen, super-resolve, segment-wound, compress or detect.",
        ),
    ] = ""
    metric: Annotated[
        str,
        option("--metric", metavar="NAMES", help="These measures instead: psnr,ssim."),
    ] = ""
    ratio: Annotated[
        float,
        option("--ratio", metavar="N", min=0, help="MS over PAN pixel size; ERGAS needs it."),
    ] = 0.0
    peak: Annotated[
        float,
        option("--peak", metavar="VALUE", min=0, help="The value that is white; 0 finds it."),
    ] = 0.0
    border: Annotated[
        int,
        option(
            "--border",
            metavar="PIXELS",
            min=-1,
            help="Edge that luma scores leave out; -1: the enlargement of --source, else none.",
        ),
    ] = -1
    baselines: Annotated[
        bool, option(help="Measure interpolation of --source, or an empty mask, beside it.")
    ] = True
    source: Annotated[
        Path | None,
        option(
            "--source",
            metavar="PATH",
            help="What the outputs were made from: a file, or a folder paired by name.",
        ),
    ] = None
    score: Annotated[
        float,
        option(
            "--score",
            metavar="P",
            min=0,
            max=1,
            help="Least score of the boxes that precision, recall and F1 count.",
        ),
    ] = 0.5
    partial: Annotated[
        bool, option("--partial", help="Measure the pairs there are, when some are not.")
    ] = False
    max_pixels: MaxPixels = 0


@dataclass(frozen=True, slots=True)
class InputOptions:
    """Which files are measured; nothing is written."""

    recursive: Annotated[bool, option(help="Descend into sub-folders of a folder input.")] = True
    include: Annotated[
        str,
        option(
            "--include", metavar="GLOB", help="Glob that file names of a folder input must match."
        ),
    ] = "*"
    dry_run: Annotated[
        bool, option("--dry-run", help="Print which file is held against which, then stop.")
    ] = False
    workers: Annotated[
        int,
        option(
            "--workers",
            metavar="N",
            min=0,
            help="Processes that share the pairs; 0 takes one per CPU.",
        ),
    ] = 1
    time_limit: TimeLimit = 0.0


@app.command()
@flatten
def metrics(
    ctx: typer.Context,
    outputs: Annotated[
        list[str],
        typer.Argument(
            help="Files to judge, of any tool: files, folders, globs, @list or -.",
            show_default=False,
        ),
    ],
    own: MetricsOptions,
    files: InputOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Measure outputs of any tool against references.

    Files are paired by name, sub-folder by sub-folder, never by their order; a file without a
    partner stops the run unless --partial is given. Means come with 95 % bootstrap intervals.

    Example: resattn metrics out/ --reference truth/ --task super-resolve --source small/
    """
    if voice.print_config:
        typer.echo(dump_config(ctx), nl=False)
        return
    talk.start_logging(voice)
    with talk.traceback_if(voice.debug):
        _measure(outputs, own, files, quality, voice)


def _measure(
    outputs: list[str],
    own: MetricsOptions,
    files: InputOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Plans, measures, reports and exits; unlike a job it has no output to guard or resume."""
    from resattn.cli import conduct
    from resattn.pipelines import metrics as pipeline
    from resattn.pipelines import report
    from resattn.pipelines.ahead import available_threads
    from resattn.pipelines.progress import Progress
    from resattn.pipelines.run import Batch, execute

    if quality.reference is None:
        raise UserError("nothing to compare with", "give --reference FILE or FOLDER", code="E206")
    report.check_paths(quality.report)
    config = pipeline.MetricsConfig(**asdict(own))
    work = pipeline.work(config)
    plan = pipeline.plan(
        outputs,
        quality.reference,
        config,
        pair=quality.pair,
        include=files.include,
        recursive=files.recursive,
    )
    if files.dry_run:
        typer.echo(plan.describe())
        return
    progress = Progress(False if voice.quiet else voice.progress)
    run = report.Run("metrics", asdict(config), [])
    results = []
    for result in execute(
        plan,
        work,
        progress,
        Batch(workers=files.workers or available_threads(), time_limit=files.time_limit),
    ):
        results.append(result)
        conduct.say(result, replace(run, results=[result]), voice)
    conduct.conclude(replace(run, results=results), quality, voice)
