"""The table of verbs: what `--help`, `info` and the lazy loader know without importing one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Verb:
    """One subcommand.

    Attributes:
        module: Where its `app` (a `typer.Typer`) lives; imported only when the verb is used.
        summary: The line shown by `resattn --help`.
        job: True for the image jobs, False for the helper verbs around them.
    """

    module: str
    summary: str
    job: bool = False


VERBS: Final[dict[str, Verb]] = {
    "pansharpen": Verb(
        "resattn.cli.pansharpen", "Sharpen multispectral bands with a panchromatic band.", job=True
    ),
    "super-resolve": Verb(
        "resattn.cli.super_resolve", "Enlarge photographs and rasters by any factor.", job=True
    ),
    "segment-wound": Verb(
        "resattn.cli.segment_wound", "Outline wounds in photographs and measure them.", job=True
    ),
    "detect": Verb(
        "resattn.cli.detect", "Find objects in photographs and rasters of any size.", job=True
    ),
    "compress": Verb(
        "resattn.cli.compress", "Compress photographs and rasters to .rac files.", job=True
    ),
    "decompress": Verb(
        "resattn.cli.decompress", "Turn .rac files back into images, whole or in part.", job=True
    ),
    "demo": Verb("resattn.cli.demo", "Run every job on the shipped samples, with one report."),
    "metrics": Verb("resattn.cli.metrics", "Measure outputs of any tool against references."),
    "merge": Verb("resattn.cli.merge", "Report the shards of a run as one."),
    "rac": Verb("resattn.cli.rac", "Show and verify compressed files."),
    "train": Verb("resattn.cli.train", "Fit a model, or go on where a run was stopped."),
    "weights": Verb("resattn.cli.weights", "List, verify, add and convert weights."),
    "core": Verb("resattn.cli.core", "List, check and measure the attention core."),
    "replay": Verb("resattn.cli.replay", "Repeat a reported run and compare its bytes."),
    "doctor": Verb("resattn.cli.doctor", "Say what this machine can do, and what is missing."),
    "completion": Verb("resattn.cli.completion", "Print the completion script of a shell."),
    "info": Verb("resattn.cli.info", "List commands, options, models, metrics and formats."),
}
