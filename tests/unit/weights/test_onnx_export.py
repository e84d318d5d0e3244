"""The detector as a graph: exported by torch alone, and as ONNX where that is installed."""

import importlib.util

import pytest
import torch

from resattn.errors import UserError
from resattn.models.detect_points import BvrConfig
from resattn.models.detector import Detector, DetectorConfig
from resattn.weights.onnx_export import BoxesAndScores, export_onnx

SIDE = 128


@pytest.fixture(scope="module", params=["atss", pytest.param("retinanet", marks=pytest.mark.slow)])
def model(request):
    torch.manual_seed(0)
    bvr = BvrConfig(heads=2, width=8, depth=1)
    made = Detector(DetectorConfig(host=request.param, classes=2, width=16, depth=1, bvr=bvr))
    torch.nn.init.normal_(made.bridge.head.scores.weight)  # far apart: rounding picks no key
    for mixer in (*made.bridge.cls, *made.bridge.box):
        torch.nn.init.normal_(mixer.proj.weight, std=0.1)
    return made.eval()


def pictures():
    return torch.rand(3, 1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_the_graph_holds_for_other_pictures(model):
    """Nothing of the picture it was traced with, such as where its keys lay, is frozen in."""
    whole = BoxesAndScores(model)
    with torch.no_grad():
        graph = torch.export.export(whole, (torch.zeros(1, 3, SIDE, SIDE),)).module()
        for picture in pictures():
            assert all(map(torch.equal, graph(picture), whole(picture)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter warns of its own age
def test_onnx_gives_what_torch_gives(model, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    export_onnx(model, tmp_path / "d.onnx", SIDE)
    session = runtime.InferenceSession(tmp_path / "d.onnx", providers=["CPUExecutionProvider"])
    for picture in pictures():
        boxes, scores = map(
            torch.from_numpy, session.run(["boxes", "scores"], {"image": picture.numpy()})
        )
        with torch.no_grad():
            ours = BoxesAndScores(model)(picture)
        torch.testing.assert_close(boxes, ours[0], atol=1e-4 * float(boxes.abs().max()), rtol=0)
        torch.testing.assert_close(scores, ours[1], atol=1e-5, rtol=0)


def test_what_cannot_be_exported_is_said(model, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="side 100 is no multiple of 32"):
        export_onnx(model, tmp_path / "d.onnx", 100)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="onnx is not installed"):
        export_onnx(model, tmp_path / "d.onnx", SIDE)
