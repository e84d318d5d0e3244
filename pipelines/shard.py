"""One of n equal parts of a plan, for machines that share nothing but a folder.

The part of an item follows from its name alone, so every machine finds the same split by itself,
whatever was finished, added or listed in another order meanwhile.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from resattn.errors import UserError


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `index` of `count`, counted from 1."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def takes(self, name: str) -> bool:
        """Whether the unit of that name belongs to this part."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1


def parse(text: str, environment: Mapping[str, str]) -> Shard:
    """The shard that ``2/8``, ``auto`` or ``auto/8`` names.

    ``auto`` asks the scheduler that started this process: Slurm and AWS Batch tell the number of
    array tasks; Kubernetes only the index, so that an Indexed Job writes ``auto/COMPLETIONS``.

    Raises:
        UserError: The text has another form, or no scheduler tells the index.
    """
    match = re.fullmatch(r"(\d+|auto)(?:/(\d+))?", text)
    if match is None or (match[1] != "auto" and match[2] is None):
        raise _unclear(f"--shard {text!r}")
    index, count = match[1], match[2] and int(match[2])
    if index == "auto":
        index, known = _from_scheduler(environment)
        count = count or known
    shard = Shard(int(index), int(count or 0))
    if not 1 <= shard.index <= shard.count:
        raise _unclear(f"--shard {text!r} means part {shard}")
    return shard


def _from_scheduler(environment: Mapping[str, str]) -> tuple[int, int]:
    """Index from 1 and number of tasks, 0 if unknown."""

    def number(name: str, default: int) -> int:
        return int(environment.get(name) or default)

    if environment.get("SLURM_ARRAY_TASK_ID"):
        first, step = number("SLURM_ARRAY_TASK_MIN", 0), number("SLURM_ARRAY_TASK_STEP", 1)
        index = (number("SLURM_ARRAY_TASK_ID", 0) - first) // step
        return index + 1, number("SLURM_ARRAY_TASK_COUNT", 0)
    if environment.get("AWS_BATCH_JOB_ARRAY_INDEX"):
        index = number("AWS_BATCH_JOB_ARRAY_INDEX", 0)
        return index + 1, number("AWS_BATCH_JOB_ARRAY_SIZE", 0)
    if environment.get("JOB_COMPLETION_INDEX"):
        return number("JOB_COMPLETION_INDEX", 0) + 1, 0
    raise UserError(
        "--shard auto: none of SLURM_ARRAY_TASK_ID, AWS_BATCH_JOB_ARRAY_INDEX and "
        "JOB_COMPLETION_INDEX is set",
        "start it as an array job, or write --shard 1/8",
        code="E208",
    )


def _unclear(what: str) -> UserError:
    return UserError(what, "write i/n with 1 <= i <= n, auto, or auto/n", code="E208")
