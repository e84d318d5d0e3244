"""How a verb module makes its Typer app, and how groups of shared options enter a signature."""

from __future__ import annotations

import functools
import inspect
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _show_help(ctx: typer.Context, value: bool) -> None:
    if value:
        typer.echo(ctx.get_help())
        raise typer.Exit


LightHelp = Annotated[
    bool,
    typer.Option(
        "--help",
        "-h",
        is_eager=True,
        callback=_show_help,
        help="Show this message.",
        show_envvar=False,
    ),
]
"""Replaces Click's own help flag where start-up counts.

Typer coerces Click's flag, whose value is None, through pydantic, which costs more CPU time than
everything else `resattn info` does; a flag with a boolean default is passed through.
"""


def verb_app(**settings: Any) -> typer.Typer:
    """An app set up the way every verb is: plain help, and `RESATTN_<OPTION>` as defaults."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "auto_envvar_prefix": "RESATTN",
            "max_content_width": 100,
        },
        **settings,
    )


def flatten(function: Callable[..., None]) -> Callable[..., None]:
    """A callback in which every dataclass parameter appears as one option per field.

    Shared options are written once, as frozen dataclasses in `resattn.cli.options`; a verb names
    the groups it takes and receives them as objects.

    Args:
        function: The verb. Parameters annotated with a dataclass are the groups.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @functools.wraps(function)
    def call(**values: Any) -> None:
        arguments: dict[str, Any] = {
            name: group(**{f.name: values.pop(f.name) for f in fields(group)})  # type: ignore[operator]  # a dataclass is a class here
            for name, group in groups.items()
        }
        function(**values, **arguments)

    parameters = list(_flattened(inspect.signature(function), hints, groups))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _flattened(
    signature: inspect.Signature, hints: dict[str, Any], groups: dict[str, Any]
) -> Iterator[inspect.Parameter]:
    for parameter in signature.parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            yield parameter.replace(
                annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY
            )
            continue
        yield from _options_of(group)


@functools.cache
def _options_of(group: type) -> tuple[inspect.Parameter, ...]:
    """One parameter per field of a group; most groups are taken by every verb."""
    hints = get_type_hints(group, include_extras=True)
    return tuple(
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in fields(group)
    )


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default
