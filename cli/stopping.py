"""SIGINT and SIGTERM during a batch: the first asks, the second insists."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import typer


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt it unwinds through every `finally`."""


def terminate(_signum: int, _frame: FrameType | None) -> NoReturn:
    """What SIGTERM does outside of batches, and to those who do not wait."""
    raise Terminated


class Request:
    """Whether the run was asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal = 0

    def asked(self) -> bool:
        """Whether no further item should be begun."""
        return self.signal != 0

    def fulfil(self) -> None:
        """Ends the program the way the signal would have ended it at once.

        Raises:
            KeyboardInterrupt: It was SIGINT.
            Terminated: It was SIGTERM.
        """
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal:
            raise Terminated


@contextlib.contextmanager
def on_request(*, patient: bool) -> Iterator[Request]:
    """Within the block a first signal is noted, so that the item in hand can be finished.

    Args:
        patient: False where there is nothing to go on with afterwards: signals act at once.
    """
    request = Request()
    if not patient or threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(signum: int, _frame: FrameType | None) -> None:
        if request.asked():
            request.signal = signum
            request.fulfil()
        request.signal = signum
        typer.echo("stopping after the items in hand; once more to stop at once", err=True)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
