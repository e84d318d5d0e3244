"""One writer per output: the right to make a file, which ends with the process that holds it.

A lock of the system on an empty file beside the target. It needs no record of who holds it, since
the system frees it when the process dies, however it dies; an empty file that is left over then
locks nobody out and is swept up by `resattn.io.atomic.remove_stale`.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from resattn.errors import OutputError
from resattn.io.names import beside, shown

LOCK = ".part-lock"
"""Ending of the names of lock files."""


def claim(target: Path) -> int | None:
    """The lock on `target`, for `release`; None where the file system has no locks.

    Raises:
        OutputError: Another run holds it (E405).
        OSError: The folder cannot be written.
    """
    while True:
        descriptor = os.open(_lock_file(target), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            current = _is_current(target, descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OutputError(
                f"another run is writing {shown(target)}",
                "wait for it, or choose another name",
                code="E405",
            ) from error
        except OSError:  # some network file systems
            release(target, descriptor)
            return None
        except BaseException:  # a signal
            release(target, descriptor)
            raise
        if current:
            return descriptor
        os.close(descriptor)  # who held it removed the file between our open and our lock


def release(target: Path, descriptor: int | None) -> None:
    """Give the lock back and remove its file."""
    if descriptor is None:
        return
    _lock_file(target).unlink(missing_ok=True)  # first: afterwards it may be another's
    os.close(descriptor)


def remove_if_free(path: Path) -> bool:
    """Remove the lock file `path` unless a run holds it; returns whether it is gone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _lock_file(target: Path) -> Path:
    return beside(target, LOCK)


def _is_current(target: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), _lock_file(target).stat())
    except FileNotFoundError:
        return False
