"""Exit codes, as scripts may rely on them (docs/errors.md)."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the process tells the shell."""

    OK = 0
    ITEM_FAILED = 1  # at least one item failed; the others were finished
    USAGE = 2  # wrong options or paths, or nothing matched: no work was started
    GATE_FAILED = 3  # everything ran, but a --fail-under / --fail-over gate was not met
    INTERRUPTED = 130  # SIGINT
    TERMINATED = 143  # SIGTERM
