"""The `resattn` command: a group whose verbs are imported only when they are used.

`resattn --help` must answer within 150 ms of CPU time, so this module imports Typer and the
standard library alone; `tests/cli/test_startup.py` holds the line.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from resattn.cli.app import LightHelp
from resattn.cli.exits import Exit
from resattn.cli.stopping import Terminated, terminate
from resattn.cli.verbs import VERBS
from resattn.errors import ResattnError, ResourceError, UserError, is_out_of_memory
from resattn.version import __version__


class LazyGroup(TyperGroup):
    """Imports a verb's module when the verb is called, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (Click's signature)
        """Names in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The Click command of a verb, or None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = typer.main.get_command(importlib.import_module(VERBS[cmd_name].module).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Two lists, jobs first, from the table alone."""
        for title, job in (("Jobs", True), ("Around them", False)):
            with formatter.section(title):
                formatter.write_dl([(n, v.summary) for n, v in VERBS.items() if v.job is job])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Click does, with the nearest verbs named when there is no such verb."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib  # 10 ms that no other path needs

            close = difflib.get_close_matches(args[0], VERBS)
            known = f"did you mean {', '.join(close)}?" if close else f"one of {', '.join(VERBS)}."
            ctx.fail(f"no command {args[0]!r}: {known}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,  # its two options alone would import pydantic: half of the 150 ms
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_help_option=False,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"resattn {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    show_help: LightHelp = False,
) -> None:
    """Five image jobs on one residual-attention core, for files, folders and huge rasters.

    Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 an item failed,
    2 wrong usage, 3 a quality gate was not met, 130 and 143 interrupted.
    """


def run(argv: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits; expected errors become one sentence on stderr."""
    signal.signal(signal.SIGTERM, terminate)
    if "_RESATTN_COMPLETE" in os.environ:
        importlib.import_module("resattn.cli.completion").prepare()
    try:
        _refuse_empty(sys.argv[1:] if argv is None else argv)
        app(argv, prog_name="resattn")
    except ResattnError as error:
        report_error(error)
        sys.exit(error.exit_code)
    except Terminated:
        typer.echo("terminated: finished outputs are complete, nothing half-written", err=True)
        sys.exit(Exit.TERMINATED)
    except (BrokenPipeError, SystemExit) as stopped:
        # The reader of stdout left (`| head`): not an error of ours, though Click exits with 1.
        if isinstance(stopped, SystemExit) and not isinstance(stopped.__context__, BrokenPipeError):
            raise
        # Python would complain once more while flushing at exit, hence the redirect.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.OK)
    except (MemoryError, RuntimeError, ImportError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        report_error(ResourceError(f"out of memory: {error}", "free some memory", code="E501"))
        sys.exit(Exit.ITEM_FAILED)
    sys.exit(Exit.OK)


def _refuse_empty(argv: Sequence[str]) -> None:
    """Stops what an unset shell variable leaves: a path of no letters is the current folder.

    Raises:
        UserError: E208 if an argument is empty, or an option ends in its equals sign.
    """
    for before, text in itertools.pairwise(["resattn", *argv]):
        if not text or re.fullmatch(r"--[\w-]+=", text):
            raise UserError(
                f"the argument after {text or before} is empty, as an unset shell variable is",
                "give a value (. is the current folder), or leave the option out",
                code="E208",
            )


def report_error(error: ResattnError) -> None:
    """Writes `error[CODE] message — hint` to stderr, with control characters made visible."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(error))
    typer.echo(f"error[{error.code}] {text}", err=True)


if __name__ == "__main__":
    run()
