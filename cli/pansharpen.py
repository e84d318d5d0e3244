"""`resattn pansharpen`: one command, one pipeline function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
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
class PansharpenOptions:
    """What `pansharpen` alone takes; the fields are those of `PansharpenConfig`."""

    method: Annotated[
        str,
        option(
            "--method",
            metavar="NAME",
            help="auto, lambda-pnn, mtf-glp-reg, mtf-glp-hpm, mtf-glp-fs, mtf-glp, gsa, bdsd, "
            "brovey or exp.",
        ),
    ] = "auto"
    sensor: Annotated[
        str,
        option(
            "--sensor",
            metavar="NAME",
            help="Sensor whose MTF gains are used; see docs/pansharpen.md.",
        ),
    ] = "default"
    mtf: Annotated[
        str,
        option(
            "--mtf",
            metavar="GAINS",
            help="Nyquist gains instead, MS bands then PAN: .34,.32,.30,.22;.15",
        ),
    ] = ""
    bands: Annotated[
        str,
        option(
            "--bands", metavar="LIST", help="MS bands to sharpen, counted from 1: 3,2,1 or 2-4."
        ),
    ] = ""
    registration: Annotated[
        bool, option(help="Measure the residual shift of each band and correct it.")
    ] = True
    adapt_steps: Annotated[
        int,
        option("--adapt-steps", metavar="N", min=0, help="Most steps of adaptation to the scene."),
    ] = 80
    adapt_seconds: Annotated[
        float,
        option(
            "--adapt-seconds",
            metavar="SECONDS",
            min=0,
            help="Most CPU seconds of it; 0: no limit, and the same bytes on every run.",
        ),
    ] = 0.0
    weights: Annotated[
        Path | None, option("--weights", metavar="FILE", help="Start from weights adapted earlier.")
    ] = None
    save_weights: Annotated[
        bool, option("--save-weights", help="Keep the adapted weights beside the output.")
    ] = False
    cog: Annotated[bool, option("--cog", help="Write a Cloud-Optimized GeoTIFF.")] = False
    preview: Annotated[
        bool, option("--preview", help="Write a before/after PNG beside the output.")
    ] = False
    metrics: Annotated[
        bool, option(help="Measure full-resolution quality; against --reference if given.")
    ] = True
    baselines: Annotated[
        str,
        option(
            "--baselines", metavar="NAMES", help="Methods to measure beside it: exp,brovey,gsa."
        ),
    ] = ""
    wald: Annotated[
        bool, option("--wald", help="Also run the reduced-resolution protocol of Wald.")
    ] = False
    max_pixels: MaxPixels = 0


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """Which files form a scene when folders are walked."""

    pan_pattern: Annotated[
        str,
        option(
            "--pan-pattern",
            metavar="REGEX",
            help="What PAN names in folders contain: pan or B8.",
            show_default=False,
        ),
    ] = ""
    ms_pattern: Annotated[
        str,
        option(
            "--ms-pattern",
            metavar="REGEX",
            help="What MS or band names in folders contain: ms, mul, xs, B2-B7.",
            show_default=False,
        ),
    ] = ""


@app.command()
@flatten
def pansharpen(
    ctx: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="PAN and MS file (or PAN and band files), folders, globs, @list or -.",
            show_default=False,
        ),
    ],
    own: PansharpenOptions,
    scenes: SceneOptions,
    files: FileOptions,
    compute: ComputeOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Sharpen multispectral bands with a panchromatic band.

    PAN and MS GeoTIFFs become one GeoTIFF on the PAN grid; type, nodata, CRS and band names stay.
    The default method adapts to the scene and is never worse, by the registered scores, than the
    best classical method.

    Example: resattn pansharpen LC08_B8.TIF LC08_B4.TIF LC08_B3.TIF LC08_B2.TIF -o sharp.tif
    """
    from resattn.cli.conduct import conduct

    def job() -> tuple[Plan, Work, Mapping[str, Any]]:
        from resattn.pipelines import pansharpen as pipeline
        from resattn.pipelines.pansharpen_config import PansharpenConfig

        config = PansharpenConfig(**asdict(own), **asdict(compute), overwrite=files.replaces)
        plan = pipeline.plan(
            inputs,
            files.out,
            **files.placement(),
            **asdict(scenes),
        )
        return plan, pipeline.work(config), asdict(config)

    conduct(ctx, files, quality, voice, job)
