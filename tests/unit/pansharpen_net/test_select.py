"""The automatic choice: never below the best classical method by the scores it goes by."""

from __future__ import annotations

import numpy as np
import pytest
from net_scenes import Sample, make

from resattn.fusion import select
from resattn.fusion.adapt_training import AdaptConfig
from resattn.fusion.pyramid import Optics
from resattn.fusion.select import Scores, best_classical, choose, score

CONFIG = AdaptConfig(steps=15, seconds=None, width=8)


def test_the_choice_is_no_worse_than_the_best_classical() -> None:
    sample = make(side=128)
    choice = choose(sample.scene, sample.optics, CONFIG)
    start, reduced = best_classical(sample.scene, sample.optics)
    assert choice.start == start.method == min(reduced, key=lambda name: reduced[name])
    assert choice.scores[0] == score(sample.scene, start)
    final = score(sample.scene, choice.fuser)
    assert final.r_ergas <= choice.scores[0].r_ergas
    assert final.r_q2n >= choice.scores[0].r_q2n


def test_without_steps_the_classical_method_is_kept(sample: Sample) -> None:
    choice = choose(sample.scene, sample.optics, AdaptConfig(steps=0, width=8))
    fused, _ = choice.fuser.apply(sample.scene, sample.whole)
    start, _ = best_classical(sample.scene, sample.optics)
    assert np.array_equal(fused, start.apply(sample.scene, sample.whole)[0])


def test_the_scale_below_tells_sharpening_from_none() -> None:
    sample = make(side=128)
    _, reduced = best_classical(sample.scene, sample.optics)
    assert reduced["exp"] > 1.5 * min(reduced.values())


def test_tiny_scenes_take_the_first_candidate() -> None:
    tiny = make(side=24)
    start, reduced = best_classical(tiny.scene, tiny.optics)
    assert reduced == {}
    assert start.method == select.CANDIDATES[0]


@pytest.mark.parametrize(
    ("after", "better"),
    [
        (Scores(1.0, 0.95, 0.10), True),
        (Scores(0.9, 0.96, 0.105), True),
        (Scores(0.9, 0.96, 0.2), False),
        (Scores(1.1, 0.96, 0.0), False),
        (Scores(0.9, 0.94, 0.0), False),
    ],
)
def test_what_counts_as_better(after: Scores, better: bool) -> None:
    assert after.improves(Scores(1.0, 0.95, 0.10)) is better


def test_scores_see_a_shift_the_optics_do_not_know() -> None:
    sample = make(side=128)
    blind = Optics.of(sample.optics.ms_gains)
    aware = score(sample.scene, sample.start())
    unaware = score(sample.scene, best_classical(sample.scene, blind, ("mtf-glp-fs",))[0])
    assert aware.d_rho < 0.7 * unaware.d_rho
