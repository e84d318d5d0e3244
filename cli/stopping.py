"""SIGINT and SIGTERM during a batch: the first asks, and soon insists; the second does at once."""

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

        From here on nothing is hurried: what is finished has to be reported.

        Raises:
            KeyboardInterrupt: It was SIGINT.
            Terminated: It was SIGTERM.
        """
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal:
            raise Terminated


@contextlib.contextmanager
def on_request(grace: float) -> Iterator[Request]:
    """Within the block a first signal is noted, so that items nearly done can be finished.

    Args:
        grace: Seconds until it acts all the same; 0 or less: at once.
    """
    request = Request()
    if grace <= 0 or threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(signum: int, _frame: FrameType | None) -> None:
        if request.asked():
            request.signal = signum
            request.fulfil()
        request.signal = signum
        signal.setitimer(signal.ITIMER_REAL, grace)
        typer.echo(f"stopping: items in hand have {grace:g} s; once more to stop at once", err=True)

    def insist(_signum: int, _frame: FrameType | None) -> None:
        request.fulfil()

    handlers = {signal.SIGINT: note, signal.SIGTERM: note, signal.SIGALRM: insist}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield request
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
