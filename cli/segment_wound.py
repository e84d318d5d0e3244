"""`resattn segment-wound`: one command, one pipeline function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resattn.cli.app import flatten, verb_app
from resattn.cli.options import (
    ComputeOptions,
    FileOptions,
    MaxPixels,
    QualityOptions,
    TalkOptions,
    option,
)

if TYPE_CHECKING:
    from resattn.pipelines.plan import Plan
    from resattn.pipelines.run import Work

app = verb_app()


@dataclass(frozen=True, slots=True)
class SegmentWoundOptions:
    """What the verb alone takes; the fields are those of `SegmentWoundConfig`."""

    weights: Annotated[
        str,
        option(
            "--weights",
            metavar="NAME|FILE",
            help="Network to use; by default the one installed.",
        ),
    ] = ""
    threshold: Annotated[
        float,
        option(
            "--threshold",
            metavar="P",
            help="Least probability of a wound; 0 takes the one set with the weights.",
        ),
    ] = 0.0
    tta: Annotated[
        bool, option("--tta", help="Average over eight turns: better, eight times the work.")
    ] = False
    fast: Annotated[bool, option("--fast", help="See photographs smaller, and only once.")] = False
    refine: Annotated[
        bool, option(help="Look a second time, closer, at what the first look suspects.")
    ] = True
    marker_mm: Annotated[
        float,
        option(
            "--marker-mm",
            metavar="MM",
            help="Side of the black square of a printed ArUco marker (4×4, 50): areas in cm².",
        ),
    ] = 0.0
    coin_mm: Annotated[
        float,
        option("--coin-mm", metavar="MM", help="Diameter of the one coin beside the wound: cm²."),
    ] = 0.0
    px_per_mm: Annotated[
        float,
        option("--px-per-mm", metavar="N", help="Known scale of photographs taken squarely: cm²."),
    ] = 0.0
    overlay: Annotated[bool, option(help="Write the photograph with the outline drawn in.")] = True
    probability: Annotated[bool, option("--probability", help="Write the probability map.")] = False
    dicom_seg: Annotated[
        bool, option("--dicom-seg", help="Write the mask as DICOM SEG too (extra: dicom).")
    ] = False
    follow_up: Annotated[
        bool,
        option(
            "--follow-up", help="A folder is one wound over time: a table and a plot of its area."
        ),
    ] = False
    max_pixels: MaxPixels = 0


@app.command(name="segment-wound")
@flatten
def segment_wound(
    ctx: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(help="Photographs: files, folders, globs, @list or -.", show_default=False),
    ],
    own: SegmentWoundOptions,
    files: FileOptions,
    compute: ComputeOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Outline wounds in photographs and measure them.

    Each photograph gives a mask, a picture with the outline, and a JSON of area, length, width,
    perimeter, a 90 % interval, a confidence and quality flags; with a marker in cm² and mm.

    Not a medical device: for research and documentation, not for diagnosis.

    Example: resattn segment-wound photos/ -o out/ --marker-mm 20 --report out/report.csv
    """
    from resattn.cli.conduct import conduct

    def job() -> tuple[Plan, Work, Mapping[str, Any]]:
        from resattn.pipelines import segment_wound as pipeline

        config = pipeline.SegmentWoundConfig(
            **asdict(own), **asdict(compute), overwrite=files.replaces
        )
        plan = pipeline.plan(
            inputs,
            files.out,
            **files.placement(),
            follow_up=own.follow_up,
        )
        return plan, pipeline.work(config), asdict(config)

    conduct(ctx, files, quality, voice, job)
