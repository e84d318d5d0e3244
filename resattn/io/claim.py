"""One writer per output: the right to make a file, which ends with the process that holds it.

A lock of the system on an empty file beside the target. It needs no record of who holds it, since
the system frees it when the process dies, however it dies; an empty file that is left over then
locks nobody out and is swept up by `resattn.io.atomic.remove_stale`.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from resattn.errors import OutputError
from resattn.io.names import beside, shown

LOCK: Final = ".part-lock"
"""Ending of the names of lock files."""

_PATIENCE: Final = 0.5
"""Seconds: who holds a lock may be sweeping up, or a worker of a run that was killed."""


def claim(target: Path) -> int | None:
    """The lock on `target`, for `release`; None where the file system has no locks.

    Raises:
        OutputError: Another run holds it (E405).
        OSError: The folder cannot be written.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return take(_lock_file(target))
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise OutputError(
                    f"another run is writing {shown(target)}",
                    "wait for it, or choose another name",
                    code="E405",
                ) from error
        time.sleep(0.005)


def release(target: Path, descriptor: int | None) -> None:
    """Give the lock on `target` back and remove its file."""
    give_back(_lock_file(target), descriptor)


def take(lock: Path) -> int | None:
    """The lock on the file `lock` itself, for `give_back`; None where there are no locks.

    Raises:
        BlockingIOError: It is held.
        OSError: The folder cannot be written.
    """
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            current = _is_current(lock, descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:  # some network file systems
            give_back(lock, descriptor)
            return None
        except BaseException:  # a signal
            give_back(lock, descriptor)
            raise
        if current:
            return descriptor
        os.close(descriptor)  # who held it removed the file between our open and our lock


def give_back(lock: Path, descriptor: int | None) -> None:
    """Remove the file `lock` and give the lock on it back."""
    if descriptor is None:
        return
    lock.unlink(missing_ok=True)  # first: afterwards it may be another's
    os.close(descriptor)


def _lock_file(target: Path) -> Path:
    return beside(target, LOCK)


def _is_current(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False
