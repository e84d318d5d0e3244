from xml.etree import ElementTree

from resattn.training.curve import draw_curve

LINES = [
    {"event": "train", "step": 10, "loss": 0.1, "lr": 1},
    {"event": "train", "step": 20, "loss": 0.01, "lr": 1},
    {"event": "validate", "step": 20, "psnr": 30.5},
]


def test_curve_is_a_drawing_with_a_point_per_line():
    root = ElementTree.fromstring(draw_curve(LINES, "psnr"))  # noqa: S314 (our own output)
    curves = root.findall("{http://www.w3.org/2000/svg}polyline")
    loss, score = ([p.split(",") for p in c.get("points").split()] for c in curves)
    assert (len(loss), len(score)) == (2, 1)
    assert float(loss[0][1]) < float(loss[1][1]), "a larger loss stands higher"
    assert loss[1][0] == score[0][0], "both panels share the axis of steps"


def test_an_empty_log_is_drawn_empty():
    ElementTree.fromstring(draw_curve([], "psnr"))  # noqa: S314
