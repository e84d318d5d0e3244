r"""The numbers that README and docs quote for segment-wound, peers scored in the same run.

    python -m bench.segment_wound peers
    python -m bench.segment_wound markers
    python -m bench.segment_wound calibrate --weights FILE --data FOLDER --folds 5 --fold 0 \
        --shelf resattn/weights
    python -m bench.segment_wound network --weights FILE [--tta]
    python -m bench.segment_wound robustness --weights FILE

Reads the shared test data at $RESATTN_SHARED. `network` and `robustness` look at the validation
photographs and are for reporting only; `calibrate` reads training photographs only and puts the
weights with their decision on a shelf, a folder with an index; with `--rule WEIGHTS` it sets the
threshold and the interval alone, for a fold without empty photographs.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bench import marker_scenes
from resattn.io.coin import find_coins
from resattn.io.image import encode_image, opencv, read_image
from resattn.io.marker import find_markers
from resattn.metrics import overlap, surface
from resattn.models.wound_unet import Decision
from resattn.pipelines.segment_wound_config import SegmentWoundConfig
from resattn.pipelines.segment_wound_photo import Examiner, make_examiner
from resattn.training.dataset import ImageSet
from resattn.weights import header
from resattn.weights.export import pack
from resattn.weights.index import Entry, Shelf
from resattn.weights.origin import described
from resattn.wound.dataset import read_photos
from resattn.wound.decide import area_masks, calibrate, decide
from resattn.wound.photo import Rgb
from resattn.wound.scale import Scale, from_coin, from_marker

Mask = NDArray[np.bool_]
Image = TypeVar("Image", Mask, Rgb)
Maps = Mapping[str, NDArray[np.float64]]
PEERS = {"FANet": "FANet", "IFANet (needs clicks)": "ifanet"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(COMMANDS))
    parser.add_argument("--weights", default="")
    parser.add_argument("--data", type=Path, help="training photographs: folder or kept file")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--rule", default="", help="weights whose rule for regions is kept")
    parser.add_argument("--shelf", type=Path, help="where calibrated weights are put")
    parser.add_argument("--limit", type=int, default=0, help="photographs to look at; 0: all")
    parser.add_argument("--tta", action="store_true")
    options = parser.parse_args()
    COMMANDS[options.what](options)


def peers(_: argparse.Namespace) -> None:
    """Published masks on both validation lists."""
    for title, names in splits().items():
        labels = {name: label(name) for name in names}
        print(f"\n{title}: {len(labels)} photographs\n{HEADER}")
        for method, folder in PEERS.items():
            at = data() / "predictions_baseline" / folder
            print(line(method, {n: read_image(at / n).pixels[0] > 0 for n in names}, labels))


def markers(_: argparse.Namespace) -> None:
    """cm² with the true mask on 20 synthetic scenes, tilt up to 25 degrees; 40 with coins."""
    for coin in (False, True):
        errors, held, lost = [], 0, 0
        for seed in range(40 if coin else 20):
            scene = marker_scenes.scene(seed, coin=coin)
            scale = reference_scale(scene.photo, coin=coin)
            if scale is None:
                lost += 1
                continue
            errors.append(100 * abs(scale.area_mm2(scene.mask) / 100 / scene.area_cm2 - 1))
            low, high = scale.area_interval_mm2(scene.mask)
            held += low / 100 <= scene.area_cm2 <= high / 100
        print(
            f"{'coin' if coin else 'marker'}, area error on {len(errors)} scenes: median "
            f"{np.median(errors):.2f} %, 95th percentile {np.percentile(errors, 95):.2f} %, "
            f"largest {max(errors):.2f} %; true area inside the scale's 90 % interval: {held}; "
            f"refused: {lost}"
        )


def reference_scale(photo: Rgb, *, coin: bool) -> Scale | None:
    """The scale by the coin or the marker of a scene; none where a coin is not to be told."""
    if not coin:
        return from_marker(find_markers(photo)[0], marker_scenes.MARKER_MM)
    coins = find_coins(photo)
    if len(coins) != 1:
        return None
    return from_coin(coins[0], marker_scenes.COIN_MM, (photo.shape[1], photo.shape[2]))


def calibrated(options: argparse.Namespace) -> None:
    """The decision to put beside the weights, from photographs of the held-out training fold."""
    examiner = make_examiner(SegmentWoundConfig(weights=options.weights, tta=options.tta))
    kept = options.data.suffix == ".safetensors"
    photos_of = ImageSet.load(options.data) if kept else read_photos(options.data, 512)
    _, fold = photos_of.split(options.folds, options.fold)
    photos = fold.images.numpy()[: options.limit or None]
    maps = [examiner.segmenter.probability(photo[:3]).astype(np.float64) for photo in photos]
    masks = [photo[3] > 0 for photo in photos]
    decision = calibrate(maps, masks, rule=rule_of(options.rule))
    before, after = (mean_dice(maps, masks, d) for d in (examiner.decision, decision))
    print(f"{len(masks)} photographs of fold {options.fold}: Dice {before:.4f} -> {after:.4f}")
    print(json.dumps(decision.to_dict()))
    if options.shelf is not None:
        print(Shelf(options.shelf).put(*decided(Path(options.weights), decision)))


def rule_of(weights: str) -> Decision | None:
    """The decision of other weights, if named."""
    return make_examiner(SegmentWoundConfig(weights=weights)).decision if weights else None


def decided(file: Path, decision: Decision) -> tuple[Entry, bytes]:
    """The weights of a file with another decision in their config, ready for a shelf."""
    metadata, tensors = header.parse(file.read_bytes(), file.name)
    origin = described(metadata, file.name)
    return pack(tensors, replace(origin, config={**origin.config, "decision": decision.to_dict()}))


def network(options: argparse.Namespace) -> None:
    """Scores, speed and calibration of a network, on the validation photographs."""
    examiner = make_examiner(SegmentWoundConfig(weights=options.weights, tta=options.tta))
    names = splits()["FUSeg validation, official"][: options.limit or None]
    labels = {name: label(name) for name in names}
    photos = {name: photograph(name) for name in names}
    start = time.process_time()
    maps = predict(examiner, photos)
    seconds = (time.process_time() - start) / len(photos)
    for title, listed in splits().items():
        kept = [name for name in listed if name in labels]
        found = {name: decide(maps[name], examiner.decision) for name in kept}
        print(f"\n{title}: {len(kept)} photographs\n{HEADER}")
        print(line("resattn", found, {name: labels[name] for name in kept}))
    print(f"\n{seconds:.2f} CPU s per photograph of 512×512")
    print(f"boundary-band ECE {band_error(maps, labels):.3f}; ", end="")
    print(f"90 % area interval covers {100 * coverage(maps, labels, examiner.decision):.1f} %")


def robustness(options: argparse.Namespace) -> None:
    """What each change of the validation photographs costs, in points of image Dice."""
    examiner = make_examiner(SegmentWoundConfig(weights=options.weights, tta=options.tta))
    names = splits()["FUSeg validation, official"][: options.limit or None]
    labels = {name: label(name) for name in names}
    whole = 0.0
    for title, (change, follow) in {"as it is": (_same, _same), **CHANGES}.items():
        maps = predict(examiner, {name: change(photograph(name)) for name in names})
        dice = 100 * mean_dice(maps.values(), map(follow, labels.values()), examiner.decision)
        whole = whole or dice
        print(f"{title:24} Dice {dice:.2f}, {dice - whole:+.2f}", flush=True)


HEADER = f"{'':24} image  pooled  IoU    P      R      NSD@3  HD95   area   false alarms"


def line(method: str, found: Mapping[str, Mask], labels: Mapping[str, Mask]) -> str:
    """One row: averages over photographs (Dice also without the empty ones) and pooled scores."""
    pairs = [(found[name], labels[name]) for name in labels]
    wounds = [(e, r) for e, r in pairs if r.any()]
    image = np.mean([overlap.dice(e, r) for e, r in pairs])
    pooled = []
    for name in ("dice", "iou", "precision", "recall"):
        running = getattr(overlap, f"running_{name}")()
        for estimate, reference in pairs:
            running.update(estimate, reference, None)
        pooled.append(100 * running.compute())
    nsd = np.mean([surface.nsd(e, r) for e, r in wounds])
    hd = np.median([surface.hd95(e, r) for e, r in wounds])
    area = np.median([overlap.area_error(e, r) for e, r in wounds])
    alarms = sum(e.any() for e, r in pairs if not r.any())
    scores = " ".join(f"{value:6.2f}" for value in (100 * image, *pooled))
    empty = len(pairs) - len(wounds)
    return f"{method:24}{scores} {nsd:6.3f} {hd:6.1f} {area:5.1f} %  {alarms} of {empty}"


def predict(examiner: Examiner, photos: Mapping[str, Rgb]) -> dict[str, NDArray[np.float64]]:
    """Probabilities by name."""
    return {n: examiner.segmenter.probability(p).astype(np.float64) for n, p in photos.items()}


def mean_dice(maps, masks, decision: Decision) -> float:  # noqa: ANN001
    """Mean Dice over photographs, empty ones counted."""
    return float(
        np.mean([overlap.dice(decide(p, decision), m) for p, m in zip(maps, masks, strict=True)])
    )


def band_error(maps: Maps, labels: Mapping[str, Mask], width: int = 15, bins: int = 15) -> float:
    """Expected calibration error of the probabilities within `width` pixels of the true outline."""
    sure, right = [], []
    for name, true in labels.items():
        rim = surface.outline(true)
        if rim.any():
            near = ndimage.distance_transform_edt(~rim) <= width
            sure.append(maps[name][near])
            right.append(true[near])
    chance, hit = np.concatenate(sure), np.concatenate(right)
    place = np.minimum((chance * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.bincount(place, chance - hit, minlength=bins)
    return float(np.abs(gap).sum() / count.sum())


def coverage(maps: Maps, labels: Mapping[str, Mask], decision: Decision) -> float:
    """Share of the photographs whose true area lies inside the interval."""
    held = []
    for name, true in labels.items():
        small, large = area_masks(maps[name], decision)
        held.append(small.sum() <= true.sum() <= large.sum())
    return float(np.mean(held))


def _same(image: Image) -> Image:
    return image


def _gamma(value: float) -> Callable[[Rgb], Rgb]:
    return lambda photo: np.rint(255 * (photo / 255) ** value).astype(np.uint8)


def _jpeg(photo: Rgb) -> Rgb:
    cv2 = opencv()
    data = np.frombuffer(encode_image(photo, format="jpeg", quality=30), np.uint8)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1))


def _half(photo: Rgb) -> Rgb:
    small = photo.reshape(3, photo.shape[1] // 2, 2, photo.shape[2] // 2, 2).mean((2, 4))
    return np.rint(small).astype(np.uint8)


def _turn(degrees: float) -> tuple[Callable[[Rgb], Rgb], Callable[[Mask], Mask]]:
    def photo(image: Rgb) -> Rgb:
        turned = ndimage.rotate(image.astype(np.float32), degrees, (1, 2), reshape=True, order=1)
        return np.rint(turned).clip(0, 255).astype(np.uint8)

    def mask(image: Mask) -> Mask:
        return ndimage.rotate(image.astype(np.float32), degrees, reshape=True, order=1) >= 0.5

    return photo, mask


CHANGES: Mapping[str, tuple[Callable[[Rgb], Rgb], Callable[[Mask], Mask]]] = {
    "turned by 90 degrees": _turn(90),
    "turned by 37 degrees": _turn(37),
    "upside down": _turn(180),
    "JPEG quality 30": (_jpeg, _same),
    "gamma 0.6": (_gamma(0.6), _same),
    "gamma 1.6": (_gamma(1.6), _same),
    "blur of 1.5 pixels": (
        lambda photo: (
            np.rint(ndimage.gaussian_filter(photo.astype(np.float32), (0, 1.5, 1.5)))
            .clip(0, 255)
            .astype(np.uint8)
        ),
        _same,
    ),
    "half the resolution": (
        _half,
        lambda mask: mask.reshape(mask.shape[0] // 2, 2, -1, 2).mean((1, 3)) >= 0.5,
    ),
}


def data() -> Path:
    """The wound folder of the shared test data."""
    return Path(os.environ["RESATTN_SHARED"]) / "data" / "wound"


def splits() -> dict[str, list[str]]:
    """Names of the official validation photographs, and of those no training photograph repeats."""
    files = {"official": "fuseg_val_official.txt", "leak-free": "fuseg_val_noleak.txt"}
    return {
        f"FUSeg validation, {title}": (data() / "splits" / file).read_text().split()
        for title, file in files.items()
    }


def label(name: str) -> Mask:
    """True mask of a validation photograph."""
    return read_image(data() / "fuseg/validation/labels" / name).pixels[0] > 0


def photograph(name: str) -> Rgb:
    """A validation photograph."""
    found = next((data() / "fuseg/validation/images").glob(f"{Path(name).stem}.*"))
    return np.asarray(read_image(found).pixels, dtype=np.uint8)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "peers": peers,
    "markers": markers,
    "calibrate": calibrated,
    "network": network,
    "robustness": robustness,
}


if __name__ == "__main__":
    main()
