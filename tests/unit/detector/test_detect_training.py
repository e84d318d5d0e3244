"""The training task: views that keep pictures and boxes together, scores, runs that resume."""

import contextlib
import dataclasses
import io

import numpy as np
import pytest
import torch

from resattn.errors import UserError
from resattn.models.detect_points import BvrConfig
from resattn.models.detector import Detections, DetectorConfig
from resattn.training.box_set import BoxSet
from resattn.training.config import TrainConfig
from resattn.training.detect import DetectTask, Settings, largest, make, pictures
from resattn.training.detect_score import average_precision
from resattn.training.detect_views import Marked, Views, stacked, turned, view
from resattn.training.loop import Place, Trainer
from resattn.training.tasks import task_kind

TINY = DetectorConfig(width=16, depth=1, bvr=BvrConfig(heads=2, width=8, depth=1))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def blocks(count=4, side=96, seed=0):
    """Grey pictures with one red or blue block each."""
    draw = np.random.default_rng(seed)
    images = torch.full((count, 3, side, side), 90, dtype=torch.uint8)
    boxes, labels = [], []
    for index in range(count):
        x, y = draw.integers(0, side - 40, 2).tolist()
        w, h = draw.integers(16, 40, 2).tolist()
        images[index, :, y : y + h, x : x + w] = 10
        images[index, 2 * (index % 2), y : y + h, x : x + w] = 250
        boxes.append(torch.tensor([[x, y, x + w, y + h]], dtype=torch.float32))
        labels.append(torch.tensor([index % 2]))
    sources = tuple(map(str, range(count)))
    return BoxSet(images, tuple(boxes), tuple(labels), ("red", "blue"), sources)


def lit(image):
    """The box of the pixels that stand out."""
    rows, cols = ((image.float().amax(0) > 170).any(axis).nonzero()[:, 0] for axis in (1, 0))
    return [int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1]


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_boxes_follow_their_objects(scale):
    data = blocks(12, 128)
    seen = 0
    for index, picture in enumerate(pictures(data)):
        made = view(picture, 128, Views(scale=(scale, scale), visible=0.5), generator(index))
        assert made.image.shape == (3, 128, 128)
        assert made.image.dtype == torch.uint8
        for box in made.boxes:
            assert box.tolist() == pytest.approx(lit(made.image), abs=1 + scale)
            seen += 1
        assert len(made.boxes) == len(made.labels)
    assert seen >= 3


def test_objects_that_hardly_show_are_no_objects():
    picture = Marked(torch.zeros(3, 64, 64, dtype=torch.uint8), torch.zeros(1, 4), torch.zeros(1))
    picture = dataclasses.replace(picture, boxes=torch.tensor([[0.0, 0, 64, 64]]))
    views = Views(scale=(2.0, 2.0), visible=0.3)  # a view shows a quarter of the picture
    assert len(view(picture, 64, views, generator()).boxes) == 0
    assert len(view(picture, 64, dataclasses.replace(views, visible=0.2), generator()).boxes) == 1


def test_the_eight_symmetries_differ_and_keep_the_box_on_the_object():
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    image[:, 1:3, 2:7] = 255
    boxes = torch.tensor([[2.0, 1, 7, 3]])
    results = {tuple(turned(image, boxes, t)[1][0].tolist()) for t in range(8)}
    assert len(results) == 8
    for turn in range(8):
        changed, box = turned(image, boxes, turn)
        assert lit(changed) == box[0].tolist()


def test_lists_of_objects_are_padded_and_marked():
    boxes, labels = stacked(
        [torch.ones(2, 4), torch.zeros(0, 4)],
        [torch.tensor([3, 4]), torch.zeros(0, dtype=torch.int64)],
    )
    assert boxes.shape == (2, 2, 4)
    assert labels.tolist() == [[3, 4], [-1, -1]]


def test_black_borders_are_cut_but_not_through_boxes():
    image = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    image[:, :, :30, :20] = 9
    boxes = (torch.tensor([[0.0, 0, 24.5, 10]]),)
    data = BoxSet(image, boxes, (torch.tensor([0]),), ("a",), ("x",))
    assert pictures(data)[0].image.shape == (3, 30, 25)


def oracle(found, boxes, labels, classes):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO()
    entries = [
        (i, b, n)
        for i, (bs, ns) in enumerate(zip(boxes, labels, strict=True))
        for b, n in zip(bs.tolist(), ns.tolist(), strict=True)
    ]
    truth.dataset = {
        "images": [{"id": i} for i in range(len(boxes))],
        "categories": [{"id": c} for c in range(classes)],
        "annotations": [
            {
                "id": k + 1,
                "image_id": i,
                "category_id": n,
                "iscrowd": 0,
                "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
                "area": (b[2] - b[0]) * (b[3] - b[1]),
            }
            for k, (i, b, n) in enumerate(entries)
        ],
    }
    results = [
        {
            "image_id": i,
            "category_id": n,
            "score": s,
            "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
        }
        for i, f in enumerate(found)
        for b, s, n in zip(f.boxes.tolist(), f.scores.tolist(), f.labels.tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[:2]


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_pycocotools(seed):
    draw = np.random.default_rng(seed)
    found, boxes, labels = [], [], []
    for _ in range(12):
        count = int(draw.integers(0, 9))
        corner = draw.uniform(0, 80, (count, 2))
        box = np.concatenate([corner, corner + draw.uniform(5, 40, (count, 2))], 1)
        label = draw.integers(0, 3, count)
        guess = np.concatenate([box + draw.normal(0, 1.2, box.shape), box[: count // 2]])
        scores = np.sort(draw.uniform(0, 1, len(guess)).round(1))[::-1].copy()
        kinds = np.concatenate([np.where(draw.random(count) < 0.9, label, 0), label[: count // 2]])
        tensors = (torch.from_numpy(x) for x in (guess.astype(np.float32), scores, kinds))
        found.append(Detections(*tensors))
        boxes.append(torch.from_numpy(box.astype(np.float32)))
        labels.append(torch.from_numpy(label))
    ours = average_precision(found, boxes, labels, 4)
    np.testing.assert_allclose(ours[:2], oracle(found, boxes, labels, 4), atol=1e-9)
    assert 0.1 < ours.ap < ours.ap50 < 1


def test_the_score_to_count_from_is_where_f1_is_highest():
    places = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]])
    scores = torch.tensor([0.9, 0.6, 0.535, 0.2])  # objects 0 and 1, nothing, object 3
    found = [Detections(places, scores, torch.zeros(4, dtype=torch.int64))]
    boxes, labels = [places[[0, 1, 3]]], [torch.zeros(3, dtype=torch.int64)]
    made = average_precision(found, boxes, labels, 1)
    assert (made.f1, made.score) == (pytest.approx(6 / 7), 0.05), "all four: three hits of four"
    labels[0][2] = 1  # what lies at the last place is of another class, and is missed
    made = average_precision(found, boxes, labels, 2)
    assert (made.f1, made.score) == (pytest.approx(4 / 5), pytest.approx(0.54))
    none = average_precision(found, [places[:0]], [labels[0][:0]], 2)
    assert all(np.isnan(none))


def stop_after(steps):
    left = iter(range(steps))
    return lambda: next(left, None) is None


def test_a_stopped_run_ends_with_the_same_bits(tmp_path):
    data = blocks()
    settings = Settings(model=TINY, patch=128)
    config = TrainConfig(steps=4, batch=2, precision="bf16")

    def trainer(name):
        task = DetectTask(settings, *data.split(4, 0))
        return Trainer(task, config, Place(tmp_path / name, torch.device("cpu")))

    whole = trainer("a").fit()
    assert trainer("b").fit(stop_after(1)).steps == 2
    rest = trainer("b").fit()
    assert rest.finished
    assert all(torch.equal(whole.weights[name], rest.weights[name]) for name in whole.weights)
    assert rest.metrics.keys() == {"ap", "ap50", "f1", "score"}


def test_the_data_say_what_the_network_is_for():
    task = task_kind("detect").make(Settings(model=TINY, patch=128), *blocks().split(4, 0))
    assert (task.config.classes, task.config.names) == (2, ("red", "blue"))
    assert task.config.side == 96
    whole = dataclasses.replace(task.settings, cut=True)
    assert make(whole, *blocks().split(4, 0)).config.side == 0


def test_the_size_of_the_largest_objects_goes_into_the_file():
    one, many = torch.tensor([[0.0, 0, 10, 70]]), torch.tensor([[5.0, 5, 25, 15]] * 40)
    kinds = torch.zeros(1, dtype=torch.int64), torch.ones(40, dtype=torch.int64)
    data = dataclasses.replace(blocks(2), boxes=(one, many), labels=kinds)
    assert largest(data) == 96, "the only one of its class, rounded up"
    assert largest(dataclasses.replace(data, labels=(kinds[0] + 1, kinds[1]))) == 32, "an outlier"
    assert largest(dataclasses.replace(data, boxes=(one[:0],), labels=(kinds[0][:0],))) == 0
    task = make(Settings(model=TINY, patch=128), data, blocks())
    assert task.decided({"score": 0.5}).largest == 96


def test_the_score_of_the_fold_goes_into_the_file():
    task = make(Settings(model=TINY, patch=128), *blocks().split(4, 0))
    assert task.decided({"score": 0.47}) == dataclasses.replace(task.config, score=0.47)
    assert task.decided({"score": float("nan")}) == task.config, "no object in the fold"
    with pytest.raises(ValueError, match="score must lie above 0"):
        dataclasses.replace(TINY, score=0.0)


def test_pictures_with_objects_are_drawn_more_often():
    data = blocks(8)
    empty = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    boxes, labels = (
        (each[0],) + (none,) * 7
        for each, none in zip((data.boxes, data.labels), empty, strict=True)
    )
    sparse = dataclasses.replace(data, boxes=boxes, labels=labels)
    views = Views(scale=(0.5, 0.5))  # a view shows a whole picture

    def found(share):
        settings = Settings(model=TINY, patch=128, views=views, occupied=share)
        marks = DetectTask(settings, sparse, data).sample(60, generator())[2]
        return int((marks >= 0).any(1).sum())

    assert found(1.0) == 60
    assert 1 <= found(0.0) <= 20


def test_frozen_blocks_keep_their_weights(tmp_path):
    settings = Settings(model=TINY, patch=128, frozen=2)
    task = make(settings, *blocks().split(4, 0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = task.build().state_dict()
    config = TrainConfig(steps=2, batch=1, lr=1e-2, warmup=1)
    after = Trainer(task, config, Place(tmp_path, torch.device("cpu"))).fit().weights
    same = {name for name in before if torch.equal(before[name], after[name])}
    frozen = ("encoder.stem.", "encoder.blocks.0.", "encoder.blocks.1.")
    assert {name for name in same if name.startswith("encoder.")} == {
        name for name in before if name.startswith(frozen)
    }


def test_sets_without_objects_are_refused():
    data = blocks()
    empty = dataclasses.replace(
        data, boxes=(torch.zeros(0, 4),) * 4, labels=(torch.zeros(0, dtype=torch.int64),) * 4
    )
    with pytest.raises(UserError, match="none of 3 training images holds an object"):
        make(Settings(model=TINY), *empty.split(4, 0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patch": 100}, "multiple of 32"),
        ({"patch": 96}, "at least 128"),
        ({"occupied": 1.5}, "occupied must lie in"),
        ({"frozen": 2, "model": {"backbone": "resnet18"}}, "lite0"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Settings.from_dict(values)
