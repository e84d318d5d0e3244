"""What every verb does after parsing: plan, run, present, report, exit."""

from __future__ import annotations

import contextlib
import gc
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import typer

from resattn.cli import present, stopping, talk
from resattn.cli.config_file import dump_config
from resattn.cli.exits import Exit
from resattn.cli.options import FileOptions, QualityOptions, ReportOptions, TalkOptions
from resattn.pipelines import batch as batching
from resattn.pipelines import dry_run, report
from resattn.pipelines import plan as planning
from resattn.pipelines.batch import Order, Share
from resattn.pipelines.division import Division, divisions, joined, without
from resattn.pipelines.plan import Plan
from resattn.pipelines.portable import Work
from resattn.pipelines.progress import Progress
from resattn.pipelines.result import Result, broken_gates
from resattn.pipelines.run import execute

log = logging.getLogger(__name__)

Job = Callable[[], tuple[Plan, Work, Mapping[str, Any]]]
Whole = Callable[[Sequence[Result]], Result | None]


def conduct(
    ctx: typer.Context,
    files: FileOptions,
    quality: QualityOptions,
    voice: TalkOptions,
    job: Job,
    whole: Whole | None = None,
) -> None:
    """Runs one verb from resolved options to exit code.

    Args:
        ctx: The verb's context, for ``--print-config`` and its name.
        files: Output policy, and who does the work.
        quality: References, reports and gates.
        voice: Form of the output.
        job: Makes the plan, the work on an item and the config; heavy imports happen in it.
        whole: Makes one more result of those of all items, where there is something to say.

    Raises:
        typer.Exit: With a code other than 0, see `Exit`.
    """
    if voice.print_config:
        typer.echo(dump_config(ctx), nl=False)
        return
    talk.start_logging(voice)
    files.check()
    report.check_paths(quality.report)
    with talk.traceback_if(voice.debug), _uncollected():
        plan, work, config = job()
        plan = planning.pair_references(plan, quality.reference, quality.pair)
        order = _order(ctx.info_name or "", config, files, quality)
        share = batching.share(plan, order)
    for path in plan.unmatched_references:
        log.warning("reference %s matches no input", path)
    divided = list(divisions(plan, share, order, work))
    if files.dry_run:
        typer.echo(dry_run.describe(share, order, work, divided))
        return
    manner = _Manner(voice, quality, files.grace)
    share, results = _stripped(share, divided, work, manner)
    results += _collected(share, order, work, manner)
    for division in divided:
        if any(result.outputs[:1] == (division.item.output,) for result in results):
            division.remove()
    # A shard's part says nothing of the whole: `--resume` without `--shard` does, afterwards.
    together = None if whole is None or files.shard else whole(results)
    if together is not None:
        results.append(together)
        say(together, _as_run(order, [together]), voice)
    conclude(_as_run(order, results), quality, voice)


def conclude(run: report.Run, quality: ReportOptions, voice: TalkOptions) -> None:
    """Reports a finished run, shows it and exits by it.

    Raises:
        typer.Exit: An item failed or a gate is broken.
    """
    gates = broken_gates(run.results, quality.fail_under, quality.fail_over)
    run = report.Run(run.command, run.config, run.results, gates)
    report.write(quality.report, run)
    if voice.format != "jsonl":
        present.show(run, voice.format)
    for sentence in gates:
        typer.echo(f"gate not met: {sentence}", err=True)
    if any(result.status == "failed" for result in run.results):
        raise typer.Exit(Exit.ITEM_FAILED)
    if gates:
        raise typer.Exit(Exit.GATE_FAILED)


def say(result: Result, run: report.Run, voice: TalkOptions) -> None:
    """What is said of an item as soon as it is its turn."""
    for warning in result.warnings:
        log.warning("%s: %s", result.name, warning)
    if result.error:
        typer.echo(result.error, err=True)
    if voice.format == "jsonl":
        present.show(run, "jsonl")


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """What is made meanwhile is never searched for garbage.

    Importing torch makes half a million objects that stay to the end: searching them took .2 CPU
    seconds on the way in and .3 at exit.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _order(
    command: str, config: Mapping[str, Any], files: FileOptions, quality: QualityOptions
) -> Order:
    return Order(
        command=command,
        # What the user said, and not what the writers were told so that it can be done.
        config={**config, "overwrite": files.overwrite},
        out=files.out,
        overwrite=files.overwrite,
        resume=files.resume,
        workers=files.workers,
        shard=files.shard,
        scheduler=files.scheduler,
        time_limit=files.time_limit,
        hashes=bool(quality.report),
    )


def _as_run(order: Order, results: list[Result]) -> report.Run:
    return report.Run(order.command, order.config, results)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a run is told, where it is reported if it ends early, and how long it may go on then."""

    voice: TalkOptions
    quality: QualityOptions
    grace: float
    aloud: bool = True


def _stripped(
    share: Share, divided: Sequence[Division], work: Work, manner: _Manner
) -> tuple[Share, list[Result]]:
    """Makes the strips; what is left to do, and the results there are: failures, a shard's part."""
    results = []
    for division in divided:
        is_part = division.share.shard.count > 1
        quietly = replace(manner, quality=replace(manner.quality, report=[]), aloud=is_part)
        for stage in division.stages:
            made = _collected(stage, division.order, work, quietly)
            failure = division.failure(made)
            if failure is not None:
                break
        if is_part:
            results += made
        elif failure is not None:
            results.append(failure)
            _say(failure, division.order, manner)
        if is_part or failure is not None:
            share = without(share, division.item)
    return joined(share, divided), results


def _collected(share: Share, order: Order, work: Work, manner: _Manner) -> list[Result]:
    """The results, said one by one; at a signal, those there are, reported before it acts."""
    voice = manner.voice
    progress = Progress(False if voice.quiet else voice.progress)
    results: list[Result] = []
    everything = len(share.plan.items) + len(share.plan.skipped)
    with (
        # With one item there is nothing to go on with afterwards.
        stopping.on_request(manner.grace if len(share.plan.items) > 1 else 0) as request,
        batching.opened(share, order, request.asked) as batch,
    ):
        try:
            # Closed at once when an error passes: workers must not outlive the run.
            with contextlib.closing(execute(share.plan, work, progress, batch)) as made:
                for result in made:
                    results.append(result)
                    _say(result, order, manner)
            if len(results) < everything:
                request.fulfil()
        except BaseException:
            # Interrupted: what is finished stays finished and is reported.
            report.write(manner.quality.report, _as_run(order, results))
            typer.echo(
                f"stopped after {len(results)} of {everything} items; "
                f"continue with: {_continuation(share)}",
                err=True,
            )
            raise
    return results


def _say(result: Result, order: Order, manner: _Manner) -> None:
    if manner.aloud:
        say(result, _as_run(order, [result]), manner.voice)


def _continuation(share: Share) -> str:
    """The command that makes what is missing: by the journal, where there is one."""
    told = sys.argv[1:]
    if not {"--resume", "--skip-existing"} & set(told):
        told = [*told, "--resume" if share.journaled else "--skip-existing"]
    return shlex.join(["resattn", *told])
