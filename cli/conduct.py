"""What every verb does after parsing: plan, run, present, report, exit."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer

from resattn.cli import present, talk
from resattn.cli.config_file import dump_config
from resattn.cli.exits import Exit
from resattn.cli.options import FileOptions, QualityOptions, TalkOptions
from resattn.errors import UserError
from resattn.pipelines import plan as planning
from resattn.pipelines import report
from resattn.pipelines.plan import Plan
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result, broken_gates
from resattn.pipelines.run import Work, execute


def conduct(
    ctx: typer.Context,
    files: FileOptions,
    quality: QualityOptions,
    voice: TalkOptions,
    job: Callable[[], tuple[Plan, Work, Mapping[str, Any]]],
) -> None:
    """Runs one verb from resolved options to exit code.

    Args:
        ctx: The verb's context, for ``--print-config`` and its name.
        files: Output policy.
        quality: References, reports and gates.
        voice: Form of the output.
        job: Makes the plan, the work on an item and the config; heavy imports happen in it.

    Raises:
        typer.Exit: With a code other than 0, see `Exit`.
    """
    if voice.print_config:
        typer.echo(dump_config(ctx), nl=False)
        return
    talk.start_logging(voice)
    if files.overwrite and files.skip_existing:
        raise UserError("--overwrite and --skip-existing exclude each other", "give one of them")
    report.check_paths(quality.report)
    with talk.traceback_if(voice.debug):
        plan, work, config = job()
        plan = planning.pair_references(plan, quality.reference, quality.pair)
    for path in plan.unmatched_references:
        logging.getLogger(__name__).warning("reference %s matches no input", path)
    if files.dry_run:
        typer.echo(plan.describe())
        return
    command = ctx.info_name or ""
    results = _collect(plan, work, voice, lambda done: report.Run(command, config, done), quality)
    gates = broken_gates(results, quality.fail_under, quality.fail_over)
    run = report.Run(command, config, results, gates)
    report.write(quality.report, run)
    if voice.format != "jsonl":
        present.show(run, voice.format)
    for sentence in gates:
        typer.echo(f"gate not met: {sentence}", err=True)
    _exit(results, gates)


def _collect(
    plan: Plan,
    work: Work,
    voice: TalkOptions,
    as_run: Callable[[list[Result]], report.Run],
    quality: QualityOptions,
) -> list[Result]:
    results: list[Result] = []
    try:
        for result in execute(plan, work, Progress(False if voice.quiet else voice.progress)):
            results.append(result)
            for warning in result.warnings:
                logging.getLogger(__name__).warning("%s: %s", result.name, warning)
            if result.error:
                typer.echo(result.error, err=True)
            if voice.format == "jsonl":
                present.show(as_run([result]), "jsonl")
    except BaseException:
        # Interrupted: what is finished stays finished and is reported.
        report.write(quality.report, as_run(results))
        again = shlex.join(["resattn", *sys.argv[1:], "--skip-existing"])
        typer.echo(f"stopped after {len(results)} items; continue with: {again}", err=True)
        raise
    return results


def _exit(results: list[Result], gates: list[str]) -> None:
    if any(result.status == "failed" for result in results):
        raise typer.Exit(Exit.ITEM_FAILED)
    if gates:
        raise typer.Exit(Exit.GATE_FAILED)
