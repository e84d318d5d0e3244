"""From a folder of images to weights that say what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resattn.config import Config
from resattn.device import pick
from resattn.errors import UserError
from resattn.io.atomic import write_text
from resattn.training import detect, runlog
from resattn.training.box_set import BoxSet
from resattn.training.config import TrainConfig
from resattn.training.curve import draw_curve
from resattn.training.dataset import ImageSet
from resattn.training.loop import LOG, Outcome, Place, Trainer
from resattn.training.replicas import Replicas, own, replicas
from resattn.training.task import Task
from resattn.training.tasks import task_kind
from resattn.weights.export import pack
from resattn.weights.index import Entry, Shelf
from resattn.weights.load import load
from resattn.weights.origin import Origin


@dataclass(frozen=True)
class Provenance:
    """What the exported weights say of their origin.

    Attributes:
        name: Name of the weights.
        data: What they were trained on.
        data_licence: Licence of that.
        licence: Licence of the weights.
        command: The command that made them.
    """

    name: str = "mine"
    data: str = "not stated"
    data_licence: str = "not stated"
    licence: str = "not stated"
    command: str = ""


@dataclass(frozen=True)
class TrainJob:
    """Everything `train` is asked to do.

    Attributes:
        task: Key of `resattn.training.tasks.TASKS`.
        data: Folder of images, or a file that `keep_data` made of one.
        run: Folder of the run: log, checkpoint, weights, curve.
        config: Length, optimiser and bookkeeping.
        settings: Options of the task.
        side: Images are cut into squares of this side.
        folds: Parts the photographs are divided into.
        fold: The part that validates.
        device: auto, cpu, cuda or cuda:N.
        init: Name or file of weights to start from.
        provenance: What the weights say of themselves.
        keep_data: File to write the squares to, for machines without decoders.
    """

    task: str
    data: Path
    run: Path
    config: TrainConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    side: int = 512
    folds: int = 16
    fold: int = 0
    device: str = "auto"
    init: str | None = None
    provenance: Provenance = Provenance()
    keep_data: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What a run left.

    Attributes:
        outcome: Steps, metrics and whether the run is finished.
        weights: File of the weights; None if the run was stopped, or on a replica.
        entry: Its entry in the index of the run's folder.
    """

    outcome: Outcome
    weights: Path | None = None
    entry: Entry | None = None


def train(
    job: TrainJob,
    *,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[runlog.Line], None] | None = None,
) -> Trained:
    """Starts or continues a run and, when it is finished, exports its weights.

    Args:
        job: What to train, on what, where.
        stop: Asked before every step; true saves and returns.
        tell: Called with every line of the log.

    Raises:
        UserError: Unknown task, settings or device, too few images, or another run in the folder.
        WeightsError: `init` cannot be loaded or is of another model.
    """
    device = pick(str(own(pick(job.device))))
    with replicas(device) as processes:
        task = _task(job, processes)
        init = load(job.init, job.task).model.state_dict() if job.init else None
        trainer = Trainer(task, job.config, Place(job.run, device, processes), init)
        outcome = trainer.fit(stop, tell)
    if not processes.leads:
        return Trained(outcome)
    curve = draw_curve(runlog.read(job.run / LOG), task.metric)
    write_text(job.run / "curve.svg", curve, overwrite=True)
    if not outcome.finished:
        return Trained(outcome)
    entry, data = pack(task.exported(outcome.weights), _origin(job, task, outcome))
    return Trained(outcome, Shelf(job.run).put(entry, data), entry)


def _task(job: TrainJob, processes: Replicas) -> Task:
    kind = task_kind(job.task)
    try:
        settings: Config = kind.settings.from_dict(job.settings)
    except ValueError as error:
        raise UserError(f"--set: {error}", "see docs/training.md") from error
    if job.config.batch % processes.count:
        raise UserError(
            f"a batch of {job.config.batch} does not divide among {processes.count} processes",
            f"choose a multiple of {processes.count}",
        )
    images = _images(job, settings)
    if job.keep_data is not None and processes.leads:
        images.save(job.keep_data)
    return kind.make(settings, *images.split(job.folds, job.fold))


def _images(job: TrainJob, settings: Config) -> ImageSet | BoxSet:
    """The set, from one file or from a folder; only a folder needs a decoder."""
    if job.data.suffix == ".safetensors":
        return task_kind(job.task).load(job.data)
    if isinstance(settings, detect.Settings):
        from resattn.detection.dataset import read_set
        from resattn.detection.picture import Colours

        model = settings.model
        colours = Colours(model.bands, model.scale)
        return read_set(job.data, job.side, zoom=model.zoom, cut=settings.cut, colours=colours)
    if job.task == "segment-wound":
        from resattn.wound.dataset import read_photos

        return read_photos(job.data, job.side)
    from resattn.pipelines.photos import gather

    return gather(job.data, job.side)


def _origin(job: TrainJob, task: Task, outcome: Outcome) -> Origin:
    metrics = {f"{name}, fold {job.fold} of {job.folds}": v for name, v in outcome.metrics.items()}
    return Origin(
        **vars(job.provenance),
        task=task.name,
        architecture=task.architecture,
        config=task.decided(outcome.metrics).to_dict(),
        metrics=metrics,
    )
