"""The detector as one ONNX graph, for programs without torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from resattn.errors import UserError
from resattn.models.detector import STRIDE, Detector

_OPSET = 17


class BoxesAndScores(nn.Module):
    """The detector up to suppression: a picture (1, 3, H, W) to boxes (N, 4), scores (N, classes).

    Args:
        model: The detector.
    """

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes in pixels and scores in 0..1 of all predictions."""
        predictions, _, cells = self.model(image)
        host = self.model.host
        return host.boxes(predictions.codes, cells)[0], host.scores(predictions)[0]


def export_onnx(model: Detector, path: Path, side: int) -> None:
    """Writes the graph for square pictures of one size; thresholds and suppression stay outside.

    The input ``image`` is (1, 3, side, side) in 0..1, the outputs are ``boxes`` (N, 4) and
    ``scores`` (N, classes).

    Args:
        model: The detector, in evaluation mode.
        path: The file.
        side: Pixels of the picture, a multiple of 32.

    Raises:
        UserError: The package onnx is not installed, or the side is no multiple of 32.
    """
    if side % STRIDE or side < STRIDE:
        raise UserError(f"side {side} is no multiple of {STRIDE}", "choose another side")
    if importlib.util.find_spec("onnx") is None:
        raise UserError("the package onnx is not installed", "pip install onnx")
    image = torch.zeros(1, 3, side, side)
    torch.onnx.export(
        BoxesAndScores(model),
        (image,),
        str(path),
        dynamo=False,  # the newer exporter needs onnxscript besides
        opset_version=_OPSET,
        input_names=["image"],
        output_names=["boxes", "scores"],
    )
