"""`resattn decompress`: one command, one pipeline function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resattn.cli.app import flatten, verb_app
from resattn.cli.options import (
    ComputeOptions,
    FileOptions,
    QualityOptions,
    TalkOptions,
    option,
)

if TYPE_CHECKING:
    from resattn.pipelines.plan import Plan
    from resattn.pipelines.run import Work

app = verb_app()


@dataclass(frozen=True, slots=True)
class DecompressOptions:
    """What the verb alone takes; the fields are those of `DecompressConfig`."""

    window: Annotated[
        str,
        option(
            "--window",
            metavar="ROW,COL,HEIGHT,WIDTH",
            help="Only this part; tiles beyond it are not read.",
        ),
    ] = ""
    salvage: Annotated[
        bool,
        option(
            "--salvage",
            help="Write what a damaged file has left; lost tiles are nodata or black, and named.",
        ),
    ] = False
    weights: Annotated[
        str,
        option(
            "--weights",
            metavar="NAME|FILE",
            help="The network the file was made with, where it is not installed.",
        ),
    ] = ""


@app.command()
@flatten
def decompress(
    ctx: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Compressed files: files, folders, globs, @list, or - for one on stdin.",
            show_default=False,
        ),
    ],
    own: DecompressOptions,
    files: FileOptions,
    compute: ComputeOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Turn .rac files back into images, whole or in part.

    Photographs become PNG and rasters GeoTIFF unless OUT names another format. Give the original
    as --reference to measure PSNR and MS-SSIM.

    Example: resattn decompress scene.rac -o part.tif --window 2048,1024,512,512
    """
    from resattn.cli.conduct import conduct
    from resattn.cli.streams import piped

    with piped(inputs, files) as (sources, policy):

        def job() -> tuple[Plan, Work, Mapping[str, Any]]:
            from resattn.pipelines import decompress as pipeline

            config = pipeline.DecompressConfig(
                **asdict(own), **asdict(compute), overwrite=policy.replaces
            )
            plan = pipeline.plan(sources, policy.out, **policy.placement())
            return plan, pipeline.work(config), asdict(config)

        conduct(ctx, policy, quality, voice, job)
