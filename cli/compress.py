"""`resattn compress`: one command, one pipeline function."""

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
class CompressOptions:
    """What the verb alone takes; the fields are those of `CompressConfig`."""

    quality: Annotated[
        int,
        option(
            "--quality", metavar="0..100", min=0, max=100, help="0 is the smallest, 100 the best."
        ),
    ] = 70
    target_bpp: Annotated[
        float,
        option(
            "--target-bpp",
            metavar="BITS",
            min=0,
            help="Instead of --quality: the best that stays below so many bits per pixel.",
        ),
    ] = 0.0
    target_psnr: Annotated[
        float,
        option(
            "--target-psnr",
            metavar="DB",
            min=0,
            help="Instead of --quality: every tile reaches this PSNR.",
        ),
    ] = 0.0
    lossless: Annotated[bool, option("--lossless", help="Keep every bit; needs no network.")] = (
        False
    )
    weights: Annotated[
        str,
        option(
            "--weights",
            metavar="NAME|FILE",
            help="Network to use; by default the one installed.",
        ),
    ] = ""
    range: Annotated[
        str,
        option(
            "--range",
            metavar="RANGE",
            help="Black and white: auto, type, measured, 11bit or LOW,HIGH.",
        ),
    ] = "auto"
    score: Annotated[
        bool, option("--score", help="Decode the file again and measure PSNR and MS-SSIM.")
    ] = False
    baselines: Annotated[
        bool,
        option("--baselines", help="Show JPEG, WebP, JPEG 2000 and AVIF at the same size."),
    ] = False
    max_pixels: MaxPixels = 0


@app.command()
@flatten
def compress(
    ctx: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Photographs or rasters: files, folders, globs, @list, or - for one on stdin.",
            show_default=False,
        ),
    ],
    own: CompressOptions,
    files: FileOptions,
    compute: ComputeOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Compress photographs and rasters to small .rac files.

    A file decodes to the same integers on any machine, and damage is noticed. Type, transparency,
    colour profile, EXIF, CRS, nodata and band names stay. With -o - the file goes to stdout.

    Example: resattn compress photos/ -o archive/ --quality 60 --report archive/report.csv
    """
    from resattn.cli.conduct import conduct
    from resattn.cli.streams import piped

    with piped(inputs, files) as (sources, policy):

        def job() -> tuple[Plan, Work, Mapping[str, Any]]:
            from resattn.pipelines import compress as pipeline

            config = pipeline.CompressConfig(
                **asdict(own), **asdict(compute), overwrite=policy.replaces
            )
            plan = pipeline.plan(sources, policy.out, **policy.placement())
            return plan, pipeline.work(config), asdict(config)

        conduct(ctx, policy, quality, voice, job)
