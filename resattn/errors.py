"""Errors a user can cause or mend: one sentence, one remedy, one code.

The command line prints ``error[CODE] message — hint`` without a traceback and exits with the
class's `exit_code`. Anything that is not a `ResattnError` is a bug and keeps its traceback.
Codes are listed in docs/errors.md.
"""

from __future__ import annotations


class ResattnError(Exception):
    """An expected failure.

    Args:
        message: What happened, with the value received and the limit.
        hint: What the user can do about it, as an imperative.
        code: Stable identifier such as ``E301``, for scripts and for docs/errors.md.
    """

    exit_code = 1
    default_code = "E300"

    def __init__(self, message: str, hint: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.message} — {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # The default rebuilds with positional args only and would lose hint and code on the way
        # back from a worker process.
        return _rebuild, (type(self), self.message, self.hint, self.code)


def _rebuild(cls: type[ResattnError], message: str, hint: str, code: str) -> ResattnError:
    return cls(message, hint, code=code)


class UserError(ResattnError):
    """The request itself is wrong (options, paths, pairing): nothing was started, exit code 2."""

    exit_code = 2
    default_code = "E200"


class ItemError(ResattnError):
    """One input cannot be processed (E3xx): the rest of the batch goes on, exit code 1."""

    default_code = "E300"


class OutputError(ItemError):
    """An output cannot be written or did not verify (E4xx)."""

    default_code = "E400"


class ResourceError(ItemError):
    """Memory, time or a worker ran out (E5xx); the only kind worth a retry."""

    default_code = "E500"


class WeightsError(ResattnError):
    """A weights file is missing, damaged or of another model (E6xx)."""

    default_code = "E600"


_MEMORY_PHRASES = (
    "out of memory",
    "allocate memory",
    "not enough memory",
    "failed to map segment",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, as numpy, torch (in words that differ by device) or the loader say.

    The loader's is an ImportError: what is imported late may find no room.
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, (RuntimeError, ImportError, OSError))
        and any(phrase in text for phrase in _MEMORY_PHRASES)
    )
