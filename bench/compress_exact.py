"""The promise of the codec on Kodak: the same integers everywhere, pixels within one step.

    OMP_WAIT_POLICY=passive RESATTN_SHARED=... python -m bench.compress_exact --work FOLDER
    ... --images 1 --qualities 20 72        # a first look

Integers are decoded under every combination of threads, memory layout, oneDNN and engine; pixels
under every combination but the engine, on which they cannot depend: it only gives the integers.
Each file leaves a line in FOLDER/exact.jsonl, and a second run goes on where the first stopped.
About 15 CPU minutes for 24 images at 8 qualities; without the wait policy, two threads on a busy
machine spend many times that waiting for each other.
"""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from resattn.codec.damage import DamageError
from resattn.codec.files import RacFile, open_rac
from resattn.codec.network import Network
from resattn.codec.tiles import Decoder
from resattn.models.compress import CompressNet
from resattn.models.compress_integer import ENGINES, Engine
from resattn.pipelines.compress import compress
from resattn.pipelines.compress_networks import DEFAULT_WEIGHTS, TASK
from resattn.weights.load import load

QUALITIES = (2, 10, 20, 32, 45, 58, 72, 88)


@dataclass(frozen=True, slots=True)
class Setting:
    """What changes the order of floating-point sums."""

    threads: int
    channels_last: bool
    onednn: bool


SETTINGS = tuple(Setting(*row) for row in itertools.product((1, 2), (False, True), (True, False)))


@dataclass(frozen=True, slots=True)
class Row:
    """What was found of one file.

    Attributes:
        file: Its name.
        decodes: How often its integers were decoded.
        mismatches: How often they were others than were coded.
        worst: Largest difference of a sample between two settings.
        changed: Largest share of samples that differ from those of the first setting.
    """

    file: str
    decodes: int
    mismatches: int
    worst: int
    changed: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Decodes, prints, and returns 1 if anything differs by more than was promised."""
    options = _parser().parse_args(arguments)
    folder = Path(options.work)
    folder.mkdir(parents=True, exist_ok=True)
    images = sorted((Path(options.shared) / "data" / "kodak").glob("kodim*.png"))[: options.images]
    results = folder / "exact.jsonl"
    known = {row.file: row for row in _read(results)}
    rows, start, left = [], time.process_time(), 0
    for quality, image in itertools.product(options.qualities, images):
        name = f"{image.stem}-{quality}"
        if name not in known:
            path = folder / f"{name}.rac"
            compress(image, path, quality=quality, weights=options.weights, overwrite=True)
            known[name] = examined(path, options.weights)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(known[name])) + "\n")
            left += 1
            spent = (time.process_time() - start) / left
            print(f"{name}: {known[name]}; {spent:.1f} CPU s a file", flush=True)
        rows.append(known[name])
    wrong, worst = sum(row.mismatches for row in rows), max(row.worst for row in rows)
    print(
        f"{len(rows)} files, {sum(row.decodes for row in rows)} decodes: {wrong} mismatches, "
        f"samples differ by at most {worst}, {max(row.changed for row in rows):.2e} of them"
    )
    return int(wrong > 0 or worst > 1)


def examined(path: Path, weights: str) -> Row:
    """One file under all settings."""
    wrong, decodes, worst, changed = 0, 0, 0, 0.0
    first: NDArray[np.int64] | None = None
    with open_rac(path) as file:
        for setting in SETTINGS:
            with _set(setting):
                for engine in ENGINES:
                    decodes += 1
                    wrong += not _is_exact(file, _network(weights, setting.channels_last, engine))
                if wrong:
                    continue
                pixels = _pixels(file, _network(weights, setting.channels_last, "fp32"))
            first = pixels if first is None else first
            difference = np.abs(pixels - first)
            worst = max(worst, int(difference.max()))
            changed = max(changed, float((difference > 0).mean()))
    return Row(path.stem, decodes, wrong, worst, changed)


def _is_exact(file: RacFile, network: Network) -> bool:
    decoder = Decoder(file.layout, file.stream, file.scale, network)
    try:
        for tile in range(file.head.tiles):
            decoder.check(tile)
    except DamageError:
        return False
    return True


def _pixels(file: RacFile, network: Network) -> NDArray[np.int64]:
    decoder = Decoder(file.layout, file.stream, file.scale, network)
    tiles = [decoder.decode(tile)[0].astype(np.int64).ravel() for tile in range(file.head.tiles)]
    return np.concatenate(tiles)


@functools.cache
def _network(weights: str, channels_last: bool, engine: Engine) -> Network:
    loaded = load(weights or DEFAULT_WEIGHTS, TASK)
    assert isinstance(loaded.model, CompressNet)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = copy.deepcopy(loaded.model).to(memory_format=layout)
    model.scale._engines[torch.device("cpu")] = engine
    return Network(model, loaded.name, loaded.sha256)


@contextmanager
def _set(setting: Setting) -> Iterator[None]:
    """The setting while the block runs; the network's own choice of layout is taken from it."""
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    before = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    torch._C._set_mkldnn_enabled(setting.onednn)
    try:
        with mock.patch(
            "resattn.models.compress._channels_last", lambda x: x.contiguous(memory_format=layout)
        ):
            yield
    finally:
        torch._C._set_mkldnn_enabled(True)
        torch.set_num_threads(before)


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", default=os.environ.get("RESATTN_SHARED", "../shared"))
    parser.add_argument("--work", required=True, help="folder for files and results")
    parser.add_argument("--weights", default="", help="a file; by default the installed network")
    parser.add_argument("--images", type=int, default=24, help="how many of the 24")
    parser.add_argument("--qualities", type=int, nargs="+", default=list(QUALITIES))
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
