"""What one process of a run made for the others: named arrays and a JSON value in one file.

Written and verified like every output, and read without running anything: no pickles.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from resattn.errors import ItemError
from resattn.io.atomic import make_folder, write_bytes

Array = NDArray[Any]

_ABOUT: Final = "about"


@dataclass(frozen=True, slots=True)
class Parcel:
    """The content of a file.

    Attributes:
        about: A JSON value, NaN and infinity allowed; its lists come back as tuples.
        arrays: By name, of plain numbers.
    """

    about: Any
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Makes the file; equal content gives equal bytes.

        Raises:
            OutputError: As `write_bytes`.
        """
        text = np.frombuffer(json.dumps(self.about).encode(), np.uint8)
        packed = io.BytesIO()
        np.savez(packed, **{**self.arrays, _ABOUT: text})  # type: ignore[arg-type]  # its options
        make_folder(path.parent)
        write_bytes(path, packed.getvalue(), overwrite=True)

    @classmethod
    def read(cls, path: Path) -> Parcel:
        """What `write` made.

        Raises:
            ItemError: E301, the file is gone or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as packed:
                arrays = {name: packed[name] for name in packed.files}
            about = json.loads(arrays.pop(_ABOUT).tobytes())
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ItemError(
                f"{path}, made by this run, is gone or damaged",
                "make it again: run the command with --resume",
                code="E301",
            ) from error
        return cls(_frozen(about), arrays)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(one) for key, one in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
