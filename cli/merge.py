"""`resattn merge`: one report from the journals of several shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resattn.cli.app import flatten, verb_app
from resattn.cli.options import ReportOptions, TalkOptions, option

app = verb_app()


@app.command()
@flatten
def merge(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The --out of the run.", show_default=False)
    ],
    told: ReportOptions,
    voice: TalkOptions,
    verb: Annotated[
        str, option("--verb", metavar="NAME", help="The verb; by default the one that ran last.")
    ] = "",
) -> None:
    """Report the shards of a run as one.

    Reads the journals that `--shard` left in OUT/.resattn, and refuses while a shard is missing or
    unfinished, with the command that completes it. Report, gates and exit code are those of one
    process that had done everything.

    Example: resattn merge out/ --report out/report.json
    """
    from resattn.cli import conduct, talk
    from resattn.cli.config_file import dump_config
    from resattn.pipelines import report
    from resattn.pipelines.merge import merge as merged

    if voice.print_config:
        typer.echo(dump_config(ctx), nl=False)
        return
    talk.start_logging(voice)
    report.check_paths(told.report)
    run = merged(out, verb)
    for result in run.results:
        conduct.say(result, report.Run(run.command, run.config, [result]), voice)
    conduct.conclude(run, told, voice)
