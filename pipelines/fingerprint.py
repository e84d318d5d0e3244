"""What decides an output besides its inputs, as one hash: options, weights, code.

A unit counts as made only when this and the bytes of its inputs are what they were.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from resattn.hashing import file_sha256, json_sha256
from resattn.pipelines.report import environment
from resattn.weights.index import INDEX, packaged, personal

_WITHOUT_EFFECT: Final = {"overwrite", "ram", "threads", "tile"}
"""Options that may change between a run and its continuation: what to do after E501, mostly."""


def of_run(command: str, config: Mapping[str, Any]) -> str:
    """SHA-256 of everything but the inputs that can change what a run writes or measures.

    Args:
        command: The verb.
        config: Its resolved options.
    """
    decisive = {key: value for key, value in config.items() if key not in _WITHOUT_EFFECT}
    return json_sha256(
        {
            "command": command,
            "config": {key: _spelt(value) for key, value in decisive.items()},
            "weights": _weights(decisive.values()),
            "code": of_code(),
        }
    )


def of_unit(run: str, inputs: Iterable[str]) -> str:
    """SHA-256 of a unit: of its run and, in order, of the bytes it reads."""
    return json_sha256([run, *inputs])


@functools.cache
def of_code() -> str:
    """SHA-256 of our sources and of the versions of the libraries that compute for us."""
    digest = hashlib.sha256()
    for name in ("resattn", "resattn.pipelines"):
        (folder,) = import_module(name).__path__
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    versions = {name: text for name, text in environment().items() if name != "python"}
    return json_sha256([digest.hexdigest(), versions])


def _weights(options: Iterable[Any]) -> list[str]:
    """Hashes of the lists of weights, which hold those of their files, and of files named."""
    lists = [shelf.folder / INDEX for shelf in (packaged(), personal())]
    named = [Path(value) for value in options if isinstance(value, (str, Path))]
    files = [*lists, *(path for path in named if path.suffix == ".safetensors")]
    return [file_sha256(path) for path in files if path.is_file()]


def _spelt(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_spelt(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
