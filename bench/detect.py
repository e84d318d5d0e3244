r"""The numbers that README and docs quote for detect.

    python -m bench.detect sets --weights FILE --set bccd/test.json
    python -m bench.detect sets --weights FILE --set sen2ships --folds 5 --fold 0
    python -m bench.detect calibrate --weights FILE --data FILE --folds 10 --fold 0 \
        --shelf resattn/weights
    python -m bench.detect seams --weights FILE --set bccd/test.json
    python -m bench.detect speed [--weights FILE]
    python -m bench.detect memory [--weights FILE] [--sides 10000 40000]
    python -m bench.detect scorer
    python -m bench.detect places

Sets are named below `detect` of the shared data at $RESATTN_SHARED. `sets` and `seams` are for
reporting only; `calibrate` reads the held-out fold of training data. Without weights `speed` and
`memory` take a fresh network of the default shape, which costs the same. CPU seconds are those of
the process, with its reading of files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from bench.detect_costs import memory, one_raster, scorer, speed
from bench.detect_seams import seams
from bench.detect_sets import calibrate, places, sets


def main() -> None:
    verbs = {
        "sets": sets, "calibrate": calibrate, "seams": seams, "speed": speed, "memory": memory,
        "scorer": scorer, "places": places, "one-raster": one_raster,
    }  # fmt: skip
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=verbs)
    parser.add_argument("--weights", default="")
    parser.add_argument("--set", default="bccd/test.json")
    parser.add_argument("--data", type=Path, help="training set that --keep-data made")
    parser.add_argument("--folds", type=int, default=0, help="one fold only; 0: all")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--shelf", type=Path, help="where calibrated weights are put")
    parser.add_argument("--size", type=int, default=-1)
    parser.add_argument("--zoom", type=int, default=0)
    parser.add_argument("--tile", type=int, default=0)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--sides", type=int, nargs="+", default=[10_000, 40_000])
    parser.add_argument("--raster", type=Path, help="for one-raster, which memory calls")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    verbs[options.what](options)


if __name__ == "__main__":
    main()
