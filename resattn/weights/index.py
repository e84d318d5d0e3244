"""The list of weights: what each file is, where it comes from, and under what licence.

The package carries one index beside its files; weights a user imports or trains are listed in a
second one, in the user's data folder. Reading the lists needs no torch.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import platformdirs

from resattn.errors import WeightsError
from resattn.io.atomic import make_folder, write_bytes, write_text
from resattn.io.faultpoints import reach

INDEX = "index.json"
SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One file of weights.

    Attributes:
        name: How commands call it, such as ``super-resolve.fast.x4``.
        task: The verb it serves.
        file: File name, in the folder of the index.
        architecture: Key of `resattn.weights.architectures.ARCHITECTURES`.
        config: Settings of that architecture.
        sha256: Of the file.
        bytes: Size of the file.
        parameters: Number of values.
        data: What it was trained on.
        data_licence: Licence of that.
        licence: Licence of the weights.
        command: How to make them again.
        metrics: Measured quality, by "metric, data set".
    """

    name: str
    task: str
    file: str
    architecture: str
    config: Mapping[str, Any]
    sha256: str
    bytes: int
    parameters: int
    data: str
    data_licence: str
    licence: str
    command: str
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def commercial(self) -> bool:
        """Whether the licence allows commercial use."""
        return is_commercial(self.licence)


def is_commercial(licence: str) -> bool:
    """Whether a licence, as an SPDX name, allows commercial use."""
    return "-NC" not in licence.upper()


@dataclass(frozen=True)
class Shelf:
    """A folder of weights with its index."""

    folder: Path

    def entries(self) -> dict[str, Entry]:
        """The entries by name; none if there is no index yet.

        Raises:
            WeightsError: The index cannot be understood (E607).
        """
        path = self.folder / INDEX
        if not path.is_file():
            return {}
        try:
            reach("open")
            entries = _parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise WeightsError(
                f"cannot read the index {path}: {error!r}", "restore or delete it", code="E607"
            ) from error
        for entry in entries:
            if Path(entry.file).name != entry.file:
                raise WeightsError(
                    f"{path}: the file of {entry.name!r} leads elsewhere: {entry.file!r}",
                    "restore or delete the index",
                    code="E607",
                )
        return {entry.name: entry for entry in entries}

    def put(self, entry: Entry, data: bytes) -> Path:
        """Writes a file of weights and its entry, replacing one of the same name.

        Raises:
            OutputError: The folder cannot be written.
        """
        entries = self.entries() | {entry.name: entry}
        listing = [dataclasses.asdict(entries[name]) for name in sorted(entries)]
        document = json.dumps({"schema": SCHEMA, "weights": listing}, indent=2, ensure_ascii=False)
        make_folder(self.folder)
        # The file first: an index never names weights that are not there.
        write_bytes(self.folder / entry.file, data, overwrite=True)
        write_text(self.folder / INDEX, f"{document}\n", overwrite=True)
        return self.folder / entry.file


def packaged() -> Shelf:
    """The weights inside the package."""
    return Shelf(Path(str(resources.files("resattn.weights"))))


def personal() -> Shelf:
    """The user's weights: ``$RESATTN_HOME``, else the user's data folder."""
    folder = os.environ.get("RESATTN_HOME")
    return Shelf(Path(folder) if folder else platformdirs.user_data_path("resattn") / "weights")


def listed() -> dict[str, tuple[Shelf, Entry]]:
    """All weights by name; the user's take the place of the package's."""
    return {
        name: (shelf, entry)
        for shelf in (packaged(), personal())
        for name, entry in shelf.entries().items()
    }


def find(name: str) -> tuple[Shelf, Entry]:
    """The weights of that name.

    Raises:
        WeightsError: There are none (E600).
    """
    known = listed()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        raise WeightsError(
            f"no weights named {name!r}",
            f"did you mean {', '.join(close)}?" if close else "see: resattn weights list",
        )
    return known[name]


_KINDS = {"config": Mapping, "metrics": Mapping, "bytes": int, "parameters": int}
"""Of the fields of an entry; the others are texts."""


def _parse(text: str) -> list[Entry]:
    document = json.loads(text)
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']!r}, this version reads {SCHEMA}")
    entries = [Entry(**entry) for entry in document["weights"]]
    for entry in entries:
        for key, value in vars(entry).items():
            if not isinstance(value, _KINDS.get(key, str)):
                raise TypeError(f"{key} of {entry.name!r} is {value!r}")
    return entries
