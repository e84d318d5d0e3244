"""The one way out: every file the program writes is staged, verified and renamed here.

A reader never sees half a file. The bytes go to a temporary beside the target, are synced, read
back and compared, and only then take the target's name; on any error the temporary is removed and
an older target is left as it was.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from resattn.errors import OutputError
from resattn.io.claim import LOCK, claim, give_back, release, take
from resattn.io.faultpoints import reach
from resattn.io.names import beside, shown

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP),
)


def check_target(target: Path, *, inputs: Iterable[Path] = (), overwrite: bool = False) -> None:
    """Refuse, before any work, a target that cannot or must not be written.

    Args:
        target: The file to be made.
        inputs: Files being read; the target may be none of them, whatever its spelling.
        overwrite: Accept that the target exists.

    Raises:
        OutputError: E402 if the folder is missing or read-only or the target is a folder, E403 if
            the target is one of the inputs, E404 if it exists and `overwrite` is false.
    """
    with reporting(target):  # a name may be too long even to ask about
        _check_target(target, inputs, overwrite)


def _check_target(target: Path, inputs: Iterable[Path], overwrite: bool) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(f"{shown(folder)} is not a folder", "create it first", code="E402")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"the folder {shown(folder)} cannot be written to", "choose another -o", code="E402"
        )
    if target.is_dir():
        raise OutputError(f"{shown(target)} is a folder", "name a file", code="E402")
    for source in inputs:
        if target.exists() and source.exists() and target.samefile(source):
            raise OutputError(
                f"the output {shown(target)} is the input {shown(source)}",
                "choose another name",
                code="E403",
            )
    if not overwrite and os.path.lexists(target):
        raise OutputError(
            f"{shown(target)} exists", "choose another name or pass --overwrite", code="E404"
        )


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it, where they are missing.

    Raises:
        OutputError: E402 if that is not allowed, or a file is in the way; E401 if the disk fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        full = error.errno in _FULL
        raise OutputError(
            f"cannot make the folder {shown(folder)}: {error.strerror}",
            "free some space" if full else "choose another folder",
            code="E401" if full else "E402",
        ) from error


@contextmanager
def reporting(target: Path) -> Iterator[None]:
    """Turn a failing system call inside the block into an `OutputError` about `target`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            hint, code = "free some space or choose another disk with -o", "E401"
        elif error.errno in _DENIED:
            hint, code = "check the name, the folder and its permissions", "E402"
        else:
            hint, code = "check the disk", "E401"
        raise OutputError(f"cannot write {shown(target)}: {reason}", hint, code=code) from error


class StagedFile:
    """A temporary beside `target` that takes its name on leaving the block without an error.

    The body creates and fills `temporary`, and verifies what it wrote; an exception in the body
    removes it. What a killed run leaves behind is removed by `remove_stale`.

    Args:
        target: The file to be made.
        inputs: Files being read, none of which may be the target.
        overwrite: Replace the target if it exists.

    Raises:
        OutputError: As `check_target` says; E401 if the disk is full or fails, E405 if another
            run is making the same file.
    """

    def __init__(
        self, target: Path, *, inputs: Iterable[Path] = (), overwrite: bool = False
    ) -> None:
        self.target = target
        self.overwrite = overwrite
        self.inputs = tuple(inputs)
        self.temporary = temporary_name(target)
        self._lock: int | None = None

    def __enter__(self) -> Self:
        check_target(self.target, inputs=self.inputs, overwrite=self.overwrite)
        try:
            with reporting(self.target):
                self._lock = claim(self.target)
                self.temporary.unlink(missing_ok=True)
        except BaseException:
            release(self.target, self._lock)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with reporting(self.target):
                    self._commit()
        finally:
            self.temporary.unlink(missing_ok=True)
            release(self.target, self._lock)

    def _commit(self) -> None:
        descriptor = os.open(self.temporary, os.O_RDONLY)
        try:
            reach("fsync")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not self.overwrite and os.path.lexists(self.target):
            raise OutputError(
                f"{shown(self.target)} appeared while it was being made",
                "choose another name or pass --overwrite",
                code="E404",
            )
        reach("replace")
        self.temporary.replace(self.target)
        _sync_folder(self.target.parent)


def temporary_name(target: Path, purpose: str = "") -> Path:
    """Where this process stages `target` while it holds the claim on it, for `remove_stale`."""
    return beside(target, f".part-{_host()}-{os.getpid()}{purpose}")


def remove_stale(folder: Path) -> list[Path]:
    """Remove what killed runs on this machine left in `folder`; returns it.

    A temporary is left over if nobody holds the lock on its target, whoever has its writer's
    process id by now; where the file system has no locks, if no process has. What cannot be removed
    is passed over with a warning, since nothing depends on it.
    """
    removed: list[Path] = []
    try:
        for lock, found in _staged_in(folder).items():
            removed += _swept(lock, found)
    except FileNotFoundError:
        return removed
    except OSError as error:
        logger.warning("could not tidy up %s: %s", shown(folder), error)
    return removed


def _staged_in(folder: Path) -> dict[Path, dict[Path, int]]:
    """By lock file, the temporaries of this machine with their process ids, and the file itself."""
    pattern = re.compile(rf"(.*)\.part-(?:{re.escape(_host())}-(\d+).*|lock)", re.DOTALL)
    found: dict[Path, dict[Path, int]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := pattern.fullmatch(entry.name):
                lock = folder / f"{match[1]}{LOCK}"
                found.setdefault(lock, {})[folder / entry.name] = int(match[2] or 0)
    return found


def _swept(lock: Path, found: dict[Path, int]) -> list[Path]:
    try:
        descriptor = take(lock)
    except BlockingIOError:
        return []
    try:
        if descriptor is None:
            found = {path: pid for path, pid in found.items() if not (pid and _is_running(pid))}
        for path in found.keys() - {lock}:
            path.unlink(missing_ok=True)
    finally:
        give_back(lock, descriptor)
    return list(found)


def write_bytes(
    target: Path, data: bytes, *, inputs: Iterable[Path] = (), overwrite: bool = False
) -> None:
    """Make `target` hold exactly `data`, or leave everything as it was.

    Raises:
        OutputError: E401 if the disk is full, fails or gives back other bytes; E402–E405 as
            `StagedFile` says.
    """
    with StagedFile(target, inputs=inputs, overwrite=overwrite) as staged:
        with reporting(target):
            reach("open")
            with staged.temporary.open("xb") as stream:
                reach("write")
                stream.write(data)
            reach("read")
            written = staged.temporary.read_bytes()
        if written != data:
            raise OutputError(
                f"{shown(target)} did not read back as written",
                "check the disk and its free space",
                code="E401",
            )


def write_text(target: Path, text: str, *, overwrite: bool = False) -> None:
    """Make `target` hold `text` in UTF-8; undecodable bytes of file names appear escaped."""
    write_bytes(target, text.encode("utf-8", "backslashreplace"), overwrite=overwrite)


def write_json(target: Path, value: Any, *, overwrite: bool = False) -> None:
    """Make `target` hold a JSON value, indented, keys in the given order.

    Raises:
        ValueError: If the value holds NaN or infinity; say None instead.
        OutputError: As `write_bytes`.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(target, text + "\n", overwrite=overwrite)


def write_csv(
    target: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    overwrite: bool = False,
) -> None:
    """Make `target` hold a comma-separated table (RFC 4180 quoting, LF line ends)."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    write_text(target, text.getvalue(), overwrite=overwrite)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", os.uname().nodename)[:40]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    # The file is complete and in place; only its survival of a power cut hangs on this, and some
    # network file systems cannot sync a folder at all.
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        logger.warning("could not sync the folder %s: %s", shown(folder), error)
