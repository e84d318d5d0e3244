"""A fitted method as a file: made once for a scene, applied to its strips by other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resattn.fusion.calibration import Calibration, Response
from resattn.fusion.classical import Model
from resattn.fusion.injection import Injection
from resattn.fusion.pyramid import Optics
from resattn.fusion.registration import Registration
from resattn.pipelines.fusers import Choice, Fuser
from resattn.pipelines.parcel import Array, Parcel

if TYPE_CHECKING:  # torch takes longer to import than a classical method takes to run
    from resattn.fusion.adapt import AdaptedModel
    from resattn.ops.statistics import Statistics


def write(path: Path, calibration: Calibration, choice: Choice) -> None:
    """The file of all that `read` gives back, to the last bit.

    Raises:
        OutputError: As `Parcel.write`.
    """
    about = {
        "optics": asdict(calibration.optics),
        "registration": asdict(calibration.registration),
        "response": asdict(calibration.response),
        "name": choice.name,
        "tile": choice.tile,
        "facts": choice.facts,
    }
    if isinstance(choice.fuser, Model):
        Parcel({**about, "model": asdict(choice.fuser)}).write(path)
        return
    adapted = _adapted(choice.fuser)
    state = {name: value.numpy(force=True) for name, value in adapted.network.state_dict().items()}
    arrays = {f"network/{name}": value for name, value in state.items()}
    counts = {}
    for name, statistics in adapted.statistics.items():
        counts[name] = statistics.count
        for kind in ("sums", "maxima"):
            for index, tensor in enumerate(getattr(statistics, kind)):
                arrays[f"{kind}/{name}/{index}"] = tensor.numpy(force=True)
    network = {
        "config": adapted.network.config.to_dict(),
        "scale": asdict(adapted.scale),
        "counts": counts,
        "precision": adapted.precision,
        "losses": adapted.losses,
    }
    Parcel({**about, "model": asdict(adapted.start), "network": network}, arrays).write(path)


def read(path: Path, device: str) -> tuple[Calibration, Choice]:
    """What was measured of a scene, and the method fitted to it.

    Args:
        path: Written by `write`.
        device: For a network, as ``--device`` names it.

    Raises:
        ItemError: E301, the file is gone or damaged.
    """
    parcel = Parcel.read(path)
    about = parcel.about
    calibration = Calibration(
        Optics(**about["optics"]),
        Registration(**about["registration"]),
        Response(**about["response"]),
    )
    model = about["model"]
    start = Model(
        model["method"],
        Optics(**model["optics"]),
        Injection(**model["injection"]),
        model["consistency"],
    )
    if "network" not in about:
        return calibration, Choice(about["name"], start, tile=about["tile"], facts=about["facts"])
    adapted = _restored(start, parcel, device)
    return calibration, Choice(
        about["name"],
        adapted,
        own_threads=True,
        tile=about["tile"],
        facts=about["facts"],
        pack=adapted.packed,
    )


def _adapted(fuser: Fuser) -> AdaptedModel:
    from resattn.fusion.adapt import AdaptedModel

    if not isinstance(fuser, AdaptedModel):
        raise TypeError(f"{type(fuser).__name__} cannot be kept in a file")
    return fuser


def _restored(start: Model, parcel: Parcel, device: str) -> AdaptedModel:
    import torch

    from resattn.device import pick
    from resattn.fusion.adapt import AdaptedModel
    from resattn.fusion.adapt_network import Scale
    from resattn.models.lambda_pnn import LambdaPnn, LambdaPnnConfig

    about, place = parcel.about["network"], pick(device)
    network = LambdaPnn(LambdaPnnConfig.from_dict(about["config"]))
    state = _under("network", parcel.arrays)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    statistics = {
        name: _statistics(name, count, parcel.arrays, place)
        for name, count in about["counts"].items()
    }
    return AdaptedModel(
        start,
        network.to(place).eval(),
        Scale(**about["scale"]),
        statistics,
        about["precision"],
        about["losses"],
    )


def _statistics(name: str, count: int, arrays: Mapping[str, Array], device: Any) -> Statistics:
    import torch

    from resattn.ops.statistics import Statistics

    def tensors(kind: str) -> tuple[torch.Tensor, ...]:
        found = _under(f"{kind}/{name}", arrays)
        ordered = (found[str(index)] for index in range(len(found)))
        return tuple(torch.from_numpy(value).to(device) for value in ordered)

    return Statistics(count, tensors("sums"), tensors("maxima"))


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    start = f"{prefix}/"
    return {name[len(start) :]: a for name, a in arrays.items() if name.startswith(start)}
