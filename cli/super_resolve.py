"""`resattn super-resolve`: one command, one pipeline function."""

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
    Pictures,
    QualityOptions,
    TalkOptions,
    option,
)

if TYPE_CHECKING:
    from resattn.pipelines.plan import Plan
    from resattn.pipelines.run import Work

app = verb_app()


@dataclass(frozen=True, slots=True)
class SuperResolveOptions:
    """What the verb alone takes; the fields are those of `SuperResolveConfig`."""

    scale: Annotated[
        float, option("--scale", "-s", metavar="FACTOR", help="Enlargement, any from 1 to 8.")
    ] = 4.0
    model: Annotated[str, option("--model", metavar="NAME", help="fast or quality.")] = "fast"
    weights: Annotated[
        str,
        option(
            "--weights",
            metavar="NAME|FILE",
            help="One set of weights for every scale.",
        ),
    ] = ""
    ensemble: Annotated[
        bool, option("--ensemble", help="Average over eight turns: better, eight times the work.")
    ] = False
    range: Annotated[
        str,
        option(
            "--range",
            metavar="RANGE",
            help="Values from black to white: auto, type, measured, 11bit or 0,10000.",
        ),
    ] = "auto"
    preview: Annotated[
        bool, option("--preview", help="Write a bicubic/network PNG beside the output.")
    ] = False
    cog: Annotated[bool, option("--cog", help="Write rasters as Cloud-Optimized GeoTIFF.")] = False
    keep_location: Annotated[
        bool, option("--keep-location", help="Keep the place in a photograph's metadata.")
    ] = False
    max_pixels: MaxPixels = 0


@app.command(name="super-resolve")
@flatten
def super_resolve(
    ctx: typer.Context,
    inputs: Pictures,
    own: SuperResolveOptions,
    files: FileOptions,
    compute: ComputeOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Enlarge photographs and rasters by any factor.

    Type, colour profile, EXIF, transparency, CRS, nodata and band names stay; the output has the
    format of the input unless OUT says otherwise. Images of any size are worked on in parts, and
    the parts never show.

    Example: resattn super-resolve photo.jpg -o large.png --scale 4
    """
    from resattn.cli.conduct import conduct

    def job() -> tuple[Plan, Work, Mapping[str, Any]]:
        from resattn.pipelines import super_resolve as pipeline

        config = pipeline.SuperResolveConfig(
            **asdict(own), **asdict(compute), overwrite=files.replaces
        )
        plan = pipeline.plan(
            inputs,
            files.out,
            scale=own.scale,
            **files.placement(),
        )
        return plan, pipeline.work(config), asdict(config)

    conduct(ctx, files, quality, voice, job)
