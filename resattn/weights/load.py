"""From a name or a file to a model that holds exactly the weights it should."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resattn.errors import WeightsError
from resattn.io.faultpoints import reach
from resattn.weights import header
from resattn.weights.architectures import architecture
from resattn.weights.index import Entry, find, is_commercial
from resattn.weights.origin import described

_PICKLED = (".pth", ".pt", ".ckpt", ".bin", ".pkl")


@dataclass(frozen=True)
class Loaded:
    """A model ready to use and what is known of its weights.

    Attributes:
        model: In evaluation mode, on the CPU, float32.
        task: The verb it serves.
        name: Name, or path of a file that is not listed.
        sha256: Of the file.
        licence: Of the weights.
        commercial: Whether the licence allows commercial use.
    """

    model: nn.Module
    task: str
    name: str
    sha256: str
    licence: str
    commercial: bool


def load(name: str, task: str) -> Loaded:
    """The model of that name, or of a safetensors file that says what it is.

    Args:
        name: Name in the list of weights, or a path ending in ``.safetensors``.
        task: The verb that asks.

    Raises:
        WeightsError: E600 unknown or absent, E601 a pickle, E602 damaged, E603 not the listed
            file, E604 other tensors than the model's, E605 types or values no model has, E606
            another task or architecture.
    """
    if name.endswith(".safetensors"):
        return _load_file(Path(name), task)
    if name.endswith(_PICKLED):
        raise WeightsError(
            f"{name} is a pickle, which can run code when it is read",
            f"convert it with: resattn weights convert {name} --out NAME.safetensors",
            code="E601",
        )
    shelf, entry = find(name)
    data = _read(shelf.folder / entry.file)
    _check_hash(data, entry)
    _check_task(entry.name, entry.task, task)
    _, tensors = header.parse(data, entry.file)
    model = assemble(entry.architecture, entry.config, tensors, entry.file, vouched=True)
    return Loaded(model, task, name, entry.sha256, entry.licence, entry.commercial)


def verify(name: str) -> Entry:
    """The entry of that name, once its file has passed every check of `load`."""
    _, entry = find(name)
    load(name, entry.task)
    return entry


def assemble(
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    file: str,
    *,
    vouched: bool = False,
) -> nn.Module:
    """The model of architecture `kind` with these settings and tensors, set to evaluation.

    Settings out of a file may ask for more memory than there is, so it is outlined on the meta
    device before. That imports torch's compiler, for 1.2 CPU seconds: not for `vouched` settings,
    those of the list of weights.

    Raises:
        WeightsError: E604 if names or shapes differ, E605 if a value is not finite or not of its
            type, E606 if the settings are none of the architecture's.
    """
    row = architecture(kind)
    try:
        with nullcontext() if vouched else torch.device("meta"):
            model = row.build(config)
    except (TypeError, ValueError) as error:
        raise WeightsError(
            f"{file} has settings that {kind} has not: {error}",
            "the file is of another version of resattn",
            code="E606",
        ) from error
    _check_tensors(model.state_dict(), tensors, file)
    if not vouched:
        model = row.build(config)
    model.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    )
    return model.eval()


def _check_tensors(
    expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], file: str
) -> None:
    missing, extra = sorted(expected.keys() - tensors), sorted(tensors.keys() - expected)
    if missing or extra:
        raise _other_model(
            file, f"{len(missing)} tensors missing {missing[:3]}, {len(extra)} extra {extra[:3]}"
        )
    for name, value in tensors.items():
        if value.shape != expected[name].shape:
            shapes = f"{tuple(value.shape)} instead of {tuple(expected[name].shape)}"
            raise _other_model(file, f"tensor {name!r} is {shapes}")
        fractions = expected[name].is_floating_point()
        same = value.is_floating_point() if fractions else value.dtype == expected[name].dtype
        if not same or not bool(torch.isfinite(value).all()):
            fault = "NaN or infinity" if same else f"{value.dtype} values"
            raise WeightsError(
                f"{file}: tensor {name!r} holds {fault}",
                "it is damaged or its training diverged: use another file",
                code="E605",
            )


def _load_file(path: Path, task: str) -> Loaded:
    """A file with its own description in its metadata, as `resattn train` writes it."""
    data = _read(path)
    metadata, tensors = header.parse(data, path.name)
    origin = described(metadata, str(path))
    _check_task(str(path), origin.task, task)
    model = assemble(origin.architecture, origin.config, tensors, path.name)
    digest = hashlib.sha256(data).hexdigest()
    return Loaded(model, task, str(path), digest, origin.licence, is_commercial(origin.licence))


def _read(path: Path) -> bytes:
    try:
        reach("open")
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"cannot read weights from {path}: {error.strerror}",
            "check the path; installed weights: resattn weights list",
        ) from error


def _check_hash(data: bytes, entry: Entry) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise WeightsError(
            f"{entry.file} is not the listed file: sha256 {found[:12]}…, "
            f"expected {entry.sha256[:12]}…",
            "install resattn again, or import the weights again",
            code="E603",
        )


def _check_task(name: str, made_for: object, task: str) -> None:
    if made_for != task:
        raise WeightsError(
            f"{name} is for {made_for!r}, not for {task!r}",
            "see which weights fit: resattn weights list",
            code="E606",
        )


def _other_model(file: str, difference: str) -> WeightsError:
    return WeightsError(
        f"{file} does not fit its model: {difference}",
        "it belongs to another version or another model",
        code="E604",
    )
