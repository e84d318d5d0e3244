"""Options from a TOML file, and the resolved options back as one.

Precedence is flag > `RESATTN_<OPTION>` > file > default. Click's `default_map` gives exactly
that, so the file becomes the map and nothing else needs to know.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from resattn.errors import UserError

_NEVER_IN_FILE = {"config", "print_config", "inputs", "help"}


def load_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Makes the file's keys the defaults of the running command.

    Keys stand at the top level or under a table named after the verb, with dashes or underscores.

    Raises:
        UserError: The file cannot be read, is not TOML, or has a key that is no option.
    """
    if path is None or ctx.resilient_parsing:
        return path
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"--config {path}: {error.strerror}", "name a readable TOML file", code="E201"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path}: {error}", "mend the TOML", code="E201") from error
    verb = ctx.info_name or ""
    table = document.pop(verb, {})
    known = {p.name: p for p in ctx.command.params if p.name and p.name not in _NEVER_IN_FILE}
    values = {key.replace("-", "_"): value for key, value in {**document, **table}.items()}
    for key, value in list(values.items()):
        if isinstance(value, dict):  # another verb's table: one file may serve several verbs
            del values[key]
        elif key not in known:
            import difflib

            close = difflib.get_close_matches(key, known, n=3)
            hint = f"did you mean {', '.join(close)}?" if close else f"see resattn {verb} --help"
            raise UserError(f"--config {path}: unknown key {key!r}", hint, code="E201")
        elif value in ("", [""]) and known[key].default != "":  # a path: the current folder
            raise UserError(
                f"--config {path}: {key} is empty", "give a value, or leave it out", code="E201"
            )
    ctx.default_map = {**(ctx.default_map or {}), **values}
    return path


def dump_config(ctx: typer.Context) -> str:
    """The resolved options of the running command as TOML, ready for `--config`."""
    lines = [
        f"{name.replace('_', '-')} = {_toml(value)}"
        for name, value in sorted(ctx.params.items())
        if name not in _NEVER_IN_FILE and value is not None
    ]
    return f"[{ctx.info_name}]\n" + "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(str(value))  # a JSON string is a TOML basic string
