"""The table of tasks `resattn train` knows: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from resattn.config import Config, unknown
from resattn.errors import UserError
from resattn.training import compress, detect, super_resolve, wound
from resattn.training.box_set import BoxSet
from resattn.training.dataset import ImageSet
from resattn.training.task import Task


@dataclass(frozen=True)
class TaskKind:
    """How to set up a task.

    Attributes:
        settings: Its options, given as ``--set key=value``.
        make: From settings, training images and validation images to the task.
        load: The images, from the file that ``--keep-data`` wrote.
    """

    settings: type[Config]
    make: Callable[[Any, Any, Any], Task]
    load: Callable[[Path], ImageSet | BoxSet] = ImageSet.load


TASKS: Mapping[str, TaskKind] = MappingProxyType(
    {
        "compress": TaskKind(compress.Settings, compress.make),
        "detect": TaskKind(detect.Settings, detect.make, BoxSet.load),
        "segment-wound": TaskKind(wound.Settings, wound.make),
        "super-resolve": TaskKind(super_resolve.Settings, super_resolve.make),
    }
)


def task_kind(name: str) -> TaskKind:
    """The task of that name.

    Raises:
        UserError: There is none.
    """
    if name not in TASKS:
        raise UserError(unknown("task", name, TASKS), "see: resattn train --help")
    return TASKS[name]
