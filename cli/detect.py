"""`resattn detect`: one command, one pipeline function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    from resattn.pipelines.result import Result
    from resattn.pipelines.run import Work

app = verb_app()


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """What the verb alone takes; the fields are those of `DetectConfig`."""

    weights: Annotated[
        str,
        option(
            "--weights",
            metavar="NAME|FILE",
            help="Detector, such as bccd or sen2ships; by default the only one installed.",
        ),
    ] = ""
    score: Annotated[
        float,
        option(
            "--score",
            metavar="P",
            show_default="from the weights",
            help="Least score of an object; the COCO file goes down to 0.05 all the same.",
        ),
    ] = 0.0
    iou: Annotated[
        float, option("--iou", metavar="X", help="Overlap that two objects of a class may have.")
    ] = 0.6
    limit: Annotated[int, option("--limit", metavar="N", help="Most objects of one window.")] = 300
    bands: Annotated[
        str,
        option(
            "--bands",
            metavar="R,G,B",
            help="Bands for red, green, blue, from 1, or one for all; rasters as in training.",
        ),
    ] = ""
    scale: Annotated[
        str,
        option(
            "--scale",
            metavar="LOW,HIGH",
            help="Values that become black and white; by default measured, 8 bits as they are.",
        ),
    ] = ""
    size: Annotated[
        int,
        option(
            "--size",
            metavar="PIXELS",
            help="Longer side of photographs as the network sees them; 0 keeps their pixels.",
        ),
    ] = -1
    zoom: Annotated[
        int,
        option("--zoom", metavar="N", min=0, help="Enlarge rasters; 0 as the weights want it."),
    ] = 0
    write: Annotated[
        str,
        option(
            "--write",
            metavar="FORMS",
            help="Further files, by comma: geojson, gpkg, csv, yolo, voc, coco.",
        ),
    ] = ""
    overlay: Annotated[
        bool, option("--overlay", help="Write the picture with the objects framed.")
    ] = False
    max_pixels: MaxPixels = 0


@dataclass(frozen=True, slots=True)
class WindowOptions(ComputeOptions):
    """How the work is done: the tiles of other verbs are windows here, which change what is found.

    The fields are those of `ComputeOptions`.
    """

    tile: Annotated[
        int,
        option(
            "--tile",
            metavar="PIXELS",
            min=0,
            show_default="512",
            help="Side of a window as the network sees it.",
        ),
    ] = 0
    overlap: Annotated[
        int,
        option(
            "--overlap",
            metavar="PIXELS",
            min=0,
            show_default="from the weights",
            help="What windows share: the size of the largest objects, half a window at most.",
        ),
    ] = 0


@app.command(name="detect")
@flatten
def detect(
    ctx: typer.Context,
    inputs: Pictures,
    own: DetectOptions,
    files: FileOptions,
    compute: WindowOptions,
    quality: QualityOptions,
    voice: TalkOptions,
) -> None:
    """Find objects in photographs and in rasters of any size.

    Each picture gives a COCO JSON, or what the suffix of OUT says, and whatever --write adds;
    rasters that lie on the ground give GeoJSON and GeoPackage, and sizes in metres. --reference
    takes COCO, VOC, YOLO or GeoJSON and scores the run as COCO does.

    Example: resattn detect port.tif -o ships.geojson --weights sen2ships --overlay
    """
    from resattn.cli.conduct import conduct

    def job() -> tuple[Plan, Work, Mapping[str, Any]]:
        from resattn.pipelines import detect as pipeline

        config = pipeline.DetectConfig(**asdict(own), **asdict(compute), overwrite=files.replaces)
        if quality.reference is not None and "coco" not in config.forms():
            config = replace(config, write=f"{config.write},coco")
        plan = pipeline.plan(
            inputs,
            files.out,
            reference=quality.reference,
            pattern=quality.pair,
            **files.placement(),
        )
        return plan, pipeline.work(config), asdict(config)

    def whole(results: Sequence[Result]) -> Result | None:
        from resattn.pipelines import detect as pipeline

        return pipeline.Evaluator(files.out)(results)

    # Annotations of many pictures may be one file: the pipeline has paired them.
    conduct(ctx, files, replace(quality, reference=None), voice, job, whole)
