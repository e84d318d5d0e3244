"""Runs the command line in this process: what a shell would see, without its start-up time."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from resattn.cli.main import run


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


Shell = Callable[..., Finished]


@pytest.fixture
def resattn(capfd: pytest.CaptureFixture[str]) -> Shell:
    """`resattn("pansharpen", …)` returns exit code, stdout and stderr."""

    def call(*arguments: object) -> Finished:
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as stopped:
                run([str(argument) for argument in arguments])
        finally:
            signal.signal(signal.SIGTERM, handler)
        captured = capfd.readouterr()
        return Finished(int(stopped.value.code or 0), captured.out, captured.err)

    return call
