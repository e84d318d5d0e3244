"""Frozen settings that survive a round trip through JSON and refuse what they do not know.

A mixer, a model and a pipeline are all described by one frozen dataclass derived from `Config`:
it can be written beside the weights, hashed into a journal, and read back years later.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Self, Union

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Base of every frozen settings class; fields are JSON scalars, tuples or other configs."""

    def to_dict(self) -> dict[str, Json]:
        """Plain JSON values, field by field in order of declaration."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def to_json(self) -> str:
        """One line of JSON; equal configs give equal text."""
        return json.dumps(self.to_dict(), separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """SHA-256 of the JSON text, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The config these values describe; absent keys take their default.

        Raises:
            ValueError: A key is unknown or missing, or a value has the wrong type.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        for key in data:
            if key not in fields:
                raise ValueError(f"{cls.__name__}: {unknown('key', key, fields)}")
        hints = typing.get_type_hints(cls)
        values = {key: _typed(value, hints[key], key) for key, value in data.items()}
        try:
            return cls(**values)
        except TypeError as error:  # a required key is absent
            raise ValueError(f"{cls.__name__}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The config written by `to_json`."""
        return cls.from_dict(json.loads(text))


def unknown(what: str, name: object, known: typing.Iterable[str]) -> str:
    """``unknown key 'heds'; did you mean 'heads'? known: dim, heads``."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=2)
    guess = f"; did you mean {' or '.join(map(repr, close))}?" if close else ";"
    return f"unknown {what} {name!r}{guess} known: {', '.join(names)}"


def _plain(value: Any) -> Json:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"a config holds JSON values, not {type(value).__name__}: {value!r}")


def _typed(value: Any, hint: Any, key: str) -> Any:
    """`value` as the annotation `hint` asks: lists become tuples, mappings become configs."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _first(value, options, key)
    if origin is Literal:
        if value not in options:
            raise ValueError(f"{key}: {unknown('choice', value, map(str, options))}")
        return value
    if origin is tuple:
        return _tuple(value, options, key)
    if isinstance(hint, type) and issubclass(hint, Config):
        return value if isinstance(value, hint) else hint.from_dict(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{key} must be {hint.__name__}, not {value!r}")
    return value


def _first(value: Any, options: tuple[Any, ...], key: str) -> Any:
    if value is None and types.NoneType in options:
        return None
    for option in options:
        if option is types.NoneType:
            continue
        try:
            return _typed(value, option, key)
        except ValueError as error:
            refusal = error
    raise refusal


def _tuple(value: Any, options: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} must be a list, not {value!r}")  # noqa: TRY004  # from a file
    if len(options) == 2 and options[1] is Ellipsis:
        return tuple(_typed(item, options[0], key) for item in value)
    if len(value) != len(options):
        raise ValueError(f"{key} must hold {len(options)} values, not {value!r}")
    return tuple(_typed(item, hint, key) for item, hint in zip(value, options, strict=True))
