"""`-` for image bytes: stdin as a file, and a file to stdout once it is complete."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from resattn.cli.options import FileOptions
from resattn.errors import UserError

_PIPE = "-"


@contextlib.contextmanager
def piped(inputs: Sequence[str], files: FileOptions) -> Iterator[tuple[list[str], FileOptions]]:
    """The inputs and output policy with ``-`` replaced by temporary files.

    Inside the block stdout is stderr where the output goes to stdout, so that nothing but the file
    reaches it; after an error nothing does.

    Raises:
        UserError: E208 if ``-`` stands beside other inputs, or stdout should take several files.
    """
    takes, gives = _PIPE in inputs, str(files.out) == _PIPE
    if not takes and not gives:
        yield list(inputs), files
        return
    if len(inputs) != 1 or Path(inputs[0]).is_dir():
        raise UserError(
            "- takes the bytes of one image", "give one input, or a folder as --out", code="E208"
        )
    with tempfile.TemporaryDirectory(prefix="resattn-") as name:
        folder = Path(name)
        source = folder / "stdin"
        if takes:
            with source.open("xb") as stream:
                shutil.copyfileobj(sys.stdin.buffer, stream)
        sources = [str(source)] if takes else list(inputs)
        if not gives:
            yield sources, files
            return
        out = folder / "out"
        with contextlib.redirect_stdout(sys.stderr):
            yield sources, replace(files, out=out)
        # A journal of the batch, where there is one, is hidden.
        for made in sorted(p for p in out.iterdir() if not p.name.startswith(".")):
            with made.open("rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
        sys.stdout.flush()
